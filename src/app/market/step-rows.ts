/**
 * What a step of a session is to payment and to receipts.
 * Spec: docs/spec/wire.md §4.8.
 * @module
 */
import type { StepRows } from '../../core/market/payment-window.ts'
import type { StageMessageOf } from '../../net/protocols/stage.ts'

/** Rows of steps that are acknowledged are a prompt's, others a decode step's. */
export function stepRowsOf({
  acknowledge,
  position,
  tokens,
}: Pick<StageMessageOf<'step'>, 'acknowledge' | 'position' | 'tokens'>): StepRows {
  return { kind: acknowledge ? 'prompt' : 'decode', position, rows: tokens.length }
}

/** Rows that a step may have in a lease whose receipts cover `receiptRows`. */
export function stepRowsMax({ kind }: StepRows, receiptRows: number): number {
  return kind === 'prompt' ? receiptRows : 1
}
