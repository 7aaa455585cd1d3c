/** The market of the local network: its numbers go together, and what they were chosen for holds. */
import { expect, test } from 'vitest'
import { LOCAL_PARAMETERS, LOCAL_PRICE, MINER_FUNDS } from '../../../../src/app/devnet/local-market.ts'
import { openModelStore } from '../../../../src/app/model-store.ts'
import { modelWork } from '../../../../src/app/model-work.ts'
import { unitsOf } from '../../../../src/core/market/work.ts'
import { parametersFault } from '../../../../src/core/parameters.ts'

const DLLM = 1_000_000_000n

test('the parameters go together, and the price is within their bounds', () => {
  expect(parametersFault(LOCAL_PARAMETERS)).toBeUndefined()
  expect(LOCAL_PRICE).toBeGreaterThan(0n)
  expect(LOCAL_PRICE).toBeGreaterThanOrEqual(LOCAL_PARAMETERS.priceMin)
  expect(LOCAL_PRICE).toBeLessThanOrEqual(LOCAL_PARAMETERS.priceMax)
})

test('an answer of a hundred tokens costs between 0.0001 and 0.001 DLLM, and ten times what its transactions cost', () => {
  const { manifest } = openModelStore({ home: '/nowhere' }).find('genesis')
  // Eight rows of a prompt at positions 0 to 7, then a hundred of decoding.
  const counters = { promptRows: 8n, promptPositions: 28n, decodeRows: 100n, decodePositions: 5_750n }
  const cost = LOCAL_PRICE * unitsOf(modelWork(manifest), counters, LOCAL_PARAMETERS.decodeWeight)
  expect(cost).toBeGreaterThan(DLLM / 10_000n)
  expect(cost).toBeLessThan(DLLM / 1_000n)
  const fees = LOCAL_PARAMETERS.baseFeeMin * (400n + 2n * 25n + 3n * 60n + 20n)
  expect(cost).toBeGreaterThan(9n * fees)
})

test('every miner account has enough for a deposit, and none is a validator of the network', () => {
  for (const { role, account, balance } of MINER_FUNDS) {
    expect(role).toBe('operator')
    expect(account).toBeGreaterThanOrEqual(32)
    expect(balance).toBeGreaterThan(10n * LOCAL_PARAMETERS.minerDepositMin)
  }
  expect(new Set(MINER_FUNDS.map(({ account }) => account)).size).toBe(MINER_FUNDS.length)
})
