/**
 * What an auditor remembers of audits that it has not committed to yet: attempts, when to try again, whose fault it is that there is nothing to say, and
 * whether there is still time. Knows neither chain nor wire.
 * Spec: docs/spec/market.md §8.
 * @module
 */
import { AUDIT_LIMITS } from '../../base/limits.ts'
import type { AuditView } from '../chain/market-access.ts'
import type { AttemptOutcome } from './attempt.ts'
import { auditName } from './audit-pages.ts'

/** An audit in one of its rounds: each has a time to commit of its own. */
export interface AuditJob {
  readonly firstSeen: number
  attempts: number
  /** Attempts that gave other data than the receipts say. */
  bad: number
  /** Height before which it is not tried again. */
  againAt: number
  /** Why the miner's data is not here; undefined as well when this machine was the one that could not. */
  missing: string | undefined
  /** Ends the attempt that is being made, which may be at several audits of a lot. */
  running: AbortController | undefined
  /** What people were told of it. */
  readonly said: Set<string>
}

export interface AuditJobs {
  /** The job of an audit; new ones were first seen at this height. */
  of(audit: AuditView, height: number): AuditJob
  /** Attempts that are being made. */
  readonly running: number
  /** Of other audits than these nothing is remembered any more. */
  keep(audits: readonly AuditView[]): void
}

/** Blocks that a commitment takes to get into one, with room; where there are few, a quarter of them. */
const LAST_BLOCKS = 5
/** Other data than was claimed is asked for again, for a disk may fail to read; but it is computed for nothing. */
const BAD_MAX = 3
const WAIT_BLOCKS_MAX = 8

export function createAuditJobs(): AuditJobs {
  const jobs = new Map<string, AuditJob>()
  return {
    of(audit, height) {
      const name = roundName(audit)
      const known = jobs.get(name)
      if (known !== undefined) return known
      const counts = { firstSeen: height, attempts: 0, bad: 0, againAt: 0 }
      const job: AuditJob = { ...counts, missing: undefined, running: undefined, said: new Set() }
      jobs.set(name, job)
      return job
    },
    get running() {
      return new Set([...jobs.values()].flatMap(({ running }) => running ?? [])).size
    },
    keep(audits) {
      const names = new Set(audits.map(roundName))
      for (const [name, { running }] of jobs) if (!names.has(name) && running === undefined) jobs.delete(name)
    },
  }
}

/** Whether an attempt may begin at this height. */
export function mayTry({ running, againAt, attempts, bad }: AuditJob, height: number): boolean {
  return running === undefined && againAt <= height && attempts < AUDIT_LIMITS.attemptsMax && bad < BAD_MAX
}

/** Whether what is to be committed to must be sent now. */
export function isLastCall({ commitHeight }: AuditView, { firstSeen }: AuditJob, height: number): boolean {
  const margin = Math.max(1, Math.min(LAST_BLOCKS, Math.floor((commitHeight - firstSeen) / 4)))
  return height >= commitHeight - margin
}

/** An attempt gave nothing: the next one is made some blocks later. */
export function noteFailure(job: AuditJob, outcome: Exclude<AttemptOutcome, { type: 'found' }>, height: number): void {
  job.attempts++
  job.againAt = height + Math.min(WAIT_BLOCKS_MAX, 2 ** job.attempts)
  job.missing = outcome.type === 'missing' ? outcome.why : undefined
  if (outcome.type === 'missing' && outcome.isBad) job.bad++
}

function roundName(audit: AuditView): string {
  return `${auditName(audit)} ${audit.dueHeight}`
}
