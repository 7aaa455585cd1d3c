/**
 * What can go wrong between an auditor and the miner of an audited lot.
 * Spec: docs/spec/wire.md §6.
 * @module
 */
import { codeOf, HouseError, messageOf } from '../../base/error.ts'

export class AuditError extends HouseError<
  | 'AUDIT_UNKNOWN' // there is no such audit of a lot of ours, or the asker is none of its auditors
  | 'AUDIT_BUSY' // as many auditors are served as may be
  | 'AUDIT_NO_DATA' // the miner cannot be reached, refuses, or took too long
  | 'AUDIT_TOO_MANY' // more verdicts wait to be revealed than are kept
  | 'AUDIT_BAD_DATA' // what the miner sent is not what its receipts say
> {}

export function badData(why: string): AuditError {
  return new AuditError('AUDIT_BAD_DATA', `What the miner sent is not what its receipts say: ${why}.`)
}

/** Codes of what an engine says of input that no honest miner has in a receipt. */
const BAD_INPUT: readonly unknown[] = [
  'ENGINE_NOT_FINITE',
  'ENGINE_BAD_TOKEN',
  'ENGINE_BAD_POSITION',
  'ENGINE_BAD_INPUT',
  'SAMPLING_OUT_OF_RANGE',
  'RING_BAD_MESSAGE',
]

/** A failure that is the data's, as AUDIT_BAD_DATA; any other as it was: it is ours. */
export function asBadData(error: unknown): unknown {
  const code = codeOf(error)
  const isTheDatas = BAD_INPUT.includes(code) || code?.startsWith('CODEC_') === true
  return isTheDatas ? badData(messageOf(error)) : error
}
