/** The canary of the genesis model, made and checked with the engines and threads that miners use. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readCanary } from '../../src/app/canary/canary-files.ts'
import { makeModelCanary } from '../../src/app/canary/canary-maker.ts'
import { runCanary } from '../../src/app/canary/canary-run.ts'
import { createEngineHost } from '../../src/app/engine-host.ts'
import { openModelStore } from '../../src/app/model-store.ts'
import type { FileId } from '../../src/app/shards/chunk-source.ts'
import { openShardStore } from '../../src/app/shards/shard-store.ts'
import { createSystem } from '../../src/app/system.ts'
import { createWorkerRunner } from '../../src/app/worker-runner.ts'

const system = createSystem({ level: 'error' })
const { signal } = new AbortController()
let home: string
let file: FileId
const told: number[] = []

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'dllm-canary-'))
  const order = { home, store: openShardStore({ home }), engine: 'wasm' as const, threads: 1 }
  const model = openModelStore({ home }).find('genesis')
  file = await makeModelCanary({ ...order, model, onSegment: (segment) => void told.push(segment) }, system, signal)
})
afterAll(() => rm(home, { recursive: true }))

test('it is made a segment at a time', () => {
  const { segments } = openModelStore({ home }).find('genesis').manifest
  expect(told).toEqual(segments.map((_, index) => index))
})

test.each([
  { firstSegment: 0, lastSegment: 3, threads: 2 },
  { firstSegment: 2, lastSegment: 6, threads: 1 },
])('segments $firstSegment to $lastSegment of a miner with $threads threads meet it', async ({ threads, ...part }) => {
  const model = openModelStore({ home }).find('genesis')
  const engine = { home, model, ...part, engine: 'wasm' as const, threads, cacheBytesMax: 1 << 24 }
  const host = createEngineHost(await createWorkerRunner(engine), system)
  try {
    const canary = await readCanary(model, file, openShardStore({ home }))
    const check = { first: part.firstSegment, end: part.lastSegment, stage: host }
    expect(await runCanary(canary, check, signal)).toBeUndefined()
  } finally {
    await host.close()
  }
})
