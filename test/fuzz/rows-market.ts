/**
 * Decoders of what the market's contracts are called with, and of the records that they keep in the state.
 * @module
 */
import fc from 'fast-check'
import { hash } from '../../src/base/brand.ts'
import { MARKET_LIMITS } from '../../src/base/chain-limits.ts'
import {
  type Device,
  deviceNumber,
  type MinerRecord,
  type MinerStatus,
  putMiner,
  readDevice,
  readMiner,
} from '../../src/core/state/miners.ts'
import {
  type ModelStatus,
  putModel,
  readLineage,
  readModel,
  readSegments,
  writeLineage,
  writeSegments,
} from '../../src/core/state/models.ts'
import { putPlacement, readPlacement } from '../../src/core/state/placements.ts'
import { person } from '../chain-accounts.ts'
import type { Decoder } from './decoder.ts'
import { anyAccount, anyCount, anyHash, anySignature, anyU32, anyU64, bytesOf, textOf, written } from './fields.ts'
import { contractRow, recordOf, recordRow } from './rows-contract.ts'

const anyU16 = fc.nat({ max: 0xffff })
const name = textOf(MARKET_LIMITS.modelNameBytesMax)
const device = fc.constantFrom<Device>('cpu', 'gpu')
const segments = fc.array(fc.record({ linear: anyU64, attention: anyU64 }), { maxLength: MARKET_LIMITS.segmentsMax })
const maybeHash = fc.option(anyHash, { nil: undefined })
const canary = fc.option(fc.record({ root: anyHash, bytes: anyCount }), { nil: undefined })
const lineage = { predecessor: maybeHash, canary }
const terms = {
  ...{ first: anyU16, end: anyU16, bid: anyU64, until: anyCount, incarnation: anyU64 },
}

/** By the type of the contract. */
const BODIES: Readonly<Record<number, fc.Arbitrary<unknown>>> = {
  8: fc.record({ model: anyHash, name, context: anyU32, price: anyU64, segments, ...lineage }),
  9: fc.record({ model: anyHash }),
  10: fc.record({ payout: anyAccount, peerKey: bytesOf(32), device, deposit: anyU64, proof: anySignature }),
  11: fc.record({ amount: anyU64 }),
  12: fc.record({ model: anyHash, slots: anyU16, ...terms, displaces: fc.boolean() }),
  19: fc.record({ model: anyHash, activationHeight: anyCount }),
  20: fc.record({ model: anyHash, passed: fc.boolean() }),
}

const anyMiner: fc.Arbitrary<MinerRecord> = fc.record({
  ...{ payout: anyAccount, peerKey: bytesOf(32), device, deposit: anyU64, locked: anyU64, openLots: anyU32 },
  // What is draining without deposit and lots has no record.
  status: fc.constantFrom<MinerStatus>('active', 'slashed-out'),
  ...{ registeredHeight: anyCount, workRate: anyU64, reliability: anyU16, auditedReceipts: anyU32 },
  ...{ workValue: anyU64, day: anyU32 },
  dailyUnits: fc.array(anyU64, { minLength: MARKET_LIMITS.powerDays, maxLength: MARKET_LIMITS.powerDays }),
})

const WHO = person(1).id
const MODEL = hash('ab'.repeat(32))

export const MARKET_ROWS: readonly Decoder[] = [
  ...Object.entries(BODIES).map(([type, values]) => contractRow(Number(type), values)),
  recordRow({
    ...{ name: 'record-model', covers: 'core/state/models.ts:readModel', read: readModel },
    encode: (model) => recordOf((state) => putModel(state, MODEL, model)),
    values: fc.record({
      ...{ publisher: anyAccount, deposit: anyU64, name, context: anyU32, price: anyU64, segments },
      status: fc.constantFrom<ModelStatus>('active', 'retired', 'published', 'approved', 'superseded'),
      ...{ registeredHeight: anyCount, ...lineage, successor: maybeHash, tries: anyU32 },
      dueHeight: fc.option(anyCount, { nil: undefined }),
    }),
  }),
  recordRow({
    ...{ name: 'record-segments', covers: 'core/state/models.ts:readSegments', read: readSegments, values: segments },
    encode: (value) => written((writer) => writeSegments(writer, value)),
  }),
  recordRow({
    ...{ name: 'record-lineage', covers: 'core/state/models.ts:readLineage', read: readLineage },
    encode: (value) => written((writer) => writeLineage(writer, value)),
    values: fc.record(lineage),
  }),
  recordRow({
    ...{ name: 'record-miner', covers: 'core/state/miners.ts:readMiner', read: readMiner, values: anyMiner },
    encode: (miner) => recordOf((state) => putMiner(state, WHO, miner)),
  }),
  recordRow({
    ...{ name: 'record-device', covers: 'core/state/miners.ts:readDevice', read: readDevice, values: device },
    encode: (value) => written((writer) => writer.u8(deviceNumber(value))),
  }),
  recordRow({
    ...{ name: 'record-placement', covers: 'core/state/placements.ts:readPlacement', read: readPlacement },
    encode: (placement) => recordOf((state) => putPlacement(state, { model: MODEL, operator: WHO }, placement)),
    // What has neither slots nor lots has no record.
    values: fc.record({ ...terms, slots: fc.integer({ min: 1, max: 0xffff }), used: anyU16 }),
  }),
]
