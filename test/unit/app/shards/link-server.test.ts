/** The serving side of bulk links against clients of every kind. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { encodeLinkRequest, LINK_GREETING, LINK_HEAD_BYTES } from '../../../../src/app/shards/link-frames.ts'
import { type LinkServer, startLinkServer } from '../../../../src/app/shards/link-server.ts'
import { hash, peerId } from '../../../../src/base/brand.ts'
import { DEADLINES } from '../../../../src/base/limits.ts'
import { SHARD_LIMITS } from '../../../../src/base/swarm-limits.ts'
import { CHUNK_BYTES } from '../../../../src/ml/chunk-tree.ts'
import { createFakeClock, type FakeClock } from '../../../fake-clock.ts'
import { createShardWorld, randomBytes, type ShardWorld, servedFiles, type TestFile } from '../../../shard-world.ts'

const BYTES = CHUNK_BYTES + 500
const PEER = peerId('peer')

let world: ShardWorld
let clock: FakeClock
let file: TestFile
let served: ReturnType<typeof servedFiles>
let server: LinkServer
const isCapped = new Int32Array(new SharedArrayBuffer(4))
let taken: number
const sockets: Socket[] = []

beforeEach(async () => {
  world = await createShardWorld()
  clock = createFakeClock()
  file = await world.file(BYTES)
  served = servedFiles([file])
  taken = 0
  isCapped[0] = 0
  server = await startLinkServer(
    { host: '127.0.0.1', port: 0 },
    {
      clock,
      isCapped,
      ...{ locate: served.locate, confirm: served.confirm },
      take: async (bytes) => {
        taken += bytes
      },
    },
  )
})
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  await server.close()
  await world.close()
})

function ticketOf(number: number): Uint8Array {
  return new Uint8Array(16).fill(number)
}

interface Client {
  readonly socket: Socket
  /** The next bytes; undefined when the server hangs up before. */
  read(bytes: number): Promise<Buffer | undefined>
}

/** Shows a ticket, if there is one, and reads the first greeting. */
async function client(ticket: Uint8Array | undefined): Promise<Client> {
  const socket = connect(server.port, '127.0.0.1').on('error', () => undefined)
  sockets.push(socket)
  let got = Buffer.alloc(0)
  let changed = Promise.withResolvers<void>()
  const change = (): void => {
    changed.resolve()
    changed = Promise.withResolvers()
  }
  socket.on('data', (bytes: Buffer) => {
    got = Buffer.concat([got, bytes])
    change()
  })
  socket.on('close', change)
  const read = async (bytes: number): Promise<Buffer | undefined> => {
    while (got.length < bytes) {
      if (socket.destroyed) return undefined
      await changed.promise
    }
    const found = got.subarray(0, bytes)
    got = got.subarray(bytes)
    return found
  }
  expect(await read(LINK_GREETING.length)).toEqual(Buffer.from(LINK_GREETING))
  if (ticket !== undefined) socket.write(ticket)
  return { socket, read }
}

/** A client whose ticket is good. */
async function linked(number = 1): Promise<Client> {
  server.allow(ticketOf(number), PEER)
  const found = await client(ticketOf(number))
  expect(await found.read(LINK_GREETING.length)).toEqual(Buffer.from(LINK_GREETING))
  return found
}

function ask({ socket }: Client, id: number, index: number, root = file.root): void {
  socket.write(encodeLinkRequest({ type: 'chunk', id, root, index }))
}

async function answer({ read }: Client): Promise<{ id: number; bytes: Buffer }> {
  const head = (await read(LINK_HEAD_BYTES))!
  const length = head.readUInt32LE(5)
  return { id: head.readUInt32LE(1), bytes: length === 0 ? Buffer.alloc(0) : (await read(length))! }
}

test('chunks come as they are, in the order of asking', async () => {
  const link = await linked()
  for (const [id, index] of [1, 0].entries()) ask(link, id, index)
  expect(await answer(link)).toEqual({ id: 0, bytes: Buffer.from(file.content.subarray(CHUNK_BYTES)) })
  const second = await answer(link)
  expect(Buffer.compare(second.bytes, file.content.subarray(0, CHUNK_BYTES))).toBe(0)
  expect(taken).toBe(0)
})

test('while there is a cap, every byte is asked for', async () => {
  isCapped[0] = 1
  const link = await linked()
  ask(link, 0, 0)
  await answer(link)
  expect(taken).toBe(CHUNK_BYTES + LINK_HEAD_BYTES)
})

test('what is not there is absent, also beyond the file and in an unfinished one', async () => {
  served.maps.set(file.root, Uint8Array.of(0b01))
  const link = await linked()
  ask(link, 0, 1)
  ask(link, 1, 2)
  ask(link, 2, 0xffff_ffff)
  ask(link, 3, 0, hash('ee'.repeat(32)))
  for (const id of [0, 1, 2, 3]) expect(await answer(link)).toEqual({ id, bytes: Buffer.alloc(0) })
})

test('a ticket opens one link, for a while, and others open none', async () => {
  await linked(1)
  server.allow(ticketOf(2), PEER)
  clock.advance(2 * DEADLINES.linkOpenMs + 1)
  for (const number of [1, 2, 3]) expect(await (await client(ticketOf(number))).read(1)).toBeUndefined()
})

test('who shows no ticket in time is let go', async () => {
  const { read } = await client(undefined)
  clock.advance(DEADLINES.linkOpenMs)
  expect(await read(1)).toBeUndefined()
})

test('who asks for nothing for long is let go', async () => {
  const link = await linked()
  clock.advance(DEADLINES.shardIdleMs)
  expect(await link.read(1)).toBeUndefined()
})

test.each<readonly [string, (link: Client) => void]>([
  ['garbage', ({ socket }) => socket.write(randomBytes(1_000, 4))],
  [
    'two requests of one number',
    (link) => {
      for (let time = 0; time < 8; time++) ask(link, 1, 0)
    },
  ],
  [
    'a thousand requests at once',
    (link) => {
      for (let id = 0; id < 1_000; id++) ask(link, id, 0)
    },
  ],
])('who sends %s loses the link', async (_, attack) => {
  const link = await linked()
  link.socket.cork()
  attack(link)
  link.socket.uncork()
  await once(link.socket, 'close')
})

test('a peer has so many links, and the newest ones count', async () => {
  const links = []
  for (let number = 1; number <= SHARD_LIMITS.linksPerPeerMax + 1; number++) links.push(await linked(number))
  expect(await links[0]!.read(1)).toBeUndefined()
  ask(links.at(-1)!, 0, 0)
  expect((await answer(links.at(-1)!)).bytes.length).toBe(CHUNK_BYTES)
})

test('half of a request at the end of a link is no request', async () => {
  const link = await linked()
  link.socket.end(encodeLinkRequest({ type: 'chunk', id: 0, root: file.root, index: 0 }).subarray(0, 20))
  expect(await link.read(1)).toBeUndefined()
})
