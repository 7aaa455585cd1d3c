/**
 * The duty of a miner that is drawn as an auditor: fetches and recomputes what it is asked for, a few audits at once and those that end first before
 * others, commits to what it found once that is on disk, and reveals it when its time has come. What does not come until the last blocks
 * is not to be had. Who commits and does not reveal loses its stake, so each block everything is decided anew by the chain and the disk.
 * Spec: docs/spec/market.md §8.
 * @module
 */
import { codeOf, messageOf } from '../../base/error.ts'
import { AUDIT_LIMITS } from '../../base/limits.ts'
import type { Clock, Random } from '../../base/ports.ts'
import { addressOfAccount, hashOf } from '../../core/fields.ts'
import { UNAVAILABLE } from '../../core/market/receipt.ts'
import type { Verdict } from '../../core/market/verdict.ts'
import type { Wire } from '../../net/wire.ts'
import type { ChainAccess, HeadView } from '../chain/chain-access.ts'
import type { AuditView } from '../chain/market-access.ts'
import type { ChainSender } from '../market/chain-sender.ts'
import type { Duty, MiningNotes } from '../mining/duty.ts'
import { type AttemptOptions, type AttemptOutcome, attemptAudits, outOfTime } from './attempt.ts'
import type { AuditBook } from './audit-book.ts'
import { commitVerdictCall, revealVerdictCall } from './audit-calls.ts'
import { type AuditJobs, createAuditJobs, isLastCall, mayTry, noteFailure } from './audit-jobs.ts'
import { auditName } from './audit-pages.ts'
import type { AuditShelf } from './audit-shelf.ts'
import type { Tasks } from './tasks.ts'
import type { KeptVerdict, VerdictStore } from './verdict-store.ts'

export interface AuditorOptions extends AttemptOptions {
  readonly chain: ChainAccess
  readonly sender: ChainSender
  readonly book: AuditBook
  readonly verdicts: VerdictStore
  readonly shelf: AuditShelf
  readonly tasks: Tasks
  /** false: commits to nothing new, and still reveals. */
  readonly audits: boolean
}

export interface AuditorPorts {
  readonly wire: Wire
  readonly clock: Clock
  readonly random: Random
  readonly notes: MiningNotes
}

export function createAuditorDuty(options: AuditorOptions, ports: AuditorPorts): Duty {
  const { chain, book, verdicts } = options
  const address = addressOfAccount(options.sender.id, chain.network.kind)
  const jobs = createAuditJobs()
  const auditor = createAuditor(options, ports, jobs)

  /** Attempts that may begin, if the deposit is free and the machine is. */
  const start = async (ready: readonly AuditView[], { height }: HeadView, signal: AbortSignal): Promise<void> => {
    const due = ready.filter((audit) => mayTry(jobs.of(audit, height), height))
    if (due.length === 0 || jobs.running >= AUDIT_LIMITS.recomputedMax) return
    const { deposit, locked } = await chain.market.miner(options.sender.id, signal)
    let free = BigInt(deposit) - BigInt(locked)
    for (const audit of ready) if (jobs.of(audit, height).running !== undefined) free -= BigInt(audit.stake)
    const isAffordable = (audit: AuditView): boolean => {
      if (free >= BigInt(audit.stake)) {
        free -= BigInt(audit.stake)
        return true
      }
      auditor.sayOnce(audit, 'locked', `Passes by an audit of ${lotText(audit)}: too much of the deposit is locked.`)
      return false
    }
    for (const ofLot of Map.groupBy(due, ({ lease, lot }) => `${lease} ${lot}`).values()) {
      if (jobs.running >= AUDIT_LIMITS.recomputedMax) return
      const chosen = ofLot.filter(isAffordable)
      if (chosen.length > 0) auditor.attempt(chosen, height, signal)
    }
  }
  /** Verdicts that are revealed, or can be no more. */
  const forget = async (asked: readonly AuditView[], { height }: HeadView): Promise<void> => {
    jobs.keep(asked)
    await options.shelf.keepOnly(asked)
    const open = new Map(asked.map((audit) => [auditName(audit), audit]))
    const ended = verdicts.all().filter(({ audit, dueHeight }) => {
      const view = open.get(auditName(audit))
      return view === undefined ? height > dueHeight : partOf(view, address)?.finding !== undefined
    })
    if (ended.length > 0) await verdicts.forget(ended.map(({ audit }) => audit))
  }

  return {
    name: 'audits of others',
    async look(head, signal) {
      const { asked } = await book.at(head, signal)
      const ready: AuditView[] = []
      for (const audit of asked) {
        const part = partOf(audit, address)
        if (part === undefined || part.finding !== undefined) continue
        if (part.committed) {
          if (head.height >= audit.commitHeight) auditor.reveal(audit, signal)
        } else if (head.height < audit.commitHeight && auditor.isToBeTried(audit, head.height, signal))
          ready.push(audit)
      }
      await start(ready, head, signal)
      await forget(asked, head)
    },
  }
}

interface Auditor {
  sayOnce(audit: AuditView, key: string, text: string): void
  /** Fetches, recomputes and commits: audits of one lot. */
  attempt(audits: readonly AuditView[], height: number, signal: AbortSignal): void
  /** Commits to what is kept, or in the last blocks to what was not to be had; otherwise it may be tried. */
  isToBeTried(audit: AuditView, height: number, signal: AbortSignal): boolean
  reveal(audit: AuditView, signal: AbortSignal): void
}

