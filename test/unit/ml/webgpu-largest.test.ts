/**
 * The search for the largest logit on software GPUs, with subgroups where they have them and without, against the sampler's own.
 * Spec: docs/spec/gpu.md §10, docs/spec/numerics.md §8.2.
 * @module
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type OpenGpu, openGpuDevice } from '../../../src/app/gpu/open-device.ts'
import { FLAG } from '../../../src/ml/engine/webgpu/kernel.ts'
import { sampleToken } from '../../../src/ml/sampler.ts'
import { generator } from '../../contract/random-model.ts'
import { GPU_DRIVERS, noteMissingDrivers, useDrivers } from '../../gpu-drivers.ts'
import { openLargest } from './webgpu-lab.ts'

const GREEDY = { temperature: 0, topK: 0, topP: 1, minP: 0, repetitionPenalty: 1, seed: 0n }

/** Most are distinct. */
function random(length: number): Float32Array {
  const reals = generator(length)
  return Float32Array.from({ length }, () => reals.real(30))
}

/** A row of zeros with some others. */
function among(length: number, values: Readonly<Record<number, number>>, rest = 0): Float32Array {
  const row = new Float32Array(length).fill(rest)
  for (const [at, value] of Object.entries(values)) row[Number(at)] = value
  return row
}

/** More than all threads take at once: 64 groups of 256. */
const WIDE = 64 * 256 + 300

const ROWS: readonly (readonly [string, Float32Array])[] = [
  ['one logit', Float32Array.of(-7)],
  ['fewer than a group of threads, not a multiple of anything', random(51)],
  ['one group and a logit', random(257)],
  ['one group and a logit, which is the largest', among(257, { 256: 1 })],
  ['more than all threads take at once', random(WIDE)],
  ['more than all threads take at once, the last is the largest', among(WIDE, { [WIDE - 1]: 2 })],
  ['negative ones only', random(1_000).map((value) => -1 - Math.abs(value))],
  ['all equal', new Float32Array(700).fill(-3.5)],
  ['equals in one thread, in one group, in several', among(WIDE, { 3: 4, [64 * 256 + 3]: 4, 5: 4, 300: 4, 9000: 4 })],
  ['equals, the lower id in the later turn of its thread', among(WIDE, { [64 * 256 + 1]: 4, [64 * 256 + 200]: 4 }, -9)],
  ['−0 before +0', among(300, { 20: -0, 21: 0 }, -1)],
  ['+0 before −0', among(300, { 20: 0, 21: -0 }, -1)],
  ['−0 in another group than +0', among(600, { 2: -0, 599: 0 }, -1)],
  ['subnormals', among(300, { 7: 2 ** -149, 8: 2 ** -148, 9: -(2 ** -149) }, -0)],
  ['the ends of the finite numbers', among(300, { 250: 3.4028234663852886e38 }, -3.4028234663852886e38)],
]

const NOT_FINITE: readonly (readonly [string, Float32Array])[] = [
  ['a NaN', among(600, { 599: Number.NaN })],
  ['an infinity', among(600, { 300: Number.POSITIVE_INFINITY })],
  ['−∞ beside others', among(51, { 0: Number.NEGATIVE_INFINITY })],
  ['nothing but −∞', new Float32Array(51).fill(Number.NEGATIVE_INFINITY)],
]

describe('the largest logit', () => {
  noteMissingDrivers()

  describe.each(GPU_DRIVERS)('on $name', (driver) => {
    const refused: string[] = []
    let gpu: OpenGpu
    beforeAll(async () => {
      useDrivers(driver)
      gpu = await openGpuDevice({ allowSoftware: true })
      gpu.device.addEventListener('uncapturederror', ({ error }) => refused.push(error.message))
    })
    afterAll(async () => {
      await gpu.close()
      expect(refused).toEqual([])
    })

    test.each([true, false])('is the one that the sampler draws; subgroups: %s', async (hasSubgroups) => {
      expect(gpu.device.features.has('subgroups')).toBe(true)
      const find = openLargest(gpu.device, { arithmetic: 'native', hasSubgroups })
      for (const [what, logits] of ROWS) {
        const expected = sampleToken({ logits, options: GREEDY, history: [], position: 0 })
        expect(await find(logits, 1), what).toEqual({ ids: Uint32Array.of(expected), status: new Uint32Array(1) })
      }
      for (const [what, logits] of NOT_FINITE) {
        expect((await find(logits, 1)).status, what).toEqual(Uint32Array.of(FLAG.logits))
      }
      const many = Float32Array.from([...random(257), ...among(257, { 30: Number.NaN }), ...among(257, { 256: 9 }, 9)])
      const { ids, status } = await find(many, 3)
      expect([...status]).toEqual([0, FLAG.logits, 0])
      const first = sampleToken({ logits: many.slice(0, 257), options: GREEDY, history: [], position: 0 })
      expect([ids[0], ids[2]]).toEqual([first, 0])
    })
  })
})
