/** The shard server against peers of every kind, over channels in memory. */
import { truncate } from 'node:fs/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { serveShards } from '../../../../src/app/shards/shard-server.ts'
import { createUploadBudget, type UploadBudget } from '../../../../src/app/shards/upload-budget.ts'
import { type Hash, hash } from '../../../../src/base/brand.ts'
import { DEADLINES } from '../../../../src/base/limits.ts'
import { SHARD_LIMITS } from '../../../../src/base/swarm-limits.ts'
import { CHUNK_BYTES } from '../../../../src/ml/chunk-tree.ts'
import { createMemoryNetwork } from '../../../../src/net/memory-network.ts'
import {
  decodeShardAnswer,
  encodeShardQuestion,
  SHARD_PROTOCOL,
  SHARD_PROTOCOL_OPTIONS,
  type ShardAnswer,
  type ShardQuestion,
  type ShardQuestionBody,
} from '../../../../src/net/protocols/shards.ts'
import type { Channel, Wire } from '../../../../src/net/wire.ts'
import { addressOf, codeFrom } from '../../../contract/wire-world.ts'
import { createFakeClock, type FakeClock, until } from '../../../fake-clock.ts'
import { createShardWorld, randomBytes, type ShardWorld, servedFiles, type TestFile } from '../../../shard-world.ts'

const BYTES = 2 * CHUNK_BYTES + 500
const LAST = 2
const UNKNOWN = hash('ee'.repeat(32))
const MODEL = hash('aa'.repeat(32))
const MANIFEST = randomBytes(SHARD_LIMITS.pageBytesMax + 9, 3)

let world: ShardWorld
let clock: FakeClock
let file: TestFile
let served: ReturnType<typeof servedFiles>
let budget: UploadBudget
let server: Wire
let judged: string[]
let openChannel: () => Promise<Channel>

beforeEach(async () => {
  world = await createShardWorld()
  clock = createFakeClock()
  file = await world.file(BYTES)
  served = servedFiles([file], new Map<Hash, Uint8Array>([[MODEL, MANIFEST]]))
  budget = createUploadBudget({ whileServing: 1_024 * 1_024 }, clock)
  judged = []
  const log = { write: () => undefined }
  const network = createMemoryNetwork({ clock, log })
  server = network.createMemoryWire({ listen: true })
  const wire = {
    handle: server.handle.bind(server),
    judge: (_peer: unknown, conduct: string) => void judged.push(conduct),
  }
  await serveShards(wire, { files: served, budget }, { clock, log })
  openChannel = () =>
    network.createMemoryWire({ listen: false }).open(addressOf(server), SHARD_PROTOCOL, SHARD_PROTOCOL_OPTIONS)
})
afterEach(async () => {
  await server.stop()
  await world.close()
})

function ask(channel: Channel, question: ShardQuestion): void {
  channel.send(encodeShardQuestion(question))
}

async function next(channel: Channel): Promise<ShardAnswer> {
  const message = await channel.receive()
  if (message === undefined) throw new Error('the channel has ended')
  return decodeShardAnswer(message)
}

/** All of the answer: its last part, and the bytes of all pieces. */
async function whole(channel: Channel, body: ShardQuestionBody): Promise<ShardAnswer & { readonly bytes: Uint8Array }> {
  ask(channel, { id: 1, ...body })
  const pieces: Uint8Array[] = []
  for (;;) {
    const answer = await next(channel)
    if (answer.type === 'piece') pieces.push(answer.bytes)
    if (answer.type !== 'piece' || answer.isLast) return { ...answer, bytes: Buffer.concat(pieces) } as never
  }
}

/** Asks until the channel breaks; its code. */
async function broken(channel: Channel): Promise<string | undefined> {
  for (;;) {
    const code = await codeFrom(channel.receive())
    if (code !== 'no error') return code
  }
}

