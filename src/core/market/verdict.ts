/**
 * What an auditor commits to before it says what it found: bound to the audit and to itself, so that who copies it cannot reveal it.
 * Spec: docs/spec/market.md §8.
 * @module
 */
import { hexToBytes } from '@noble/hashes/utils.js'
import type { AccountId, Hash } from '../../base/brand.ts'
import { hashOf } from '../fields.ts'
import { taggedHasher } from '../hash.ts'
import { type AuditId, auditIdBytes } from '../state/audits.ts'

export interface Verdict {
  /** See `findingOf`; zeros: data was not to be had. */
  readonly finding: Hash
  /** 32 random bytes, or nobody is kept from trying findings. */
  readonly salt: Hash
}

const hashVerdict = taggedHasher('dllm/verdict')

export function verdictCommitment(audit: AuditId, auditor: AccountId, { finding, salt }: Verdict): Hash {
  return hashOf(hashVerdict(auditIdBytes(audit), hexToBytes(auditor), hexToBytes(finding), hexToBytes(salt)))
}
