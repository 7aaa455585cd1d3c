import { expect, test } from 'vitest'
import { createNodeWasmEngine } from '../../../src/app/wasm-engine.ts'
import {
  type DeviceEngine,
  type Engine,
  EngineError,
  type Stage,
  type StepInput,
  type StepOutput,
} from '../../../src/ml/engine/engine.ts'
import { createReferenceEngine } from '../../../src/ml/engine/reference.ts'
import { testNumbers } from '../../../src/ml/engine/self-test.ts'

const FORMATS = ['q8', 'q4', 'f32'] as const

type Change = (output: StepOutput, step: StepInput) => StepOutput

/** An engine of this thread as one of a device, whose outputs may be changed. */
function asDevice(engine: Engine, change: Change = (output) => output): DeviceEngine {
  return {
    name: 'webgpu',
    numbers: 'exact',
    async createStage(options) {
      const stage: Stage = engine.createStage(options)
      return {
        config: stage.config,
        range: stage.range,
        weightBytes: stage.weightBytes,
        openCache: (capacity, part) => stage.openCache(capacity, part),
        closeCache: (cache) => stage.closeCache(cache),
        cacheLength: (cache) => stage.cacheLength(cache),
        shareCache: (from, to, rows) => stage.shareCache(from, to, rows),
        run: async (batch) => stage.run(batch).map((output, at) => change(output, batch[at]!)),
        lost: new Promise(() => undefined),
        close: async () => stage.close(),
      }
    },
  }
}

const ofValues =
  (change: (value: number) => number) =>
  (output: StepOutput): StepOutput =>
    output.type === 'failed' ? output : { ...output, values: output.values.map(change) }

test('engines of the exact class pass', async () => {
  expect(await testNumbers(asDevice(createReferenceEngine()), FORMATS)).toBeUndefined()
  expect(await testNumbers(asDevice(createNodeWasmEngine({ threads: 1 })), FORMATS)).toBeUndefined()
})

test('the rows reach what drivers do to small numbers', async () => {
  const flushed = ofValues((value) => (Math.abs(value) < 2 ** -126 ? 0 * value : value))
  expect(await testNumbers(asDevice(createReferenceEngine(), flushed), FORMATS)).toMatchObject({ format: 'q8' })
})

test('one last bit is found, and said', async () => {
  const rounded = ofValues((value) => (Math.abs(value) > 1e16 ? Math.fround(value * (1 + 2 ** -23)) : value))
  expect(await testNumbers(asDevice(createReferenceEngine(), rounded), FORMATS)).toEqual({
    ...{ what: 'rows with one large value', format: 'q8' },
    ...{ differing: expect.any(Number), count: expect.any(Number) },
  })
})

test.each([
  [0, undefined],
  [1, { what: 'the largest logits', format: 'q8', differing: 8, count: 8 }],
])('a device that says which logit is the largest, off by %d', async (off, expected) => {
  const saying = (output: StepOutput, { largestOnly }: StepInput): StepOutput => {
    if (!largestOnly || output.type !== 'logits') return output
    const rows = Array.from({ length: output.values.length / 300 }, (_, row) =>
      output.values.slice(row * 300, (row + 1) * 300),
    )
    const largest = Int32Array.from(rows, (row) => row.indexOf(Math.max(...row)) + off)
    return { type: 'logits', values: new Float32Array(0), largest }
  }
  expect(await testNumbers(asDevice(createReferenceEngine(), saying), ['q8'])).toEqual(expected)
})

test('a device that refuses rows fails', async () => {
  const error = new EngineError('ENGINE_OUT_OF_MEMORY', 'No memory.')
  const found = await testNumbers(
    asDevice(createReferenceEngine(), () => ({ type: 'failed', error })),
    FORMATS,
  )
  expect(found).toMatchObject({ what: 'ordinary rows', format: 'q8' })
})

test('a device that makes a finite number of what overflows fails', async () => {
  const values = new Float32Array(7 * 40)
  const found = await testNumbers(
    asDevice(createReferenceEngine(), (output) => (output.type === 'failed' ? { type: 'hidden', values } : output)),
    FORMATS,
  )
  expect(found).toMatchObject({ what: 'rows too large', format: 'q8' })
})

test.each([
  ['attention', 21 * 40],
  ['a wide head', 21 * 33],
])('more rows than a loop takes at once go through %s', async (_what, count) => {
  const last = (output: StepOutput): StepOutput =>
    output.type !== 'failed' && output.values.length === count
      ? { ...output, values: output.values.map((value, at) => (at === count - 1 ? value * (1 + 2 ** -20) : value)) }
      : output
  expect(await testNumbers(asDevice(createReferenceEngine(), last), ['q8'])).toMatchObject({
    ...{ what: 'many rows', differing: 1 },
  })
})
