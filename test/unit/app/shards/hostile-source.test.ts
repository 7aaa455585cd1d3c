/** A downloader against peers that break the rules: each is given up and judged, and nothing of theirs gets into the file. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createChunkKeeper } from '../../../../src/app/shards/chunk-keeper.ts'
import type { ChunkSource } from '../../../../src/app/shards/chunk-source.ts'
import { openChunkSource } from '../../../../src/app/shards/wire-chunk-source.ts'
import { hash } from '../../../../src/base/brand.ts'
import { DEADLINES, MODEL_LIMITS } from '../../../../src/base/limits.ts'
import { SHARD_LIMITS } from '../../../../src/base/swarm-limits.ts'
import { CHUNK_BYTES } from '../../../../src/ml/chunk-tree.ts'
import { createMemoryNetwork } from '../../../../src/net/memory-network.ts'
import {
  decodeShardQuestion,
  encodeShardAnswer,
  SHARD_PROTOCOL,
  SHARD_PROTOCOL_OPTIONS,
  type ShardAnswerBody,
  type ShardQuestion,
} from '../../../../src/net/protocols/shards.ts'
import type { Channel, Wire } from '../../../../src/net/wire.ts'
import { addressOf, codeFrom } from '../../../contract/wire-world.ts'
import { createFakeClock, type FakeClock, until } from '../../../fake-clock.ts'
import { createShardWorld, randomBytes, type ShardWorld, type TestFile, targetOf } from '../../../shard-world.ts'

const BYTES = CHUNK_BYTES + 1_000
const PIECE = SHARD_LIMITS.pieceBytesMax
const NEVER = new AbortController().signal
const LOG = { write: () => undefined }

let world: ShardWorld
let clock: FakeClock
let file: TestFile
let part: string
let server: Wire
let source: ChunkSource
let judged: string[]
let asked: ShardQuestion[]
/** What the peer does with a question. */
let react: (question: ShardQuestion, channel: Channel) => void

beforeEach(async () => {
  world = await createShardWorld()
  clock = createFakeClock()
  file = await world.file(BYTES)
  part = await world.part(BYTES)
  judged = []
  asked = []
  const network = createMemoryNetwork({ clock, log: LOG })
  server = network.createMemoryWire({ listen: true })
  const client = network.createMemoryWire({ listen: false })
  await server.handle(SHARD_PROTOCOL, SHARD_PROTOCOL_OPTIONS, async (channel) => {
    for (let message = await channel.receive(); message; message = await channel.receive()) {
      const question = decodeShardQuestion(message)
      asked.push(question)
      react(question, channel)
    }
  })
  const wire = {
    open: client.open.bind(client),
    judge: (_peer: unknown, conduct: string) => void judged.push(conduct),
  }
  source = await openChunkSource(addressOf(server), { wire, clock, log: LOG, keeper: createChunkKeeper() })
})
afterEach(async () => {
  await source.close()
  await server.stop()
  await world.close()
})

function chunk(index = 1): Promise<unknown> {
  return source.chunk(file, index, targetOf(file, index, part), NEVER)
}

/** Answers each question with these bodies. */
function answering(...bodies: ShardAnswerBody[]): typeof react {
  return ({ id }, channel) => {
    for (const body of bodies) channel.send(encodeShardAnswer({ id, ...body }))
  }
}

function piece(bytes: Uint8Array, { total = bytes.length, isLast = true } = {}): ShardAnswerBody {
  return { type: 'piece', isLast, total, bytes }
}

const SHORT = 1_000
const some = (bytes: number): Uint8Array => randomBytes(bytes, 9)

