/** The fetching side of bulk links against servers that break the rules: the link is over, and nothing of theirs gets into the file. */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { BulkLink } from '../../../../src/app/shards/bulk-link.ts'
import { createChunkKeeper } from '../../../../src/app/shards/chunk-keeper.ts'
import { createLinkDialler } from '../../../../src/app/shards/link-client.ts'
import {
  decodeLinkRequest,
  encodeLinkHead,
  LINK_GREETING,
  LINK_REQUEST_BYTES,
  type LinkRequest,
} from '../../../../src/app/shards/link-frames.ts'
import { DEADLINES } from '../../../../src/base/limits.ts'
import { SHARD_LIMITS } from '../../../../src/base/swarm-limits.ts'
import { CHUNK_BYTES, chunkLength } from '../../../../src/ml/chunk-tree.ts'
import { LINK_TICKET_BYTES } from '../../../../src/net/protocols/shards.ts'
import { codeFrom } from '../../../contract/wire-world.ts'
import { createFakeClock, type FakeClock } from '../../../fake-clock.ts'
import { createShardWorld, randomBytes, type ShardWorld, type TestFile, targetOf } from '../../../shard-world.ts'

const BYTES = CHUNK_BYTES + 1_000
const NEVER = new AbortController().signal
const TICKET = new Uint8Array(LINK_TICKET_BYTES).fill(5)

let world: ShardWorld
let clock: FakeClock
let file: TestFile
let part: string
let server: Server
/** What the server does with a connection, and with a request on a good one. */
let greet: (socket: Socket) => void
let react: (socket: Socket, request: LinkRequest) => void
let tickets: Uint8Array[]