test('a chunk comes in pieces, each of which says how long the whole is', async () => {
  const channel = await openChannel()
  ask(channel, { id: 7, type: 'chunk', root: file.root, index: 0 })
  const lengths: number[] = []
  for (let isLast = false; !isLast; ) {
    const answer = await next(channel)
    if (answer.type !== 'piece') throw new Error(answer.type)
    expect([answer.id, answer.total]).toEqual([7, CHUNK_BYTES])
    lengths.push(answer.bytes.length)
    isLast = answer.isLast
  }
  expect(new Set(lengths)).toEqual(new Set([SHARD_LIMITS.pieceBytesMax]))
  expect(lengths.length).toBe(CHUNK_BYTES / SHARD_LIMITS.pieceBytesMax)
})

describe.each<readonly [string, ShardQuestionBody]>([
  ['a chunk of an unknown file', { type: 'chunk', root: UNKNOWN, index: 0 }],
  ['a chunk behind the last', { type: 'chunk', root: file0(), index: LAST + 1 }],
  ['the largest chunk there may be', { type: 'chunk', root: file0(), index: 0xffff_ffff }],
  ['leaves of an unknown file', { type: 'leaves', root: UNKNOWN, page: 0 }],
  ['a page of leaves behind the last', { type: 'leaves', root: file0(), page: 1 }],
  ['the largest page there may be', { type: 'leaves', root: file0(), page: 0xffff_ffff }],
  ['holdings of an unknown file', { type: 'holdings', root: UNKNOWN }],
  ['an unknown manifest', { type: 'manifest', model: UNKNOWN, page: 0 }],
  ['a page of a manifest behind the last', { type: 'manifest', model: MODEL, page: 2 }],
  ['a link where there are none', { type: 'link' }],
])('who asks for %s', (_, body) => {
  test('hears that it is not there, and is not judged', async () => {
    const channel = await openChannel()
    const question = 'root' in body && body.root === file0() ? { ...body, root: file.root } : body
    expect((await whole(channel, question)).type).toBe('absent')
    expect(judged).toEqual([])
  })
})

/** Stands for the root of the test's file, which is not there yet when the table is made. */
function file0(): Hash {
  return hash('00'.repeat(32))
}

test('a manifest comes page by page', async () => {
  const channel = await openChannel()
  const pages = [
    await whole(channel, { type: 'manifest', model: MODEL, page: 0 }),
    await whole(channel, { type: 'manifest', model: MODEL, page: 1 }),
  ]
  expect(Buffer.compare(Buffer.concat(pages.map(({ bytes }) => bytes)), MANIFEST)).toBe(0)
})

test('no chunk is served that is not in the map of an unfinished file', async () => {
  served.maps.set(file.root, Uint8Array.of(0b100))
  const channel = await openChannel()
  for (const index of [0, 1]) {
    expect((await whole(channel, { type: 'chunk', root: file.root, index })).type).toBe('absent')
  }
  expect((await whole(channel, { type: 'chunk', root: file.root, index: LAST })).bytes.length).toBe(500)
})

test('a file that was cut or is gone is absent, and the channel goes on', async () => {
  await truncate(file.path, CHUNK_BYTES + 5)
  const channel = await openChannel()
  expect((await whole(channel, { type: 'chunk', root: file.root, index: 1 })).type).toBe('absent')
  expect((await whole(channel, { type: 'chunk', root: file.root, index: 0 })).bytes.length).toBe(CHUNK_BYTES)
})