describe('a peer is given up and judged that sends', () => {
  test.each<readonly [string, () => Promise<unknown>, typeof react]>([
    ['a chunk that is too short', () => chunk(0), answering(piece(some(SHORT)))],
    ['a chunk that is too long', () => chunk(0), answering(piece(some(SHORT), { total: CHUNK_BYTES + 1 }))],
    ['a chunk that ends before its end', chunk, answering(piece(some(SHORT - 1), { total: SHORT }))],
    ['a chunk that goes on behind its end', chunk, answering(piece(some(SHORT), { isLast: false }))],
    ['more than the chunk', chunk, answering(piece(some(SHORT + 1), { total: SHORT }))],
    ['nothing without end', chunk, answering(piece(some(0), { total: SHORT, isLast: false }))],
    [
      'a chunk that changes its length',
      () => chunk(0),
      answering(
        piece(some(PIECE), { total: CHUNK_BYTES, isLast: false }),
        piece(some(PIECE), { total: CHUNK_BYTES - 1, isLast: false }),
      ),
    ],
    [
      'a chunk that says it is endless',
      () => chunk(0),
      answering(piece(some(PIECE), { total: 0xffff_ffff, isLast: false })),
    ],
    ['garbage', chunk, (_, channel) => channel.send(some(100))],
    ['an empty message', chunk, (_, channel) => channel.send(new Uint8Array(0))],
    [
      'an answer to nothing',
      chunk,
      ({ id }, channel) => channel.send(encodeShardAnswer({ id: id + 1, type: 'absent' })),
    ],
    ['a second answer', chunk, answering({ type: 'refused', code: 'X' }, { type: 'absent' })],
    ['a map for a chunk', chunk, answering({ type: 'holdings', map: Uint8Array.of(3) })],
    ['a link for a chunk', chunk, answering({ type: 'link', port: 2_000, ticket: some(16) })],
    ['a chunk for holdings', () => source.holdings(file, NEVER), answering(piece(some(1)))],
    ['a manifest of no bytes', () => source.manifest(file.root, NEVER), answering(piece(some(0)))],
    [
      'a manifest that is too long',
      () => source.manifest(file.root, NEVER),
      answering(piece(some(PIECE), { total: MODEL_LIMITS.manifestBytesMax + 1, isLast: false })),
    ],
  ])('%s', async (_, ask, behave) => {
    react = behave
    expect(await codeFrom(ask())).toMatch(/CHUNK_SOURCE_(?:LOST|REFUSED)/)
    await until(() => judged.length > 0, 'the peer is judged')
    expect(judged).toEqual(['misbehaved'])
    expect(await codeFrom(ask())).toBe('CHUNK_SOURCE_LOST')
    expect(await world.content(part)).toEqual(new Uint8Array(BYTES))
  })
})

describe('a manifest may lie about sizes, so that a peer is given up but not judged that sends', () => {
  test.each<readonly [string, () => Promise<unknown>, typeof react]>([
    ['a last chunk that is too short', chunk, answering(piece(some(SHORT - 1)))],
    ['a last chunk that is too long', chunk, answering(piece(some(SHORT + 1)))],
    ['a last chunk that is endless', chunk, answering(piece(some(PIECE), { total: 0xffff_ffff, isLast: false }))],
    ['too few leaves', () => source.leaves(file, NEVER), answering(piece(some(32)))],
    ['too many leaves', () => source.leaves(file, NEVER), answering(piece(some(96)))],
  ])('%s', async (_, ask, behave) => {
    react = behave
    expect(await codeFrom(ask())).toBe('CHUNK_SOURCE_LOST')
    expect(await codeFrom(ask())).toBe('CHUNK_SOURCE_LOST')
    expect(judged).toEqual([])
    expect(await world.content(part)).toEqual(new Uint8Array(BYTES))
  })
})

test.each([
  ['too long', Uint8Array.of(3, 0)],
  ['too short', new Uint8Array(0)],
  ['beyond the file', Uint8Array.of(7)],
])('holdings that are %s are those of a file with another size: there is nothing to have', async (_, map) => {
  react = answering({ type: 'holdings', map })
  expect(await source.holdings(file, NEVER)).toBeUndefined()
  expect(judged).toEqual([])
})

test('a chunk that is not what its leaf says is bad, and nothing of it is in the file', async () => {
  react = answering(piece(some(SHORT)))
  expect(await chunk()).toBe('bad')
  expect(judged).toEqual(['misbehaved'])
  expect(await codeFrom(chunk())).toBe('CHUNK_SOURCE_LOST')
  expect(await world.content(part)).toEqual(new Uint8Array(BYTES))
})

test('a manifest whose pages are of different ones is misbehaviour', async () => {
  const page = SHARD_LIMITS.pageBytesMax
  react = ({ id, ...question }, channel) => {
    if (question.type !== 'manifest') return
    const total = 2 * page + question.page
    for (let from = 0; from < page; from += PIECE) {
      channel.send(encodeShardAnswer({ id, ...piece(some(PIECE), { total, isLast: from + PIECE === page }) }))
    }
  }
  expect(await codeFrom(source.manifest(hash('ab'.repeat(32)), NEVER))).toBe('CHUNK_SOURCE_LOST')
  expect(judged).toEqual(['misbehaved'])
})

