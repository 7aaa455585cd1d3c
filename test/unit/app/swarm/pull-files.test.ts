import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { hasChunk } from '../../../../src/app/shards/chunk-map.ts'
import { ShardError } from '../../../../src/app/shards/shard-error.ts'
import { openShardStore } from '../../../../src/app/shards/shard-store.ts'
import { type PulledFiles, type PullOptions, pullFiles } from '../../../../src/app/swarm/pull-files.ts'
import type { PullProgress } from '../../../../src/app/swarm/pull-progress.ts'
import { createSystem } from '../../../../src/app/system.ts'
import type { Clock } from '../../../../src/base/ports.ts'
import { SWARM_LIMITS } from '../../../../src/base/swarm-limits.ts'
import { CHUNK_BYTES, chunkCount } from '../../../../src/ml/chunk-tree.ts'
import { createFakeClock, type FakeClock } from '../../../fake-clock.ts'
import { type MemoryFile, type MemoryPeer, type MemorySwarm, memoryFile, memorySwarm } from '../../../memory-swarm.ts'
import { mapOf } from '../../../swarm-world.ts'

const large = memoryFile(1, 24 * CHUNK_BYTES + 77)
const small = memoryFile(2, 1_234)
const empty = memoryFile(3, 0)
const files = [large, small, empty]
const never = new AbortController().signal
const { clock, log } = createSystem({ level: 'silent' })

let home: string
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'dllm-pull-'))
})
afterEach(() => rm(home, { recursive: true, force: true }))

interface Wish extends Partial<Omit<PullOptions, 'files' | 'peers'>> {
  readonly files?: readonly MemoryFile[]
  readonly clock?: Clock
  readonly signal?: AbortSignal
}

function pull(peers: MemorySwarm, wish: Wish = {}): Promise<PulledFiles> {
  const { files: wanted = files, clock: time = clock, signal = never, ...options } = wish
  const ids = wanted.map(({ id }) => id)
  return pullFiles(
    { files: ids, store: openShardStore({ home }), peers, seed: 7n, ...options },
    { clock: time, log },
    signal,
  )
}

async function expectWhole(wanted: readonly MemoryFile[] = files): Promise<void> {
  const store = openShardStore({ home })
  for (const { id, bytes } of wanted) expect(Buffer.compare(await readFile(store.pathOf(id.root)), bytes)).toBe(0)
  const names = await readdir(store.folder)
  expect(names.filter((name) => /\.(part|have|lock)$/.test(name))).toEqual([])
}

/** Every chunk that was asked for, of all peers. */
function askedOf(swarm: MemorySwarm): string[] {
  return [...swarm.asked.values()].flat()
}

interface Drive {
  readonly time: FakeClock
  readonly swarm: MemorySwarm
  readonly onStep?: () => void
}

/** Time goes on while no peer is at work: the disk of this machine is none of its business. */
async function untilEnd<Value>(result: Promise<Value>, { time, swarm, onStep }: Drive): Promise<Value> {
  let isOver = false
  const end = (): void => {
    isOver = true
  }
  result.then(end, end)
  while (!isOver) {
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve))
    if (swarm.busy === 0) time.advance(50)
    onStep?.()
  }
  return result
}

/** However slow the disk is. */
async function eventually(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve))
}

const honest = (name: string): MemoryPeer => ({ name, files })
const chunks = files.reduce((sum, { id }) => sum + chunkCount(id.bytes), 0)

test('files come whole from several peers, and no chunk is asked for twice without need', async () => {
  const swarm = memorySwarm(['a', 'b', 'c'].map(honest))
  const seen: PullProgress[] = []
  const pulled = await pull(swarm, { onProgress: (progress) => seen.push(progress) })
  await expectWhole()
  expect(pulled.totalBytes).toBe(large.id.bytes + small.id.bytes)
  expect(pulled.keptBytes).toBe(0)
  expect([...pulled.from.keys()].sort()).toEqual(['a', 'b', 'c'])
  expect([...pulled.from.values()].reduce((sum, bytes) => sum + bytes)).toBe(pulled.totalBytes)
  expect(askedOf(swarm).length).toBeLessThanOrEqual(chunks + 1)
  expect(seen.at(-1)).toMatchObject({ doneBytes: pulled.totalBytes, totalBytes: pulled.totalBytes, peers: 0 })
})

test('what is here is not asked for, and who has all asks nobody', async () => {
  await pull(memorySwarm([honest('a')]), { files: [small] })
  const swarm = memorySwarm([honest('a')])
  const pulled = await pull(swarm)
  expect(pulled.keptBytes).toBe(small.id.bytes)
  expect(askedOf(swarm)).not.toContain(`${small.id.root} 0`)
  const again = memorySwarm([honest('a')])
  expect(await pull(again)).toMatchObject({ keptBytes: large.id.bytes + small.id.bytes })
  expect(again.opened.size).toBe(0)
})

