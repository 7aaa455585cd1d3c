/**
 * Report-canary: a miner says whether its machine computes the canary of an approved model as its publisher did. A later report takes the
 * place of an earlier one. Spec: docs/spec/transactions.md §21.
 * @module
 */
import type { Hash } from '../../base/brand.ts'
import { MARKET_LIMITS } from '../../base/chain-limits.ts'
import { readHash, writeHash } from '../fields.ts'
import { getCanaryReport, putCanaryReport } from '../state/canary-reports.ts'
import { hasRoomForReport, makeRoomForReport } from '../state/registry.ts'
import type { Contract } from './contract.ts'
import { TransactionError } from './contract.ts'
import { requireModel, requireServingMiner } from './refusals.ts'

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
  units: () => 20,
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
    if (getCanaryReport(state, { model, operator: sender }) === undefined && !hasRoomForReport(state, model)) {
      const sentence = `${MARKET_LIMITS.canaryReportsMax} miners reported on this model already, as many as can. More are not needed.`
      throw new TransactionError('REPORTS_FULL', sentence)
    }
  },
  apply({ sender, body: { model, passed } }, state) {
    const id = { model, operator: sender }
    if (getCanaryReport(state, id) === undefined) makeRoomForReport(state, model)
    putCanaryReport(state, id, passed)
  },
  describe: ({ model, passed }) => ({ model, passed }),
  touches: () => [],
}
