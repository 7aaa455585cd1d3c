/**
 * Decoders of what a node keeps of the market's events, and of what else `dllm earnings` reads.
 * @module
 */
import fc from 'fast-check'
import { lastNoteIn } from '../../src/app/chain/earnings-machine.ts'
import { parseDate } from '../../src/app/chain/parse-date.ts'
import { decodeMarketRecord, encodeMarketRecord, type MarketRecord } from '../../src/app/node/market-record.ts'
import { marketPlaceBytes, readMarketPlace } from '../../src/app/node/store-keys.ts'
import type { PayEvent } from '../../src/core/market/events.ts'
import { audited, issued, settled } from '../market-samples.ts'
import { type Decoder, decoder, textDecoder } from './decoder.ts'
import { anyAccount, anyCount, anyHash, anyU32, anyU64, CODEC } from './fields.ts'

const owner = { operator: anyAccount, payout: anyAccount }
const anySettled = fc.record({
  ...{ type: fc.constant('settled' as const), lease: anyHash, payer: anyAccount, model: anyHash },
  lots: fc.array(
    fc.record({
      ...{ ...owner, end: fc.nat({ max: 0xffff }), units: anyU64, pay: anyU64 },
      state: fc.constantFrom('unclaimed' as const, 'claimed' as const, 'faulted' as const),
    }),
    { maxLength: 16 },
  ),
  ...{ charge: anyU64, treasury: anyU64, stakers: anyU64, burnt: anyU64, refund: anyU64 },
})
const anyResult = fc.oneof(
  fc.record({ type: fc.constant('pass' as const), units: anyU64, value: anyU64 }),
  fc.record({
    type: fc.constant('fault' as const),
    reason: fc.constantFrom('digest' as const, 'unavailable' as const, 'unopened' as const),
    ...{ slashed: anyU64, rewarded: anyU64 },
  }),
  fc.record({
    type: fc.constant('void' as const),
    reason: fc.constantFrom('too-few' as const, 'no-majority' as const),
  }),
)
const anyAudited = fc.record({
  ...{ type: fc.constant('audited' as const), lease: anyHash, lot: fc.nat({ max: 0xff }), window: anyU32 },
  ...{ model: anyHash, ...owner, result: anyResult },
  auditors: fc.array(
    fc.record({
      ...{ ...owner, grains: anyU64 },
      verdict: fc.constantFrom('right' as const, 'wrong' as const, 'undecided' as const),
    }),
    { maxLength: 8 },
  ),
})
const anyIssued = fc.record({
  ...{ type: fc.constant('issued' as const), epoch: anyCount, ...owner, value: anyU64, pay: anyU64 },
})
const anyRecord: fc.Arbitrary<MarketRecord> = fc.record({
  timeMs: anyCount,
  event: fc.oneof<fc.Arbitrary<PayEvent>[]>(anySettled, anyAudited, anyIssued),
})

const SAMPLES: readonly PayEvent[] = [
  settled(1),
  audited(2),
  audited(3, { result: { type: 'fault', reason: 'unopened', slashed: 90n, rewarded: 45n } }),
  audited(4, { result: { type: 'void', reason: 'no-majority' }, auditors: [] }),
  issued(7),
]

const NOTE = '{"event":"idle","timeMs":1763000000000,"text":"Idle: paused."}'

export const RECORD_ROWS: readonly Decoder[] = [
  decoder({
    name: 'market-record',
    covers: ['app/node/market-record.ts:decodeMarketRecord'],
    samples: () => SAMPLES.map((event) => encodeMarketRecord({ timeMs: 1_763_000_000_000, event }).slice()),
    decode: decodeMarketRecord,
    encode: (record) => encodeMarketRecord(record).slice(),
    values: anyRecord,
    codes: CODEC,
    bytesMax: 8 * 1024,
  }),
  decoder({
    name: 'market-place',
    covers: ['app/node/store-keys.ts:readMarketPlace'],
    samples: () => [marketPlaceBytes({ height: 9, position: 2 })],
    // The store gives back what was put.
    decode: (bytes) => (bytes.length === 12 ? readMarketPlace(bytes) : { height: 0, position: 0 }),
    codes: [],
    bytesMax: 64,
  }),
  textDecoder({
    name: 'date',
    covers: ['app/chain/parse-date.ts:parseDate'],
    samples: () => ['2026-11-21', '2026-11-21T06:30', '2024-02-29 23:59:59Z'],
    near: () => ['2026-02-30', '2026-11-21T24:00', '1969-12-31'],
    decode: parseDate,
    codes: ['DATE_BAD'],
    bytesMax: 256,
  }),
  textDecoder({
    name: 'mining-note',
    covers: ['app/chain/earnings-machine.ts:lastNoteIn'],
    samples: () => [`${NOTE}\n`, `${NOTE}\n{"event":"paid","timeMs":9,"text":"Paid."}\n`],
    near: () => ['{"event":"idle","timeMs":1.5,"text":"x"}', '{"event":"idle","timeMs":1}', 'null', '[]'],
    decode: (text) => lastNoteIn(text) ?? 'none',
    codes: [],
    bytesMax: 64 * 1024,
  }),
]
