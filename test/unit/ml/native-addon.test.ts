/** The native engine's addon: what it refuses, what it starts, what it leaves behind. @module */
import { copyFileSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { describe, expect, test } from 'vitest'
import { createNodeNativeEngine, findBinding } from '../../../src/app/native-engine.ts'
import { NATIVE_BUILD, NATIVE_FOLDER } from '../../../src/app/native-files.ts'
import { createNativeEngine } from '../../../src/ml/engine/native.ts'
import { takeNativeStage } from '../../../src/ml/engine/native-stage.ts'
import { hasNativeEngine, nativeBinding } from '../../contract/native-binding.ts'
import { randomWeights, smallConfig, wholeRange } from '../../contract/random-model.ts'

const config = smallConfig()
const stageOptions = {
  config,
  range: wholeRange(config),
  weights: randomWeights({ config, format: 'q4', seed: 1 }),
  cacheBytesMax: 1 << 22,
}
const refused = (code: string) => expect.objectContaining({ code })
/** Linux tells of each thread of the process. */
const countThreads = () => readdirSync('/proc/self/task').length

describe.skipIf(!hasNativeEngine)('the addon', () => {
  const binding = nativeBinding!

  test.skipIf(process.platform !== 'linux')('starts the threads of a stage with it and ends them with it', () => {
    const engine = createNodeNativeEngine({ threads: 5 })
    const before = countThreads()
    const stage = engine.createStage(stageOptions)
    expect(countThreads()).toBe(before + 4)
    stage.close()
    expect(countThreads()).toBe(before)
  })

  test.skipIf(process.platform !== 'linux')('closes what a thread of Node has left open', async () => {
    const code = `
      const { parentPort, workerData } = require('node:worker_threads')
      const { readdirSync } = require('node:fs')
      const module_ = { exports: {} }
      process.dlopen(module_, workerData)
      const before = readdirSync('/proc/self/task').length
      module_.exports.open('generic', Uint32Array.of(32, 1, 1, 32, 32, 32, 0, 0, 0, 4, 32, 0, 0, 0), new Float32Array(5))
      parentPort.postMessage(readdirSync('/proc/self/task').length - before)`
    const before = countThreads()
    const worker = new Worker(code, { eval: true, workerData: NATIVE_BUILD })
    const ended = new Promise((resolve) => worker.once('exit', resolve))
    expect(await new Promise((resolve) => worker.once('message', resolve))).toBe(3)
    await ended
    expect(countThreads()).toBeLessThanOrEqual(before)
  })

  test.skipIf(process.platform !== 'linux').each([
    ['ends itself', 'process.exit(1)'],
    ['is ended', 'setInterval(() => undefined, 1_000)'],
  ])('a pass that another thread computes is done before its environment is gone: it %s', async (how, then) => {
    const code = `
      const { parentPort, workerData } = require('node:worker_threads')
      const { exports: addon } = process.dlopen(module, workerData) ?? module
      const stage = addon.open('generic', Uint32Array.of(32, 1, 1, 32, 32, 32, 0, 0, 0, 4, 32, 0, 0, 0), new Float32Array(5))
      const cache = addon.openCache(stage, 64, 0)
      addon.placePages(stage, cache, 0, new Uint32Array(0))
      const rows = Int32Array.from({ length: 256 }, (_unused, at) => [cache, at >> 2, 0, 0][at % 4])
      const floats = [2_048, 0, 2_048].map((length) => new Float32Array(length))
      const run = () => addon.runLater(stage, Uint32Array.of(0, 0, 0, 0, 4, 64, 1), rows, ...floats, new Uint32Array(1))
      const again = () => void run().then(again)
      again()
      parentPort.postMessage('runs')
      ${then}`
    // The pool's threads are there before they are counted.
    await readFile(NATIVE_BUILD)
    const before = countThreads()
    for (let round = 0; round < 5; round++) {
      const worker = new Worker(code, { eval: true, workerData: NATIVE_BUILD })
      const ended = new Promise((resolve) => worker.once('exit', resolve))
      await new Promise((resolve) => worker.once('message', resolve))
      if (how === 'is ended') await worker.terminate()
      expect(await ended).toBe(1)
    }
    expect(countThreads()).toBeLessThanOrEqual(before)
  })

  test.each<[string, () => unknown]>([
    ['a stage that is not open', () => binding.weightBytes(1_000)],
    ['a number that is none', () => binding.close('one' as unknown as number)],
    ['instructions that are none', () => binding.open('mmx', new Uint32Array(14), new Float32Array(5))],
    ['too few numbers', () => binding.open('generic', new Uint32Array(3), new Float32Array(5))],
    ['arrays of another kind', () => binding.open('generic', new Float32Array(14) as never, new Float32Array(5))],
  ])('refuses %s', (_what, call) => {
    expect(call).toThrow(TypeError)
  })

  test('gives a stage to whoever takes it, once, and has it no more itself', () => {
    const given = createNodeNativeEngine({ threads: 1 }).giveStage(stageOptions)
    const stage = takeNativeStage({ ...stageOptions, binding, threads: 1, bytesPerThread: 1 }, given)
    expect(stage.weightBytes).toBeGreaterThan(0)
    expect(() => binding.take(given)).toThrow(TypeError)
    expect(() => binding.give(1_000)).toThrow(TypeError)
    stage.close()
  })

  test('refuses everything of a stage of which another thread computes, and after it goes on', async () => {
    const numbers = Uint32Array.of(32, 1, 1, 32, 32, 32, 0, 0, 0, 1, 32, 0, 0, 0)
    const stage = binding.open('generic', numbers, new Float32Array(5))
    const cache = binding.openCache(stage, 4, 0)
    binding.placePages(stage, cache, 0, new Uint32Array(0))
    const floats = (length: number) => new Float32Array(length)
    const pass = (position: number) =>
      [
        ...[Uint32Array.of(0, 0, 0, 0, 1, 1, 1), Int32Array.of(cache, position, 0, 0)],
        ...[floats(32), floats(0), floats(32), new Uint32Array(1)],
      ] as unknown as Parameters<typeof binding.run> extends [number, ...infer Rest] ? Rest : never
    const running = binding.runLater(stage, ...pass(0))
    const calls = [
      () => binding.close(stage),
      () => binding.closeLater(stage),
      () => binding.openCache(stage, 4, 0),
      () => binding.growPages(stage, 1),
      () => binding.placePages(stage, cache, 0, new Uint32Array(0)),
      () => binding.copyPages(stage, new Uint32Array(0), 0),
      () => binding.clearPages(stage, new Uint32Array(0)),
      () => binding.run(stage, ...pass(0)),
      () => binding.runLater(stage, ...pass(0)),
      () => binding.give(stage),
    ]
    for (const call of calls) expect(call).toThrow(TypeError)
    expect(await running).toBeGreaterThanOrEqual(0)
    await expect(binding.runLater(stage, ...pass(4))).rejects.toThrow(TypeError)
    binding.run(stage, ...pass(1))
    const refusedPages = [
      () => binding.placePages(stage, cache, 1, new Uint32Array(0)),
      () => binding.placePages(stage, cache, 0, Uint32Array.of(0)),
      () => binding.copyPages(stage, Uint32Array.of(0, 1), 1),
      () => binding.clearPages(stage, Uint32Array.of(0)),
    ]
    for (const call of refusedPages) expect(call).toThrow(TypeError)
    binding.close(stage)
  })

  test.skipIf(process.platform !== 'linux')('closes a stage in another thread, and has it no more itself', async () => {
    await readFile(NATIVE_BUILD)
    const before = countThreads()
    const numbers = Uint32Array.of(32, 1, 1, 32, 32, 32, 0, 0, 0, 4, 32, 0, 0, 0)
    for (let round = 0; round < 3; round++) {
      const stages = [1, 2].map(() => binding.open('generic', numbers, new Float32Array(5)))
      const closing = stages.map((stage) => binding.closeLater(stage))
      for (const stage of stages) {
        expect(() => binding.weightBytes(stage)).toThrow(TypeError)
        expect(() => binding.closeLater(stage)).toThrow(TypeError)
      }
      // Its number is another one's at once.
      const next = binding.open('generic', numbers, new Float32Array(5))
      expect(stages).toContain(next)
      await Promise.all(closing)
      expect(binding.weightBytes(next)).toBe(0)
      binding.close(next)
    }
    expect(countThreads()).toBe(before)
  })

  test('refuses a cache that no memory holds, and goes on', () => {
    const stage = createNodeNativeEngine({ threads: 1 }).createStage({ ...stageOptions, cacheBytesMax: 2 ** 50 })
    expect(() => stage.openCache(2 ** 25)).toThrow(refused('ENGINE_OUT_OF_MEMORY'))
    expect(stage.cacheLength(stage.openCache(8))).toBe(0)
    stage.close()
  })

  test('leaves nothing behind when the weights do not come', () => {
    const missing = () => {
      throw new Error('no such tensor')
    }
    const engine = createNodeNativeEngine({ threads: 2 })
    for (let round = 0; round < 1_100; round++) {
      expect(() => engine.createStage({ ...stageOptions, weights: { matrix: missing, vector: missing } })).toThrow(
        'no such',
      )
    }
  })

  test('is refused for instructions that the processor lacks, or that compute something else', () => {
    const lacking = { ...binding, instructions: { ...binding.instructions, future: 0 } }
    const wrong = { ...binding, check: () => 0 }
    const create = (one: typeof binding, instructions: string) => () =>
      createNativeEngine({ binding: one, instructions, threads: 1 })
    expect(create(lacking, 'future')).toThrow(refused('ENGINE_UNAVAILABLE'))
    expect(create(wrong, 'generic')).toThrow(refused('ENGINE_UNAVAILABLE'))
    expect(() => createNativeEngine({ binding: wrong, threads: 1 })).toThrow(refused('ENGINE_UNAVAILABLE'))
  })

  test('is refused when it is of other sources', () => {
    expect(findBinding([NATIVE_BUILD], 'other')).toMatchObject({ message: expect.stringContaining('other sources') })
  })

  test('is the one that was delivered where none was built here', () => {
    const folder = mkdtempSync(join(tmpdir(), 'dllm-native-'))
    const [none, delivered] = [join(folder, 'none.node'), join(folder, 'exact1.node')]
    copyFileSync(NATIVE_BUILD, delivered)
    expect(findBinding([none, delivered])).toMatchObject({ path: delivered })
    expect(findBinding([none, delivered], 'other')).toMatchObject({ code: 'ENGINE_UNAVAILABLE' })
    // One that does not load is passed over, as another system's would be.
    writeFileSync(none, 'no addon')
    expect(findBinding([none, delivered])).toMatchObject({ path: delivered })
    rmSync(folder, { recursive: true })
  })
})

test('a file that is no addon, and no file, are told apart', () => {
  const text = `${NATIVE_FOLDER}/exact1.c`
  expect(findBinding([text])).toMatchObject({ code: 'ENGINE_UNAVAILABLE', message: expect.stringContaining('load') })
  expect(findBinding([`${text}.none`])).toMatchObject({ code: 'ENGINE_UNAVAILABLE' })
})