test('an interrupted download goes on where it was', async () => {
  const stop = new AbortController()
  const first = memorySwarm([honest('a')])
  const reason = new Error('told to end')
  const ended = pull(first, { signal: stop.signal }).catch((error: unknown) => error)
  await eventually(() => askedOf(first).length > 8)
  stop.abort(reason)
  expect(await ended).toBe(reason)
  const second = memorySwarm([honest('a')])
  const pulled = await pull(second)
  await expectWhole()
  expect(pulled.keptBytes).toBeGreaterThanOrEqual(4 * CHUNK_BYTES)
  expect(askedOf(second).length * CHUNK_BYTES).toBeLessThanOrEqual(
    chunks * CHUNK_BYTES - pulled.keptBytes + CHUNK_BYTES,
  )
})

test.each<[string, Partial<MemoryPeer>]>([
  ['whose first chunk is wrong', { liesAfter: 0 }],
  ['whose later chunks are wrong', { liesAfter: 3 }],
])('a peer %s is asked no more', async (_what, lie) => {
  const swarm = memorySwarm([{ ...honest('liar'), ...lie }, honest('a')])
  const pulled = await pull(swarm)
  await expectWhole()
  expect(pulled.banned).toBe(1)
  expect(pulled.from.get('liar' as never) ?? 0).toBeLessThanOrEqual((lie.liesAfter ?? 0) * CHUNK_BYTES)
  expect(swarm.opened.get('liar' as never)).toBe(1)
})

test('a peer that lies about leaves is banned and blamed, one that has none is asked for chunks', async () => {
  const swarm = memorySwarm([
    { ...honest('liar'), liesAboutLeaves: true },
    { ...honest('mute'), hasNoLeaves: true },
    honest('a'),
  ])
  const pulled = await pull(swarm, { files: [large] })
  await expectWhole([large])
  expect(swarm.blamed).toEqual(['liar'])
  expect(pulled.from.has('mute' as never)).toBe(true)
})

test('peers that have parts give them, and what others fetch meanwhile is seen', async () => {
  let isWhole = false
  const odd = mapOf(large.id.bytes, (index) => index % 2 === 1)
  const even = mapOf(large.id.bytes, (index) => index % 2 === 0 && index !== 10)
  const swarm = memorySwarm([
    { ...honest('odd'), mapOf: () => odd },
    { ...honest('even'), mapOf: ({ bytes }) => (isWhole ? mapOf(bytes, () => true) : even) },
  ])
  const time = createFakeClock()
  const done = pull(swarm, { files: [large], clock: time })
  const missing = `${large.id.root} 10`
  await eventually(() => askedOf(swarm).length >= chunkCount(large.id.bytes) - 1 && swarm.busy === 0)
  expect(askedOf(swarm)).not.toContain(missing)
  isWhole = true
  await untilEnd(done, { time, swarm })
  await expectWhole([large])
  expect(askedOf(swarm)).toContain(missing)
  const ofOdd = swarm.asked.get('odd' as never)!.map((line) => Number(line.split(' ')[1]))
  expect(ofOdd.every((index) => hasChunk(odd, index))).toBe(true)
})

test.each<[string, Partial<MemoryPeer>]>([
  ['dies now and then', { diesAfter: 5 }],
  ['never brings a chunk', { isSilent: true }],
  ['says that it has what it does not give', { deniesChunks: true }],
])('a peer that %s does not keep a download from its end', async (_what, fault) => {
  const swarm = memorySwarm([{ ...honest('bad'), ...fault }, honest('good')])
  const time = createFakeClock()
  await untilEnd(pull(swarm, { clock: time }), { time, swarm })
  await expectWhole()
})

test('a peer that was lost is asked again later', async () => {
  const swarm = memorySwarm([{ ...honest('a'), diesAfter: 5 }])
  const time = createFakeClock()
  await untilEnd(pull(swarm, { clock: time }), { time, swarm })
  await expectWhole()
  expect(swarm.opened.get('a' as never)).toBeGreaterThan(3)
})

test.each<[string, readonly MemoryPeer[], string, RegExp]>([
  ['nobody is there', [], 'SWARM_NO_PEER', /^No peer was found\. Check the network/],
  ['nobody has it', [{ name: 'a', files: [] }], 'SWARM_NO_PEER', /^1 peer was found, 1 of them answered, and none has/],
  [
    'a chunk is nowhere',
    [{ ...honest('a'), mapOf: () => mapOf(large.id.bytes, (index) => index !== 3) }],
    'SWARM_INCOMPLETE',
    /nothing comes any more: 1 file is not whole\. What is here stays/,
  ],
])('where %s it says so after a while, and keeps what it has', async (_what, peers, code, sentence) => {
  const time = createFakeClock()
  const swarm = memorySwarm(peers)
  const ended = pull(swarm, { files: [large, small], clock: time, patienceMs: 20_000 })
  const failure = await untilEnd(ended, { time, swarm }).catch((error: unknown) => error)
  expect(failure).toMatchObject({ code, message: expect.stringMatching(sentence) })
})

