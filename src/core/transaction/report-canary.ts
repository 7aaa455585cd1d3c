/**
 * Report-canary: a miner says whether its machine computes the canary of an approved model as its publisher did. A later report takes the
 * place of an earlier one; where there are as many as can be, one with the lowest deposit makes room. Spec: docs/spec/transactions.md §21.
 * @module
 */
import type { Hash } from '../../base/brand.ts'
import { MARKET_LIMITS } from '../../base/chain-limits.ts'
import { readHash, writeHash } from '../fields.ts'
import { type CanaryReportId, getCanaryReport, putCanaryReport } from '../state/canary-reports.ts'
import { type Room, removeReports, roomForReport } from '../state/registry.ts'
import type { ReadState } from '../state/state.ts'
import type { Contract } from './contract.ts'
import { TransactionError } from './contract.ts'
import { dllm, requireMiner, requireModel, requireServingMiner } from './refusals.ts'

export interface ReportCanary {
  /** Hash of the manifest. */
  readonly model: Hash
  readonly passed: boolean
}

export const reportCanary: Contract<ReportCanary> = {
  type: 20,
  name: 'report-canary',
  read: (reader) => ({ model: readHash(reader), passed: reader.flag() }),
  write(writer, { model, passed }) {
    writeHash(writer, model).u8(passed ? 1 : 0)
  },
  // Of a full table each report and its miner's deposit are read, twice.
  units: () => 240,
  validate({ sender, body: { model } }, state, context) {
    requireServingMiner(state, sender, context)
    const { status, canary } = requireModel(state, model)
    if (status !== 'approved') {
      const sentence = `Only a model that a vote approved and that is not active yet has its canary run; this one is ${status}.`
      throw new TransactionError('MODEL_NOT_APPROVED', sentence, { details: { status } })
    }
    if (canary === undefined) {
      throw new TransactionError(
        'NO_CANARY',
        'This model came without a canary: there is nothing to report. Place yourself on it.',
      )
    }
    const room = roomOf(state, { model, operator: sender })
    if (room?.type === 'full') throw reportsFull(room.lowest)
  },
  apply({ sender, body: { model, passed } }, state) {
    const id = { model, operator: sender }
    const room = roomOf(state, id)
    if (room?.type === 'room') removeReports(state, model, room.goes)
    putCanaryReport(state, id, passed)
  },
  describe: ({ model, passed }) => ({ model, passed }),
  touches: () => [],
}

/** undefined: there is a report already, whose place the new one takes. */
function roomOf(state: ReadState, id: CanaryReportId): Room | undefined {
  if (getCanaryReport(state, id) !== undefined) return undefined
  return roomForReport(state, id.model, requireMiner(state, id.operator).deposit)
}

/** `lowest`: deposit of the report that gives way to a larger one. */
function reportsFull(lowest: bigint): TransactionError {
  const sentence = `${MARKET_LIMITS.canaryReportsMax} miners reported on this model already, as many as can, and none has a lower deposit than this one. One of ${dllm(lowest)} gives way to a larger deposit.`
  return new TransactionError('REPORTS_FULL', sentence, { details: { lowest: String(lowest) } })
}
