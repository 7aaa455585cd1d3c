/**
 * What an auditor has committed to, or is about to: kept on disk before it commits, so that it can reveal after a restart. Who does not reveal loses
 * its stake.
 * Spec: docs/spec/market.md §8, docs/spec/home.md §6.
 * @module
 */
import { Reader, Writer } from '../../base/codec.ts'
import { AUDIT_LIMITS } from '../../base/limits.ts'
import { readCount, readHash, writeCount, writeHash } from '../../core/fields.ts'
import type { Verdict } from '../../core/market/verdict.ts'
import { type AuditId, readAuditId, writeAuditId } from '../../core/state/audits.ts'
import type { Disk } from '../store/disk.ts'
import { createSerial } from '../store/serial.ts'
import { AuditError } from './audit-error.ts'
import { auditName } from './audit-pages.ts'

export interface KeptVerdict extends Verdict {
  readonly audit: AuditId
  /** Height at which the audit is tallied, as it was when the verdict was made. */
  readonly dueHeight: number
}

export interface VerdictStore {
  find(audit: AuditId): KeptVerdict | undefined
  all(): readonly KeptVerdict[]
  /** There for good when it resolves. @throws AuditError AUDIT_TOO_MANY; StoreError. */
  keep(verdict: KeptVerdict): Promise<void>
  /** @throws StoreError. */
  forget(audits: readonly AuditId[]): Promise<void>
  close(): Promise<void>
}

const FILE = 'verdicts'

/** `disk`: a folder of its own. @throws StoreError; CodecError when the file is damaged. */
export async function openVerdictStore(disk: Disk): Promise<VerdictStore> {
  const serial = createSerial()
  const bytes = await disk.read(FILE)
  const found = bytes === undefined ? [] : decodeVerdicts(bytes)
  let kept: ReadonlyMap<string, KeptVerdict> = new Map(found.map((verdict) => [auditName(verdict.audit), verdict]))
  const replace = async (next: ReadonlyMap<string, KeptVerdict>): Promise<void> => {
    await disk.replace(FILE, encodeVerdicts([...next.values()]))
    kept = next
  }
  return {
    find: (audit) => kept.get(auditName(audit)),
    all: () => [...kept.values()],
    keep: (verdict) =>
      serial(async () => {
        const next = new Map(kept).set(auditName(verdict.audit), verdict)
        if (next.size > AUDIT_LIMITS.verdictsMax) {
          throw new AuditError('AUDIT_TOO_MANY', 'Too many audits wait to be revealed: this one is passed by.')
        }
        await replace(next)
      }),
    forget: (audits) =>
      serial(async () => {
        const next = new Map(kept)
        for (const audit of audits) next.delete(auditName(audit))
        if (next.size < kept.size) await replace(next)
      }),
    close: () => disk.close(),
  }
}

export function encodeVerdicts(verdicts: readonly KeptVerdict[]): Uint8Array {
  return new Writer()
    .list(verdicts, (writer, { audit, finding, salt, dueHeight }) => {
      writeCount(writeHash(writeHash(writeAuditId(writer, audit), finding), salt), dueHeight)
    })
    .finish()
}

/** @throws CodecError. */
export function decodeVerdicts(bytes: Uint8Array): KeptVerdict[] {
  const reader = new Reader(bytes)
  const verdicts = reader.list(AUDIT_LIMITS.verdictsMax, (inner) => ({
    audit: readAuditId(inner),
    finding: readHash(inner),
    salt: readHash(inner),
    dueHeight: readCount(inner),
  }))
  reader.finish()
  return verdicts
}
