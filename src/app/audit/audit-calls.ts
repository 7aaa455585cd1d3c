/**
 * The calls of audits. Knows no keys, fees or nodes. Spec: docs/spec/transactions.md §17–§19.
 * @module
 */
import type { AccountId } from '../../base/brand.ts'
import { type Verdict, verdictCommitment } from '../../core/market/verdict.ts'
import type { AuditId } from '../../core/state/audits.ts'
import { commitVerdict } from '../../core/transaction/commit-verdict.ts'
import { type OpenReceipt, openReceipt } from '../../core/transaction/open-receipt.ts'
import { revealVerdict } from '../../core/transaction/reveal-verdict.ts'
import type { ChainCall } from '../chain/calls.ts'

export function commitVerdictCall(audit: AuditId, auditor: AccountId, verdict: Verdict): ChainCall {
  const body = { audit, commitment: verdictCommitment(audit, auditor, verdict) }
  return { contract: commitVerdict, body, spends: 0n, lines: ['Commit to what an audit found'] }
}

export function revealVerdictCall(audit: AuditId, { finding, salt }: Verdict): ChainCall {
  return { contract: revealVerdict, body: { audit, finding, salt }, spends: 0n, lines: ['Reveal what an audit found'] }
}

export function openReceiptCall(body: OpenReceipt): ChainCall {
  return { contract: openReceipt, body, spends: 0n, lines: ['Open the receipt of an audited lot'] }
}