test('peers that have nothing to give do not keep out one that has', async () => {
  const idle = Array.from({ length: SWARM_LIMITS.peersMax }, (_, number): MemoryPeer => {
    return { ...honest(`idle-${number}`), mapOf: ({ bytes }) => mapOf(bytes, (index) => index === 0) }
  })
  const swarm = memorySwarm([...idle, honest('late')])
  const time = createFakeClock()
  const pulled = await untilEnd(pull(swarm, { clock: time }), { time, swarm })
  await expectWhole()
  expect(pulled.from.get('late' as never)).toBeGreaterThanOrEqual(23 * CHUNK_BYTES)
})

test('a bound on what comes holds', async () => {
  const swarm = memorySwarm([honest('a'), honest('b')])
  const time = createFakeClock()
  const startMs = time.now()
  await untilEnd(pull(swarm, { files: [large], clock: time, downBytesPerSecond: 2 * CHUNK_BYTES }), {
    ...{ time, swarm },
    onStep: () => {
      const seconds = (time.now() - startMs) / 1_000
      expect(askedOf(swarm).length).toBeLessThanOrEqual(2 * seconds + 2)
    },
  })
  await expectWhole([large])
})

test('a disk that is full in the middle ends the download with its words; with room again it goes on where it was', async () => {
  const swarm = memorySwarm(['a', 'b'].map(honest))
  let room = 6
  const open: MemorySwarm['open'] = async (peer, signal) => {
    const source = await swarm.open(peer, signal)
    const fetch = source.chunk.bind(source)
    const chunk: typeof fetch = async (...parts) => {
      if (room-- <= 0) throw new ShardError('SHARD_NO_SPACE', 'The disk is full.')
      return fetch(...parts)
    }
    return Object.defineProperty(source, 'chunk', { value: chunk })
  }
  await expect(pull({ ...swarm, open })).rejects.toThrow(expect.objectContaining({ code: 'SHARD_NO_SPACE' }))
  const names = await readdir(openShardStore({ home }).folder)
  expect(names.filter((name) => name.endsWith('.lock'))).toEqual([])
  const pulled = await pull(swarm)
  expect(pulled.keptBytes).toBeGreaterThan(0)
  await expectWhole()
})

test.each([
  ['in one store', true],
  ['in two', false],
])('two who want one file at once, %s, fetch it once', async (_where, isShared) => {
  const swarm = memorySwarm([honest('a')])
  const time = createFakeClock()
  const wish = { files: [large], clock: time, ...(isShared && { store: openShardStore({ home }) }) }
  const [first, second] = await untilEnd(Promise.all([pull(swarm, wish), pull(swarm, wish)]), { time, swarm })
  await expectWhole([large])
  expect(askedOf(swarm).length).toBeLessThanOrEqual(chunkCount(large.id.bytes) + 1)
  expect(first.keptBytes + second.keptBytes).toBe(large.id.bytes)
})

test('who waits for another one goes on where that one ended', async () => {
  const time = createFakeClock()
  const stop = new AbortController()
  const few = memorySwarm([{ ...honest('a'), mapOf: ({ bytes }) => mapOf(bytes, (index) => index < 6) }])
  const first = pull(few, { files: [large], clock: time, signal: stop.signal })
  first.catch(() => undefined)
  await eventually(() => askedOf(few).length === 6 && few.busy === 0)
  const swarm = memorySwarm([honest('b')])
  const seen: PullProgress[] = []
  const second = pull(swarm, { files: [large], clock: time, onProgress: (progress) => seen.push(progress) })
  const onStep = (): void => {
    if (seen.at(-1)?.doneBytes !== 6 * CHUNK_BYTES || stop.signal.aborted) return
    expect({ heldFiles: seen.at(-1)?.heldFiles, asked: askedOf(swarm) }).toEqual({ heldFiles: 1, asked: [] })
    stop.abort(new Error('told to end'))
  }
  const pulled = await untilEnd(second, { time, swarm, onStep })
  expect(pulled.keptBytes).toBe(6 * CHUNK_BYTES)
  await expectWhole([large])
})

test('who waits for another one that gets nothing is told so after a while', async () => {
  const time = createFakeClock()
  const stop = new AbortController()
  const mute = memorySwarm([{ ...honest('a'), isSilent: true }])
  const first = pull(mute, { files: [large], clock: time, signal: stop.signal })
  first.catch(() => undefined)
  await eventually(() => askedOf(mute).length > 0)
  const swarm = memorySwarm([honest('b')])
  const second = pull(swarm, { files: [large], clock: time, patienceMs: 20_000 })
  await expect(untilEnd(second, { time, swarm })).rejects.toThrow(expect.objectContaining({ code: 'SHARD_IN_USE' }))
  stop.abort()
  await expect(first).rejects.toThrow()
})
