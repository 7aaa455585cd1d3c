/** The native engine's addon: what it refuses, what it starts, what it leaves behind. @module */
import { readdirSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import { describe, expect, test } from 'vitest'
import { createNodeNativeEngine, findBinding } from '../../../src/app/native-engine.ts'
import { NATIVE_BUILD, NATIVE_FOLDER } from '../../../src/app/native-files.ts'
import { createNativeEngine } from '../../../src/ml/engine/native.ts'
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

  test.each<[string, () => unknown]>([
    ['a stage that is not open', () => binding.weightBytes(1_000)],
    ['a number that is none', () => binding.close('one' as unknown as number)],
    ['instructions that are none', () => binding.open('mmx', new Uint32Array(14), new Float32Array(5))],
    ['too few numbers', () => binding.open('generic', new Uint32Array(3), new Float32Array(5))],
    ['arrays of another kind', () => binding.open('generic', new Float32Array(14) as never, new Float32Array(5))],
  ])('refuses %s', (_what, call) => {
    expect(call).toThrow(TypeError)
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
})

test('a file that is no addon, and no file, are told apart', () => {
  const text = `${NATIVE_FOLDER}/exact1.c`
  expect(findBinding([text])).toMatchObject({ code: 'ENGINE_UNAVAILABLE', message: expect.stringContaining('load') })
  expect(findBinding([`${text}.none`])).toMatchObject({ code: 'ENGINE_UNAVAILABLE' })
})
