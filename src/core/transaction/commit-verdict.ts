/**
 * Commit-verdict: an auditor promises what it found without telling, and locks what it loses if it was wrong or keeps silent.
 * Spec: docs/spec/transactions.md §17.
 * @module
 */
import type { Hash } from '../../base/brand.ts'
import { readHash, writeHash } from '../fields.ts'
import { type AuditId, putAudit, readAuditId, writeAuditId } from '../state/audits.ts'
import { putMiner } from '../state/miners.ts'
import type { Contract } from './contract.ts'
import { TransactionError } from './contract.ts'
import { dllm, requireAudit, requireAuditor, requireMiner } from './refusals.ts'

export interface CommitVerdict {
  readonly audit: AuditId
  /** `verdictCommitment`. */
  readonly commitment: Hash
}

export const commitVerdict: Contract<CommitVerdict> = {
  type: 16,
  name: 'commit-verdict',
  read: (reader) => ({ audit: readAuditId(reader), commitment: readHash(reader) }),
  write(writer, { audit, commitment }) {
    writeHash(writeAuditId(writer, audit), commitment)
  },
  units: () => 20,
  validate({ sender, body }, state, { height }) {
    const audit = requireAudit(state, body.audit)
    const { commitment } = requireAuditor(audit, sender)
    if (height > audit.commitHeight) {
      const sentence = `Auditors commit until block ${audit.commitHeight}: it is too late for this audit.`
      throw new TransactionError('WRONG_PHASE', sentence, { details: { until: audit.commitHeight } })
    }
    if (commitment !== undefined) {
      throw new TransactionError(
        'ALREADY_COMMITTED',
        'This account has committed already. Reveal what it committed to.',
      )
    }
    const { deposit, locked } = requireMiner(state, sender)
    if (deposit - locked >= audit.stake) return
    const sentence = `An audit locks ${dllm(audit.stake)} of the deposit, and ${dllm(deposit - locked)} of it are free. Deposit more.`
    throw new TransactionError('DEPOSIT_LOCKED', sentence)
  },
  apply({ sender, body }, state) {
    const audit = requireAudit(state, body.audit)
    const miner = requireMiner(state, sender)
    putMiner(state, sender, { ...miner, locked: miner.locked + audit.stake })
    const auditors = audit.auditors.map((auditor) =>
      auditor.operator === sender ? { ...auditor, commitment: body.commitment } : auditor,
    )
    putAudit(state, body.audit, { ...audit, auditors })
  },
  describe: ({ audit, commitment }) => ({ ...audit, commitment }),
  touches: () => [],
}