beforeEach(async () => {
  world = await createShardWorld()
  clock = createFakeClock()
  file = await world.file(BYTES)
  part = await world.part(BYTES)
  tickets = []
  greet = (socket) => socket.write(LINK_GREETING)
  server = createServer((socket) => {
    socket.on('error', () => undefined)
    greet(socket)
    let isTicket = true
    socket.on('readable', () => {
      if (isTicket) {
        const ticket = socket.read(LINK_TICKET_BYTES)
        if (ticket === null) return
        isTicket = false
        tickets.push(new Uint8Array(ticket))
        socket.write(LINK_GREETING)
      }
      for (let bytes = socket.read(LINK_REQUEST_BYTES); bytes; bytes = socket.read(LINK_REQUEST_BYTES)) {
        react(socket, decodeLinkRequest(bytes))
      }
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
})
afterEach(async () => {
  server.close()
  await world.close()
})

function open(): Promise<BulkLink> {
  const { port } = server.address() as AddressInfo
  const dialler = createLinkDialler({ keeper: createChunkKeeper(), clock })
  return dialler.open({ host: '127.0.0.1', port, ticket: TICKET }, NEVER)
}

function fetch(link: BulkLink, index = 1, signal: AbortSignal = NEVER): Promise<unknown> {
  const into = targetOf(file, index, part)
  return link.fetch({ root: file.root, index, length: chunkLength(BYTES, index), into }, signal)
}

function answer(socket: Socket, id: number, bytes: Uint8Array): void {
  socket.write(Buffer.concat([encodeLinkHead({ id, length: bytes.length }), bytes]))
}

const chunkOf = (index: number): Uint8Array => file.content.subarray(index * CHUNK_BYTES, (index + 1) * CHUNK_BYTES)

test('chunks come in any order, each to its place, and the ticket is told once', async () => {
  const asked: number[] = []
  react = (socket, request) => {
    asked.push(request.id)
    if (asked.length < 2) return
    answer(socket, asked[1]!, chunkOf(1))
    answer(socket, asked[0]!, chunkOf(0))
  }
  const link = await open()
  expect(await Promise.all([fetch(link, 0), fetch(link, 1)])).toEqual(['stored', 'stored'])
  expect(Buffer.compare(await world.content(part), file.content)).toBe(0)
  expect(tickets).toEqual([TICKET])
  expect(link.bytesReceived).toBe(BYTES)
  link.close()
})

test('bytes that come one by one are the same', async () => {
  react = (socket, { id }) => {
    const bytes = Buffer.concat([encodeLinkHead({ id, length: 1_000 }), chunkOf(1)])
    for (const byte of bytes) socket.write(Buffer.of(byte))
  }
  const link = await open()
  expect(await fetch(link)).toBe('stored')
  link.close()
})

test.each<readonly [string, (socket: Socket) => void]>([
  ['is another service', (socket) => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n')],
  ['greets wrongly', (socket) => socket.write(new Uint8Array(LINK_GREETING.length))],
  ['hangs up', (socket) => socket.destroy()],
])('who %s is no bulk link, and gets no ticket', async (_, behave) => {
  greet = behave
  expect(await codeFrom(open())).toBe('LINK_UNREACHABLE')
  expect(tickets).toEqual([])
})

test('who never greets is given up, and so is a port where nobody listens', async () => {
  greet = () => undefined
  const connected = once(server, 'connection')
  const opening = codeFrom(open())
  await connected
  clock.advance(DEADLINES.linkOpenMs)
  expect(await opening).toBe('LINK_UNREACHABLE')
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  const dialler = createLinkDialler({ keeper: createChunkKeeper(), clock })
  expect(await codeFrom(dialler.open({ host: '127.0.0.1', port, ticket: TICKET }, NEVER))).toBe('LINK_UNREACHABLE')
})

test.each<readonly [string, typeof react]>([
  ['a chunk that is too short', (socket, { id }) => answer(socket, id, randomBytes(999, 2))],
  ['a chunk that is too long', (socket, { id }) => answer(socket, id, randomBytes(1_001, 2))],
  ['a chunk that says it is endless', (socket) => socket.write(Buffer.from('010000000000000001', 'hex'))],
  ['what was not asked', (socket, { id }) => answer(socket, id + 1, chunkOf(1))],
  ['garbage', (socket) => socket.write(randomBytes(5_000, 2))],
  [
    'half of a chunk',
    (socket, { id }) => {
      socket.write(encodeLinkHead({ id, length: 1_000 }))
      socket.end(randomBytes(500, 2))
    },
  ],
  ['nothing', (socket) => socket.destroy()],
])('a link on which %s comes is over', async (_, behave) => {
  react = behave
  const link = await open()
  expect(await codeFrom(fetch(link))).toBe('LINK_LOST')
  expect(await codeFrom(fetch(link))).toBe('LINK_LOST')
  expect(await world.content(part)).toEqual(new Uint8Array(BYTES))
})

test('a chunk of other bytes is bad, and is not written', async () => {
  react = (socket, { id }) => answer(socket, id, randomBytes(1_000, 2))
  const link = await open()
  expect(await fetch(link)).toBe('bad')
  expect(await world.content(part)).toEqual(new Uint8Array(BYTES))
  link.close()
})

test('a link that trickles is over', async () => {
  const began = Promise.withResolvers<void>()
  react = (socket, { id }) => {
    socket.write(encodeLinkHead({ id, length: CHUNK_BYTES }))
    socket.write(randomBytes(100, 2))
    began.resolve()
  }
  const link = await open()
  const outcome = codeFrom(fetch(link, 0))
  await began.promise
  clock.advance(DEADLINES.shardFloorMs)
  expect(await outcome).toBe('LINK_LOST')
})

test('what is left is told, and its bytes are not written', async () => {
  const requests: LinkRequest[] = []
  const left = Promise.withResolvers<void>()
  react = (socket, request) => {
    requests.push(request)
    if (request.type === 'leave') left.resolve()
    else if (request.index === 0) answer(socket, request.id, chunkOf(0))
  }
  const link = await open()
  const stop = new AbortController()
  const outcome = fetch(link, 1, stop.signal).catch((error: unknown) => error)
  stop.abort(new Error('enough'))
  expect(await outcome).toMatchObject({ message: 'enough' })
  await left.promise
  expect(requests.map(({ type, id }) => [type, id])).toEqual([
    ['chunk', 0],
    ['leave', 0],
  ])
  expect(await fetch(link, 0)).toBe('stored')
  link.close()
})

test('a chunk that never comes ends the link, although others come', async () => {
  react = (socket, request) => {
    if (request.type === 'chunk' && request.index === 1) answer(socket, request.id, chunkOf(1))
  }
  const link = await open()
  const never = codeFrom(fetch(link, 0))
  for (let passed = 0; passed < DEADLINES.shardChunkMs; passed += DEADLINES.shardFloorMs / 2) {
    const code = await codeFrom(fetch(link, 1))
    if (code !== 'no error') break
    clock.advance(DEADLINES.shardFloorMs / 2)
  }
  expect(await never).toBe('LINK_LOST')
})

test('who owes too many answers is asked no more', async () => {
  react = () => undefined
  const link = await open()
  for (let count = 0; count < SHARD_LIMITS.questionsMax; count++) {
    const stop = new AbortController()
    fetch(link, 1, stop.signal).catch(() => undefined)
    stop.abort(new Error('enough'))
  }
  expect(await codeFrom(fetch(link))).toBe('LINK_LOST')
})
