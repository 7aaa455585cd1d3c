/**
 * Decoders of what peers send that is not of the chain's own types, and of what models are made of.
 * @module
 */
import fc from 'fast-check'
import { decodeSnapshot, encodeSnapshot } from '../../src/app/node/snapshot-format.ts'
import { publicKeyOfPeer } from '../../src/app/node-identity.ts'
import { peerId } from '../../src/base/brand.ts'
import { CHAIN_LIMITS, STATE_LIMITS, SYNC_LIMITS } from '../../src/base/chain-limits.ts'
import { WIRE_LIMITS } from '../../src/base/limits.ts'
import { acceptMarker, createFrameDecoder, encodeFrame, endMarker } from '../../src/net/frame.ts'
import { createNodeKey, parseNodeKey } from '../../src/net/node-key.ts'
import {
  type ChainAnswer,
  type ChainQuestion,
  decodeAnswer,
  decodeQuestion,
  encodeAnswer,
  encodeQuestion,
} from '../../src/net/protocols/chain.ts'
import { decodeStageMessage, encodeStageMessage } from '../../src/net/protocols/stage.ts'
import { decodeStatus, encodeStatus } from '../../src/net/protocols/status.ts'
import { anyStageMessage, stageMessages, status } from '../unit/net/messages.ts'
import { type Decoder, decoder, textDecoder } from './decoder.ts'
import { anyCount, anyHash, bytesOf, CODEC, textOf } from './fields.ts'

const of = <Type extends ChainQuestion['type']>(type: Type): fc.Arbitrary<Type> => fc.constant(type)
const u16 = fc.nat({ max: 0xffff })
const some = (most: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ maxLength: Math.min(most, 80) })

const anyQuestion: fc.Arbitrary<ChainQuestion> = fc.oneof(
  fc.record({ type: fc.constantFrom('head' as const, 'snapshot' as const, 'waiting' as const) }),
  fc.record({ type: fc.constantFrom('blocks' as const, 'headers' as const), from: anyCount, count: u16 }),
  fc.record({ type: of('consensus'), summary: some(SYNC_LIMITS.summaryBytesMax) }),
  fc.record({ type: of('snapshot-part'), height: anyCount, index: fc.nat({ max: 0xffff_ffff }) }),
  fc.record({ type: of('state'), key: some(SYNC_LIMITS.stateKeyBytesMax) }),
  fc.record({ type: of('transaction'), id: anyHash }),
  fc.record({ type: of('submit'), transaction: some(CHAIN_LIMITS.transactionBytesMax) }),
  fc.record({ type: of('history'), account: bytesOf(20), count: u16 }),
  fc.record({ type: of('models'), name: textOf(20) }),
)
const anyHead = fc.record({ networkId: anyHash, height: anyCount, blockHash: anyHash, oldestHeight: anyCount })
const anyAnswer: fc.Arbitrary<ChainAnswer> = fc.oneof(
  fc.record({ type: fc.constant('items' as const), head: anyHead, items: fc.array(some(80), { maxLength: 6 }) }),
  fc.record({ type: fc.constant('refused' as const), code: textOf(60), message: textOf(300) }),
)
const anyPosition = fc
  .integer({ min: 0, max: STATE_LIMITS.partDepthBitsMax })
  .chain((depthBits) => fc.record({ depthBits: fc.constant(depthBits), index: fc.nat({ max: 2 ** depthBits - 1 }) }))
const anySnapshot = fc.record({ height: anyCount, positions: fc.array(anyPosition, { maxLength: 8 }) })

const sampled = <Value>(values: fc.Arbitrary<Value>, encode: (value: Value) => Uint8Array, count = 8) => {
  return (): Uint8Array[] => fc.sample(values, { seed: 1, numRuns: count }).map(encode)
}

type Frame = Uint8Array | 'accept' | 'end'
interface Frames {
  readonly found: readonly Frame[]
  /** The beginning of a frame that has not ended. */
  readonly rest: Uint8Array
}

const FRAME_BYTES_MAX = 1_000
const encodeOneFrame = (frame: Frame): Uint8Array => {
  if (frame === 'accept') return acceptMarker()
  return frame === 'end' ? endMarker() : encodeFrame(frame)
}
const encodeFrames = ({ found, rest }: Frames): Uint8Array =>
  new Uint8Array(Buffer.concat([...found.map(encodeOneFrame), rest]))