function createAuditor(options: AuditorOptions, ports: AuditorPorts, jobs: AuditJobs): Auditor {
  const { sender, verdicts, tasks } = options
  const say = (audit: AuditView, text: string): void => {
    const { lease, lot, window } = audit
    ports.notes.say({ type: 'audit-duty', text, details: { lease, lot, window } })
  }
  const sayOnce = (audit: AuditView, key: string, text: string): void => {
    const { said } = jobs.of(audit, 0)
    if (!said.has(key)) say(audit, text)
    said.add(key)
  }
  const task = (audit: AuditView, signal: AbortSignal, work: () => Promise<void>): void =>
    tasks.begin(auditName(audit), work, (error) => {
      if (signal.aborted || DONE_ALREADY.includes(codeOf(error))) return
      sayOnce(audit, codeOf(error) ?? 'BUG', `An audit of ${lotText(audit)} has to wait: ${messageOf(error)}`)
    })

  const commit = async (audit: AuditView, verdict: Verdict, signal: AbortSignal): Promise<void> => {
    const { lease, lot, window, dueHeight, commitHeight } = audit
    if (verdicts.find(audit)?.salt !== verdict.salt) {
      const { finding, salt } = verdict
      await verdicts.keep({ audit: { lease, lot, window }, finding, salt, dueHeight })
    }
    await sender.send(commitVerdictCall({ lease, lot, window }, sender.id, verdict), signal)
    const what = verdict.finding === UNAVAILABLE ? 'that its data was not to be had' : 'to what it gave'
    say(audit, `Audited ${lotText(audit)} and committed ${what}; it is revealed after block ${commitHeight}.`)
  }
  const verdictOf = (finding: Verdict['finding']): Verdict => ({ finding, salt: hashOf(ports.random.bytes(32)) })
  const conclude = async (audit: AuditView, outcome: AttemptOutcome, at: Moment): Promise<void> => {
    const job = jobs.of(audit, at.height)
    if (outcome.type === 'found') {
      // What cannot be kept is not computed at each block anew.
      job.attempts++
      return commit(audit, verdictOf(outcome.findings.get(audit.row)!), at.signal)
    }
    noteFailure(job, outcome, at.height)
    sayOnce(audit, outcome.why, `Cannot audit ${lotText(audit)} yet: ${outcome.why}`)
    if (at.isLast() && job.missing !== undefined) await commit(audit, verdictOf(UNAVAILABLE), at.signal)
  }

  return {
    sayOnce,
    attempt(audits, height, signal) {
      const running = new AbortController()
      for (const audit of audits) jobs.of(audit, height).running = running
      const both = AbortSignal.any([signal, running.signal])
      const outcome = attemptAudits(audits, options, { ...ports, signal: both }).finally(() => {
        for (const audit of audits) jobs.of(audit, height).running = undefined
      })
      outcome.catch(() => undefined)
      for (const audit of audits) {
        const isLast = (): boolean => running.signal.aborted
        task(audit, signal, async () => conclude(audit, await outcome, { height, signal, isLast }))
      }
    },
    isToBeTried(audit, height, signal) {
      const kept = verdicts.find(audit)
      const job = jobs.of(audit, height)
      // What an attempt gave is being kept and sent.
      if (job.running === undefined && tasks.isRunning(auditName(audit))) return false
      if (kept !== undefined && !isStale(kept, audit)) {
        task(audit, signal, () => commit(audit, kept, signal))
        return false
      }
      if (!options.audits || !isLastCall(audit, job, height)) return options.audits
      if (job.running !== undefined) job.running.abort(outOfTime())
      else if (job.missing !== undefined) task(audit, signal, () => commit(audit, verdictOf(UNAVAILABLE), signal))
      else sayOnce(audit, 'late', `Passed by an audit of ${lotText(audit)}: there was no time for it.`)
      return false
    },
    reveal(audit, signal) {
      const kept = verdicts.find(audit)
      if (kept === undefined) {
        const text = `What was committed to in an audit of ${lotText(audit)} is not on this disk: its stake is lost.`
        return sayOnce(audit, 'lost', text)
      }
      task(audit, signal, async () => {
        await sender.send(revealVerdictCall(kept.audit, kept), signal)
        say(audit, `Revealed what the audit of ${lotText(audit)} gave.`)
      })
    },
  }
}

/** Said by an earlier transaction of ours that came into a block after all. */
const DONE_ALREADY: readonly unknown[] = ['ALREADY_COMMITTED', 'ALREADY_REVEALED']

interface Moment {
  readonly height: number
  readonly signal: AbortSignal
  /** There is no time for another attempt. */
  readonly isLast: () => boolean
}

/** Data that was not to be had in one round may be in the next. */
function isStale({ finding, dueHeight }: KeptVerdict, audit: AuditView): boolean {
  return finding === UNAVAILABLE && dueHeight !== audit.dueHeight
}

function partOf({ auditors }: AuditView, address: string): AuditView['auditors'][number] | undefined {
  return auditors.find(({ operator }) => operator === address)
}

/** For people: lots are counted from 1. */
export function lotText({ lease, lot }: Pick<AuditView, 'lease' | 'lot'>): string {
  return `lot ${lot + 1} of lease ${lease.slice(0, 12)}…`
}