test('a peer that trickles is given up, and not judged', async () => {
  let sent = 0
  react = () => undefined
  const outcome = codeFrom(chunk(0))
  await until(() => asked.length === 1, 'the chunk is asked for')
  const [question] = asked
  const opened = await new Promise<Channel>((resolve) => {
    react = (_, channel) => resolve(channel)
    void source.holdings(file, NEVER).catch(() => undefined)
  })
  // A piece of 64 bytes each second: each time the peer seems to live.
  for (let second = 0; second < DEADLINES.shardFloorMs / 1_000; second++) {
    opened.send(encodeShardAnswer({ id: question!.id, ...piece(some(64), { total: CHUNK_BYTES, isLast: false }) }))
    sent++
    clock.advance(1_000)
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect(sent * 64).toBeLessThan((SHARD_LIMITS.floorBytesPerSecond * DEADLINES.shardFloorMs) / 1_000)
  expect(await outcome).toBe('CHUNK_SOURCE_LOST')
  expect(judged).toEqual([])
})

test.each(['holdings', 'leaves', 'chunk'] as const)(
  'a peer that never answers a question (%s) is given up',
  async (type) => {
    react = () => undefined
    const calls = { holdings: () => source.holdings(file, NEVER), leaves: () => source.leaves(file, NEVER), chunk }
    const outcome = codeFrom(calls[type]())
    await until(() => asked.length === 1, 'the question is asked')
    clock.advance(DEADLINES.shardFloorMs)
    expect(await outcome).toBe('CHUNK_SOURCE_LOST')
    expect(judged).toEqual([])
  },
)

test('what is left is told to the peer, keeps its number until its last answer, and its bytes are of no use', async () => {
  react = () => undefined
  const stop = new AbortController()
  const left = source.chunk(file, 1, targetOf(file, 1, part), stop.signal).catch((error: unknown) => error)
  await until(() => asked.length === 1, 'the chunk is asked for')
  stop.abort(new Error('enough'))
  expect(await left).toMatchObject({ message: 'enough' })
  const { id } = asked[0]!
  react = (question, channel) => {
    if (question.type === 'holdings') {
      channel.send(encodeShardAnswer({ id, ...piece(file.content.subarray(CHUNK_BYTES)) }))
      channel.send(encodeShardAnswer({ id: question.id, type: 'holdings', map: Uint8Array.of(1) }))
    }
  }
  expect(await source.holdings(file, NEVER)).toEqual(Uint8Array.of(1))
  expect(asked.map(({ type }) => type)).toEqual(['chunk', 'leave', 'holdings'])
  expect(asked[1]!.id).toBe(id)
  expect(judged).toEqual([])
  expect(await world.content(part)).toEqual(new Uint8Array(BYTES))
})

test('no more questions wait at a peer than it takes, however many are left', async () => {
  react = () => undefined
  for (let index = 0; index < SHARD_LIMITS.questionsMax; index++) {
    const stop = new AbortController()
    source.holdings(file, stop.signal).catch(() => undefined)
    stop.abort(new Error('enough'))
  }
  expect(await codeFrom(source.holdings(file, NEVER))).toBe('CHUNK_SOURCE_REFUSED')
})

test('a refusal is passed on without the words of the peer', async () => {
  react = answering({ type: 'refused', code: 'SHARDS_BUSY' })
  await expect(chunk()).rejects.toMatchObject({
    code: 'CHUNK_SOURCE_REFUSED',
    message: expect.stringContaining('SHARDS_BUSY'),
  })
  react = answering({ type: 'refused', code: '\u001b[2J' })
  await expect(chunk()).rejects.toMatchObject({ message: expect.stringContaining('without a code') })
  expect(judged).toEqual([])
})

test('more chunks at once than may be asked for is a bug of the caller', async () => {
  react = () => undefined
  const calls = Array.from({ length: SHARD_LIMITS.chunksAskedMax }, () => chunk().catch(() => undefined))
  await expect(chunk()).rejects.toThrow('no more chunks at a time')
  await source.close()
  await Promise.all(calls)
})
