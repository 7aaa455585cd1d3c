/** Memory and threads of the wasm engine: what it refuses, what it starts, what it leaves behind. @module */
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { startWasmHelper } from '../../../src/app/wasm-helper-thread.ts'
import { ENGINE_LIMITS } from '../../../src/base/limits.ts'
import { createWasmEngine } from '../../../src/ml/engine/wasm.ts'
import { createWasmHeap } from '../../../src/ml/engine/wasm-heap.ts'
import type { StartWasmHelper, WasmHelperInit } from '../../../src/ml/engine/wasm-helper.ts'
import { randomWeights, smallConfig, wholeRange } from '../../contract/random-model.ts'

const bytes = new Uint8Array(readFileSync(new URL('../../../native/exact1.wasm', import.meta.url)))
const config = smallConfig()
const stageOptions = {
  config,
  range: wholeRange(config),
  weights: randomWeights({ config, format: 'q4', seed: 1 }),
  cacheBytesMax: 1 << 22,
}
/** Words of struct sync (native/threads.h). */
const REGISTERED = 3
const refused = (code: string) => expect.objectContaining({ code })

describe('threads', () => {
  test('every helper has joined when the stage is there, and each has a stack of its own', () => {
    const inits: WasmHelperInit[] = []
    const start: StartWasmHelper = (init) => {
      inits.push(init)
      return startWasmHelper(init)
    }
    // They may be slow to come where others use the machine.
    const engine = createWasmEngine({ bytes, threads: 4, startHelper: start, helperStartMs: 60_000 })
    const stage = engine.createStage(stageOptions)
    const { memory, sync } = inits[0]!
    expect(new Uint32Array(memory.buffer)[sync / 4 + REGISTERED]).toBe(3)
    expect(new Set(inits.map((init) => init.stack)).size).toBe(3)
    stage.close()
  })

  test('closing a stage ends its threads', async () => {
    const stopped: Promise<unknown>[] = []
    const start: StartWasmHelper = (init) => {
      const helper = startWasmHelper(init)
      stopped.push(new Promise((resolve) => helper.worker.once('exit', resolve)))
      return helper
    }
    const stage = createWasmEngine({ bytes, threads: 3, startHelper: start }).createStage(stageOptions)
    expect(stopped.length).toBe(2)
    stage.close()
    await Promise.all(stopped)
  })

  test('a stage computes without helpers that never come', () => {
    const never: StartWasmHelper = () => ({ stop: () => {} })
    const stage = createWasmEngine({ bytes, threads: 2, startHelper: never, helperStartMs: 1 }).createStage(
      stageOptions,
    )
    const input = { type: 'tokens', tokens: Int32Array.of(1, 2) } as const
    const [output] = stage.run([{ cache: stage.openCache(2), position: 0, input, logits: 'last' }])
    expect(output?.type).toBe('logits')
    stage.close()
  })

  test('bytes that this runtime cannot run are refused', () => {
    const create = () => createWasmEngine({ bytes: bytes.slice(0, -9), threads: 1, startHelper: startWasmHelper })
    expect(create).toThrow(refused('ENGINE_UNAVAILABLE'))
  })
})

describe('memory', () => {
  test('what was reserved is aligned, zero and apart', () => {
    const heap = createWasmHeap()
    const addresses = [1, 100, 64, 70_000].map((size) => heap.reserve(size))
    expect(addresses.map((address) => address % 64)).toEqual([0, 0, 0, 0])
    expect(addresses.slice(1).map((address, index) => address - addresses[index]!)).toEqual([64, 128, 64])
    expect(
      heap
        .bytes()
        .subarray(addresses[0]!)
        .every((byte) => byte === 0),
    ).toBe(true)
  })

  test('blocks given back in any order join and are lent again', () => {
    const heap = createWasmHeap()
    const blocks = [640, 1_280, 64].map((size) => heap.lend(size))
    for (const index of [0, 2, 1]) heap.giveBack(blocks[index]!)
    expect(heap.lend(640 + 1_280 + 64).address).toBe(blocks[0]!.address)
    expect(heap.lend(64).address).toBe(blocks[2]!.address + 64)
  })

  test('a smaller block takes part of a free one, and the rest stays free', () => {
    const heap = createWasmHeap()
    const large = heap.lend(1_024)
    heap.giveBack(large)
    expect([heap.lend(100).address, heap.lend(800).address]).toEqual([large.address, large.address + 128])
  })

  test('a block cannot be given back twice', () => {
    const heap = createWasmHeap()
    const block = heap.lend(64)
    heap.giveBack(block)
    expect(() => heap.giveBack(block)).toThrow('given back once')
  })

  test('more than the memory can hold is refused, and what is there stays usable', () => {
    const heap = createWasmHeap()
    expect(() => heap.reserve(ENGINE_LIMITS.wasmMemoryBytesMax)).toThrow(refused('ENGINE_OUT_OF_MEMORY'))
    expect(heap.reserve(64)).toBeGreaterThan(0)
  })

  test('a cache that does not fit the memory is refused with the bound of the caller out of the way', () => {
    const engine = createWasmEngine({ bytes, threads: 1, startHelper: startWasmHelper })
    const stage = engine.createStage({ ...stageOptions, cacheBytesMax: 2 ** 40 })
    expect(() => stage.openCache(2 ** 24)).toThrow(refused('ENGINE_OUT_OF_MEMORY'))
    expect(stage.cacheLength(stage.openCache(8))).toBe(0)
    stage.close()
  })
})