function decodeFrames(bytes: Uint8Array): Frames {
  const found: Frame[] = []
  const push = createFrameDecoder(FRAME_BYTES_MAX, {
    message: (message) => found.push(message),
    accept: () => found.push('accept'),
    end: () => found.push('end'),
  })
  push(bytes)
  return { found, rest: bytes.slice(encodeFrames({ found, rest: new Uint8Array(0) }).length) }
}

const anyFrames: fc.Arbitrary<Frames> = fc.record({
  found: fc.array(fc.oneof(some(60), fc.constantFrom<Frame>('accept', 'end')), { maxLength: 6 }),
  rest: fc.constantFrom(new Uint8Array(0), Uint8Array.of(9, 0, 0, 0, 1)),
})

const nodeKey = await createNodeKey({ bytes: (count) => new Uint8Array(count).fill(7) })

export const PEER_ROWS: readonly Decoder[] = [
  decoder({
    name: 'question',
    covers: ['net/protocols/chain.ts:decodeQuestion'],
    samples: sampled(anyQuestion, encodeQuestion, 16),
    decode: decodeQuestion,
    encode: encodeQuestion,
    values: anyQuestion,
    codes: CODEC,
    bytesMax: SYNC_LIMITS.answerBytesMax,
  }),
  decoder({
    name: 'answer',
    covers: ['net/protocols/chain.ts:decodeAnswer'],
    samples: sampled(anyAnswer, encodeAnswer),
    decode: decodeAnswer,
    encode: encodeAnswer,
    values: anyAnswer,
    codes: CODEC,
    bytesMax: SYNC_LIMITS.answerBytesMax,
  }),
  decoder({
    name: 'snapshot',
    covers: ['app/node/snapshot-format.ts:decodeSnapshot'],
    samples: sampled(anySnapshot, encodeSnapshot),
    decode: decodeSnapshot,
    encode: encodeSnapshot,
    values: anySnapshot,
    codes: CODEC,
    bytesMax: SYNC_LIMITS.answerBytesMax,
  }),
  decoder({
    name: 'stage-message',
    covers: [
      'net/protocols/stage.ts:decodeStageMessage',
      'net/protocols/stage-open.ts:readOpen',
      'net/protocols/generation.ts:readGeneration',
      'net/protocols/statistics.ts:readStatistics',
    ],
    samples: () =>
      Object.values(stageMessages).flatMap((kind) => sampled<never>(kind as never, encodeStageMessage, 2)()),
    decode: decodeStageMessage,
    encode: encodeStageMessage,
    values: anyStageMessage,
    codes: CODEC,
    bytesMax: WIRE_LIMITS.stageMessageBytesMax,
  }),
  decoder({
    name: 'status',
    covers: ['net/protocols/status.ts:decodeStatus'],
    samples: sampled(status, encodeStatus),
    decode: decodeStatus,
    encode: encodeStatus,
    values: status,
    codes: CODEC,
    bytesMax: WIRE_LIMITS.statusMessageBytesMax,
  }),
  decoder({
    name: 'frames',
    covers: ['net/frame.ts:createFrameDecoder'],
    samples: sampled(anyFrames, encodeFrames),
    decode: decodeFrames,
    encode: encodeFrames,
    values: anyFrames,
    codes: ['WIRE_MESSAGE_TOO_LONG'],
    bytesMax: 64 * 1024,
  }),
  decoder({
    name: 'node-key',
    covers: ['net/node-key.ts:parseNodeKey'],
    samples: () => [nodeKey],
    decode: async (bytes) => (await parseNodeKey(bytes)).type,
    codes: ['NODE_KEY_BAD'],
    bytesMax: 1_024,
    cost: 4,
  }),
  textDecoder({
    name: 'peer-id',
    covers: ['app/node-identity.ts:publicKeyOfPeer'],
    samples: () => ['12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5'],
    decode: (text) => publicKeyOfPeer(peerId(text)),
    codes: [],
    bytesMax: WIRE_LIMITS.addressCharactersMax,
  }),
]
