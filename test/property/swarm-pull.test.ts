import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openShardStore } from '../../src/app/shards/shard-store.ts'
import { pullFiles } from '../../src/app/swarm/pull-files.ts'
import { createSystem } from '../../src/app/system.ts'
import { CHUNK_BYTES } from '../../src/ml/chunk-tree.ts'
import { createFakeClock } from '../fake-clock.ts'
import { type MemoryPeer, type MemorySwarm, memoryFile, memorySwarm } from '../memory-swarm.ts'
import { drawsOf, mapOf } from '../swarm-world.ts'

const { log } = createSystem({ level: 'silent' })
const files = [memoryFile(1, 7 * CHUNK_BYTES + 3), memoryFile(2, 500), memoryFile(3, 3 * CHUNK_BYTES)]
const ids = files.map(({ id }) => id)

let home: string
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'dllm-pull-'))
})
afterEach(() => rm(home, { recursive: true, force: true }))

/** One honest peer that now and then goes away, among others with every fault there is. */
function randomPeers(draw: () => number): MemoryPeer[] {
  const faults: Partial<MemoryPeer>[] = [
    { liesAfter: 0 },
    { liesAfter: 2 },
    { liesAboutLeaves: true },
    { hasNoLeaves: true },
    { diesAfter: 1 },
    { isSilent: true },
    { deniesChunks: true },
    { mapOf: () => undefined },
    { mapOf: ({ bytes }) => mapOf(bytes, (index) => index % 2 === 0) },
    // Bits beyond the last chunk, and a map that is too short.
    { mapOf: ({ bytes }) => mapOf(bytes, () => true).map(() => 255) },
    { mapOf: () => Uint8Array.of(1) },
  ]
  const bad = Array.from({ length: 6 }, (_, number): MemoryPeer => {
    return { name: `bad-${number}`, files, ...faults[Math.floor(draw() * faults.length)]! }
  })
  const honest: MemoryPeer = { name: 'honest', files, diesAfter: 3 + Math.floor(draw() * 6) }
  return [...bad, honest].sort(() => draw() - 0.5)
}

/** Time goes on while no peer is at work; the download is told to end after so many chunks. */
async function run(swarm: MemorySwarm, chunksMax: number, seed: bigint): Promise<boolean> {
  const time = createFakeClock()
  const stop = new AbortController()
  const reason = new Error('told to end')
  let outcome: boolean | undefined
  const wish = { files: ids, store: openShardStore({ home }), peers: swarm, seed }
  const pulling = pullFiles(wish, { clock: time, log }, stop.signal).then(
    () => {
      outcome = true
    },
    (error: unknown) => {
      expect(error).toBe(reason)
      outcome = false
    },
  )
  while (outcome === undefined) {
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve))
    if ([...swarm.asked.values()].flat().length > chunksMax) stop.abort(reason)
    if (swarm.busy === 0) time.advance(250)
  }
  await pulling
  return outcome
}

test.each(Array.from({ length: 12 }, (_, index) => BigInt(index + 1)))(
  'whatever peers do, and however often it is ended, the files come whole (seed %s)',
  async (seed) => {
    const draw = drawsOf(seed)
    const peers = randomPeers(draw)
    for (let isWhole = false; !isWhole; ) isWhole = await run(memorySwarm(peers), 4 + Math.floor(draw() * 40), seed)
    const store = openShardStore({ home })
    for (const { id, bytes } of files) expect(Buffer.compare(await readFile(store.pathOf(id.root)), bytes)).toBe(0)
  },
)