test.each<readonly [string, (channel: Channel) => void]>([
  ['garbage', (channel) => channel.send(randomBytes(40, 2))],
  ['an empty message', (channel) => channel.send(new Uint8Array(0))],
  [
    'a question with more behind it',
    (channel) => channel.send(Buffer.concat([encodeShardQuestion({ id: 1, type: 'link' }), Buffer.of(0)])),
  ],
  [
    'two questions of one number',
    (channel) => {
      ask(channel, { id: 1, type: 'chunk', root: file.root, index: 0 })
      ask(channel, { id: 1, type: 'chunk', root: file.root, index: 1 })
    },
  ],
  [
    'a thousand questions at once',
    (channel) => {
      for (let id = 0; id < 1_000; id++) ask(channel, { id, type: 'chunk', root: file.root, index: 0 })
    },
  ],
])('a peer that sends %s loses its channel and is judged; others are served', async (_, attack) => {
  const [rude, polite] = [await openChannel(), await openChannel()]
  budget.noteStep()
  await codeFrom(async () => attack(rude))
  expect(await broken(rude)).toBe('WIRE_CHANNEL_CUT')
  expect(judged).toEqual(['misbehaved'])
  expect((await whole(polite, { type: 'holdings', root: file.root })).type).toBe('holdings')
})

test('what was left gets a last answer, and its pieces stop', async () => {
  budget.noteStep()
  const channel = await openChannel()
  ask(channel, { id: 1, type: 'chunk', root: file.root, index: 0 })
  ask(channel, { id: 2, type: 'chunk', root: file.root, index: 1 })
  for (const id of [1, 2, 99]) ask(channel, { id, type: 'leave' })
  ask(channel, { id: 3, type: 'chunk', root: file.root, index: LAST })
  const answers: ShardAnswer[] = []
  const reading = (async () => {
    while (answers.at(-1)?.id !== 3) answers.push(await next(channel))
  })()
  await until(() => {
    clock.advance(20)
    return answers.at(-1)?.id === 3
  }, 'the last one is answered')
  await reading
  const last = answers.filter((answer) => answer.type !== 'piece' || answer.isLast)
  expect(last.map(({ id, type }) => [id, type])).toEqual([
    [1, 'absent'],
    [2, 'absent'],
    [3, 'piece'],
  ])
})

test('peers share what may go out, and small questions do not wait behind chunks', async () => {
  budget.noteStep()
  const channels = [await openChannel(), await openChannel()]
  const counts = [0, 0]
  for (const channel of channels) {
    for (let id = 0; id < SHARD_LIMITS.chunksAskedMax; id++)
      ask(channel, { id, type: 'chunk', root: file.root, index: 0 })
  }
  ask(channels[0]!, { id: 99, type: 'holdings', root: file.root })
  let holdings = 0
  for (const [number, channel] of channels.entries()) {
    void (async () => {
      for (;;) {
        const { type } = await next(channel)
        if (type === 'piece') counts[number]!++
        else holdings = counts[0]!
      }
    })().catch(() => undefined)
  }
  const startedMs = clock.now()
  await until(() => {
    budget.noteStep()
    clock.advance(20)
    return counts[0]! + counts[1]! >= 60
  }, 'most of it has come')
  expect(holdings).toBeLessThan(4)
  // 1 MiB/s in pieces of 128 KiB, and the burst. The disk may be slower.
  expect(counts[0]! + counts[1]!).toBeLessThanOrEqual(((clock.now() - startedMs) / 1_000) * 8 + 2)
  expect(Math.abs(counts[0]! - counts[1]!)).toBeLessThanOrEqual(3)
})

test('a channel on which nothing is asked for long is let go, and nobody judged', async () => {
  const channel = await openChannel()
  expect((await whole(channel, { type: 'holdings', root: file.root })).type).toBe('holdings')
  const gone = broken(channel)
  // In steps, so that the wait which begins after an answer is there before its time is over.
  for (let step = 0; step < 200; step++) {
    clock.advance(DEADLINES.shardIdleMs / 100)
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect(await gone).toBe('WIRE_CHANNEL_CUT')
  expect(judged).toEqual([])
})

test('no more channels than may be are answered, and the others hear why', async () => {
  const channels = await Promise.all(Array.from({ length: SHARD_LIMITS.servedMax + 1 }, () => openChannel()))
  const types = await Promise.all(
    channels.map(async (channel) => whole(channel, { type: 'holdings', root: file.root })),
  )
  expect(types.filter(({ type }) => type === 'refused')).toMatchObject([{ code: 'SHARDS_BUSY' }])
})
