/**
 * Reveal-verdict: an auditor says what it committed to. Spec: docs/spec/transactions.md §19.
 * @module
 */
import { readHash, writeHash } from '../fields.ts'
import { type Verdict, verdictCommitment } from '../market/verdict.ts'
import { type AuditId, putAudit, readAuditId, writeAuditId } from '../state/audits.ts'
import type { Contract } from './contract.ts'
import { TransactionError } from './contract.ts'
import { requireAudit, requireAuditor, requireRevealing } from './refusals.ts'

export interface RevealVerdict extends Verdict {
  readonly audit: AuditId
}

export const revealVerdict: Contract<RevealVerdict> = {
  type: 18,
  name: 'reveal-verdict',
  read: (reader) => ({ audit: readAuditId(reader), finding: readHash(reader), salt: readHash(reader) }),
  write(writer, { audit, finding, salt }) {
    writeHash(writeHash(writeAuditId(writer, audit), finding), salt)
  },
  units: () => 20,
  validate({ sender, body }, state, { height }) {
    const audit = requireAudit(state, body.audit)
    const { commitment, finding } = requireAuditor(audit, sender)
    requireRevealing(audit, height)
    if (commitment === undefined) {
      throw new TransactionError(
        'NO_COMMITMENT',
        'This account has not committed to anything: it has nothing to reveal.',
      )
    }
    if (finding !== undefined) {
      throw new TransactionError('ALREADY_REVEALED', 'This account has revealed what it found already.')
    }
    if (verdictCommitment(body.audit, sender, body) === commitment) return
    throw new TransactionError(
      'BAD_REVEAL',
      'This is not what the account committed to. Reveal the same finding and salt.',
    )
  },
  apply({ sender, body: { audit: id, finding } }, state) {
    const audit = requireAudit(state, id)
    const auditors = audit.auditors.map((auditor) => (auditor.operator === sender ? { ...auditor, finding } : auditor))
    putAudit(state, id, { ...audit, auditors })
  },
  describe: ({ audit, finding, salt }) => ({ ...audit, finding, salt }),
  touches: () => [],
}
