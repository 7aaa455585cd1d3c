/**
 * The arithmetic of the exact engine on software GPUs, bit for bit against this machine's own: each function over hard and random numbers.
 * Spec: docs/spec/gpu.md §8.
 * @module
 */
import { describe, expect, test } from 'vitest'
import { openGpuDevice } from '../../../src/app/gpu/open-device.ts'
import { GPU_DRIVERS, noteMissingDrivers, useDrivers } from '../../gpu-drivers.ts'
import { type LabFunction, openLab } from './webgpu-lab.ts'
import { bitsOf, EXPECTED, exponents, floatOf, pairs, partsOf, products, roundings } from './webgpu-numbers.ts'

const PAIRS = pairs()
const TABLE: readonly (readonly [Exclude<LabFunction, 'product'>, readonly (readonly number[])[]])[] = [
  ['add', PAIRS],
  ['multiply', PAIRS],
  ['divide', PAIRS],
  ['squareRoot', PAIRS.map(([a]) => [a! & 0x7fff_ffff]).filter(([a]) => a! <= 0x7f80_0000)],
  ['exponential', exponents()],
  ['nearest', roundings()],
]

/** Where a driver's word is not the expected one; any NaN is as good as another. */
function wrong(inputs: readonly (readonly number[])[], found: Uint32Array, expected: readonly number[]): string[] {
  return inputs.flatMap((input, index) => {
    const word = found[index]!
    const same = word === expected[index] || (Number.isNaN(floatOf(word)) && Number.isNaN(floatOf(expected[index]!)))
    return same
      ? []
      : [`${input.map((bits) => bits.toString(16))} -> ${word.toString(16)}, not ${expected[index]?.toString(16)}`]
  })
}

describe('arithmetic in WGSL', () => {
  noteMissingDrivers()
  const ways = GPU_DRIVERS.flatMap((driver) => (['soft', 'native'] as const).map((way) => ({ driver, way })))

  test.each(ways)('$driver.name, $way: every function gives the bits of IEEE', async ({ driver, way }) => {
    useDrivers(driver)
    const gpu = await openGpuDevice({ allowSoftware: true })
    const refused: string[] = []
    gpu.device.addEventListener('uncapturederror', ({ error }) => refused.push(error.message))
    const lab = openLab(gpu.device, { arithmetic: way })
    for (const [name, inputs] of TABLE) {
      const expected = inputs.map(([a, b]) => EXPECTED[name](a!, b ?? 0))
      expect(wrong(inputs, await lab(name, inputs), expected).slice(0, 5), name).toEqual([])
    }
    const cases = products()
    const inputs = cases.map(({ sum, scales }) => [...partsOf(sum), ...scales])
    const expected = cases.map(({ sum, scales }) => bitsOf(sum * floatOf(scales[0]) * floatOf(scales[1])))
    expect(wrong(inputs, await lab('product', inputs), expected).slice(0, 5), 'product').toEqual([])
    await gpu.close()
    expect(refused).toEqual([])
  })
})
