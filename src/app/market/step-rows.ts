/**
 * What a step of a session is to payment and to receipts.
 * Spec: docs/spec/wire.md §4.8.
 * @module
 */
import type { StepRows } from '../../core/market/payment-window.ts'
import type { StageMessageOf } from '../../net/protocols/stage.ts'

type StepMessage = StageMessageOf<'step'>

/** Rows of steps that are acknowledged are a prompt's, others a decode step's. */
export function stepRowsOf({
  acknowledge,
  position,
  tokens,
}: Pick<StepMessage, 'acknowledge' | 'position' | 'tokens'>): StepRows {
  return { kind: acknowledge ? 'prompt' : 'decode', position, rows: tokens.length }
}

/** The steps that a step counts as: one of a prompt as it is, of one of decoding each row, as if there had been no drafts. */
export function countedSteps(step: StepMessage): StepMessage[] {
  const { acknowledge, position, tokens, rows } = step
  if (acknowledge || tokens.length <= 1) return [step]
  const width = rows.length / tokens.length
  return Array.from(tokens, (token, index) => ({
    ...step,
    position: position + index,
    tokens: Int32Array.of(token),
    rows: rows.subarray(index * width, (index + 1) * width),
  }))
}

/** Rows that a step may have, as it is counted, in a lease whose receipts cover `receiptRows`. */
export function stepRowsMax({ kind }: StepRows, receiptRows: number): number {
  return kind === 'prompt' ? receiptRows : 1
}
