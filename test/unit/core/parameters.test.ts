/** Parameters: what no vote can set, what a refusal says, and what the first values are worth. */
import { describe, expect, test } from 'vitest'
import {
  INITIAL_PARAMETERS,
  PARAMETER_NAMES,
  PARAMETERS,
  type ParameterChange,
  parameterFault,
  parametersFault,
  withChanges,
} from '../../../src/core/parameters.ts'
import { transfer } from '../../../src/core/transaction/transfer.ts'

const DLLM = 1_000_000_000n
/** Grains that `network create` and the local network begin with. */
const GENESIS_SUPPLY = 1_000_000n * DLLM
const BLOCKS_PER_HOUR = 1_800n

test.each(PARAMETER_NAMES)(
  '%s has a first value within its bounds, and a refusal says name, bounds and unit',
  (name) => {
    const { initial, min, max, unit } = PARAMETERS[name]
    expect(parameterFault(name, initial)).toBeUndefined()
    for (const value of [min - 1n, max + 1n]) {
      expect(parameterFault(name, value)).toBe(
        `${name} must be a whole number from ${min} to ${max} (${unit}), not ${value}`,
      )
    }
  },
)

test.each<[string, ParameterChange[], RegExp | undefined]>([
  [
    'a target above the bound of a block',
    [{ name: 'blockUnitsTarget', value: 60_001n }],
    /blockUnitsTarget must be at most/,
  ],
  [
    'stake that leaves after two epochs',
    [
      { name: 'epochBlocks', value: 100n },
      { name: 'unbondingBlocks', value: 299n },
    ],
    /at least 3 epochs, here 300 blocks.*raise it, or choose shorter epochs/,
  ],
  [
    'stake that leaves after three epochs',
    [
      { name: 'epochBlocks', value: 100n },
      { name: 'unbondingBlocks', value: 300n },
    ],
    undefined,
  ],
])('together: %s', (_what, changes, fault) => {
  const found = parametersFault(withChanges(INITIAL_PARAMETERS, changes))
  if (fault === undefined) expect(found).toBeUndefined()
  else expect(found).toMatch(fault)
})

describe('the lowest base fee', () => {
  const { baseFeeMin, blockUnitsTarget } = INITIAL_PARAMETERS

  test('makes an hour of blocks, as full as can be without the price rising, cost a twentieth of a per cent of the supply', () => {
    const burnt = baseFeeMin * blockUnitsTarget * BLOCKS_PER_HOUR
    expect(burnt * 2_000n).toBeGreaterThanOrEqual(GENESIS_SUPPLY)
  })

  test('lets a DLLM pay for ten thousand transfers', () => {
    const units = BigInt(transfer.units({ to: '' as never, amount: 1n, memo: new Uint8Array(0) }))
    expect(DLLM / (units * baseFeeMin)).toBeGreaterThanOrEqual(10_000n)
  })
})

test('no vote makes the end of an epoch pay more than 16,384 bonds', () => {
  const bonds = PARAMETERS.validatorsMax.max * PARAMETERS.bondsPerValidatorMax.max
  expect(bonds).toBeLessThanOrEqual(16_384n)
})
