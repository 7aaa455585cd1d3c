/**
 * Arbitrary protocol messages for property tests: every type, every field over its whole range.
 * @module
 */
import fc from 'fast-check'
import { hash, peerId, sessionId } from '../../../src/base/brand.ts'
import { CodecError } from '../../../src/base/codec.ts'
import { MODEL_LIMITS, SESSION_LIMITS } from '../../../src/base/limits.ts'
import type { Generation } from '../../../src/net/protocols/generation.ts'
import type { StageMessage, StageMessageOf, StageMessageType } from '../../../src/net/protocols/stage.ts'
import type { StageStatistics } from '../../../src/net/protocols/statistics.ts'
import type { Offer, Status, ToldOffer } from '../../../src/net/protocols/status.ts'

const u32 = fc.integer({ min: 0, max: 0xffff_ffff })
const f64 = fc.double()
const text = (bytesMax: number) => fc.string({ maxLength: Math.floor(bytesMax / 3), unit: 'binary' })
const hexOf = (bytes: number) =>
  fc.uint8Array({ minLength: bytes, maxLength: bytes }).map((raw) => Buffer.from(raw).toString('hex'))
const model = hexOf(32).map(hash)
const session = hexOf(16).map(sessionId)
const peer = text(128).map(peerId)
const addresses = fc.array(text(64), { maxLength: 4 })
const token = fc.integer({ min: 0, max: MODEL_LIMITS.vocabularyMax - 1 })
const tokens = fc.array(token, { maxLength: 20 }).map((ids) => Int32Array.from(ids))

export const generation: fc.Arbitrary<Generation> = fc.record({
  maxTokens: u32,
  temperature: f64,
  topK: u32,
  topP: f64,
  minP: f64,
  repetitionPenalty: f64,
  seed: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  withDigests: fc.boolean(),
})

export const statistics: fc.Arbitrary<StageStatistics> = fc.record({
  steps: f64,
  rows: f64,
  computeMs: f64,
  queueMs: f64,
  bytesReceived: f64,
  bytesSent: f64,
  drafts: f64,
  draftsKept: f64,
  recalled: f64,
})

const bytesOf = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
const voucher = bytesOf(168)
const lease = fc.record({ id: model, proof: bytesOf(64), voucher: fc.option(voucher, { nil: undefined }) })
const stage = fc.record({ peer, addresses, firstSegment: u32, lastSegment: u32 })

/** One arbitrary per type; the compiler asks for a new one with each new type. */
export const stageMessages: { readonly [Type in StageMessageType]: fc.Arbitrary<StageMessageOf<Type>> } = {
  open: fc.record({
    type: fc.constant('open' as const),
    session,
    model,
    stageIndex: u32,
    stages: fc.array(stage, { maxLength: 4 }),
    capacity: u32,
    lease: fc.option(lease, { nil: undefined }),
  }),
  prompt: fc.record({
    type: fc.constant('prompt' as const),
    turn: u32,
    position: u32,
    tokens,
    chunkTokens: u32,
    draftsMax: u32,
    generation,
  }),
  cancel: fc.record({ type: fc.constant('cancel' as const), turn: u32 }),
  'ask-statistics': fc.record({ type: fc.constant('ask-statistics' as const) }),
  ready: fc.record({ type: fc.constant('ready' as const) }),
  statistics: fc.record({ type: fc.constant('statistics' as const), statistics }),
  failed: fc.record({ type: fc.constant('failed' as const), code: text(64), message: text(600) }),
  link: fc.record({ type: fc.constant('link' as const), session }),
  step: fc.record({
    type: fc.constant('step' as const),
    turn: u32,
    position: u32,
    sample: fc.boolean(),
    acknowledge: fc.boolean(),
    generation: fc.option(generation, { nil: undefined }),
    tokens,
    rows: fc.uint8Array({ maxLength: 64 }),
  }),
  acknowledge: fc.record({ type: fc.constant('acknowledge' as const), turn: u32 }),
  token: fc
    .record({
      type: fc.constant('token' as const),
      turn: u32,
      position: u32,
      drawn: fc.array(fc.tuple(token, model), { minLength: 1, maxLength: SESSION_LIMITS.windowRowsMax }),
      hasDigests: fc.boolean(),
    })
    .map(({ drawn, hasDigests, ...rest }) => ({
      ...rest,
      tokens: Int32Array.from(drawn, ([id]) => id),
      digests: hasDigests ? drawn.map(([, digest]) => digest) : [],
    })),
  end: fc.record({
    type: fc.constant('end' as const),
    turn: u32,
    reason: fc.constantFrom('end-token' as const, 'max-tokens' as const, 'context-full' as const),
    position: u32,
  }),
  voucher: fc.record({ type: fc.constant('voucher' as const), voucher }),
  keep: fc.record({ type: fc.constant('keep' as const), turn: u32, position: u32 }),
  progress: fc.record({ type: fc.constant('progress' as const), turn: u32, position: u32 }),
  countersignature: fc.record({ type: fc.constant('countersignature' as const), window: u32, signature: bytesOf(64) }),
}

export const anyStageMessage: fc.Arbitrary<StageMessage> = fc.oneof(...Object.values(stageMessages))

export const offer: fc.Arbitrary<Offer> = fc.record({
  peer,
  addresses,
  model,
  modelName: text(64),
  segmentCount: u32,
  firstSegment: u32,
  lastSegment: u32,
  stepMicros: u32,
  prefillMicros: u32,
  sessionsFree: u32,
  device: text(128),
  roundTrips: fc.array(fc.record({ peer, micros: u32 }), { maxLength: 4 }),
  incarnation: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  sequence: u32,
})

const told: fc.Arbitrary<ToldOffer> = fc.record({
  offer,
  signature: fc.uint8Array({ minLength: 64, maxLength: 64 }),
  ageMs: f64,
})

export const status: fc.Arbitrary<Status> = fc.record({
  networkId: text(128),
  version: text(128),
  sessions: u32,
  offers: fc.array(told, { maxLength: 4 }),
  total: statistics,
  latest: statistics,
})

/** Throws unless `decode` gives a value or a CodecError for these bytes, and whatever it gives encodes to them again. */
export function decodesOrRefuses<Value>(
  bytes: Uint8Array,
  { decode, encode }: { decode: (bytes: Uint8Array) => Value; encode: (value: Value) => Uint8Array },
): void {
  let value: Value
  try {
    value = decode(bytes)
  } catch (error) {
    if (error instanceof CodecError) return
    throw error
  }
  const again = encode(value)
  // A NaN has many bit patterns, and a program may not keep them apart.
  if (Buffer.compare(again, bytes) !== 0 && !hasNaN(value)) throw new Error('two encodings of one value')
}

function hasNaN(value: unknown): boolean {
  if (typeof value === 'object' && value !== null) return Object.values(value).some(hasNaN)
  return Number.isNaN(value)
}
