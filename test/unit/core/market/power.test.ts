/** The power ledger by day, what of it counts, when it changes, and what is issued for work. */
import { beforeEach, describe, expect, test } from 'vitest'
import { type AccountId, milliseconds } from '../../../../src/base/brand.ts'
import { endEpoch } from '../../../../src/core/block/end-of-epoch.ts'
import { placeOn } from '../../../../src/core/block/place.ts'
import { EQUAL_POWER } from '../../../../src/core/block/proposer.ts'
import { ZERO_HASH } from '../../../../src/core/fields.ts'
import { genesisState } from '../../../../src/core/genesis.ts'
import { creditUnits, DAY_BLOCKS, dayOf, forgetUnits, minerPower, powerOf } from '../../../../src/core/market/power.ts'
import { issueForWork, workBudget } from '../../../../src/core/market/work-issuance.ts'
import { getAccount } from '../../../../src/core/state/accounts.ts'
import { stateFaults } from '../../../../src/core/state/invariants.ts'
import { getMiner, type MinerRecord, newMiner, putMiner } from '../../../../src/core/state/miners.ts'
import { move } from '../../../../src/core/state/money.ts'
import { powers, putPowers } from '../../../../src/core/state/powers.ts'
import { createStateStore, type Overlay, overlayOn } from '../../../../src/core/state/state.ts'
import { getSupply, putSupply } from '../../../../src/core/state/supply.ts'
import { EMPTY_TREE } from '../../../../src/core/state/tree.ts'
import { peerKeyOf } from '../../../audit-world.ts'
import { DLLM, type Person, person, testGenesis } from '../../../chain-accounts.ts'

const genesis = testGenesis({ depositPerPower: 10n })
const { parameters } = genesis
const [ann, ben, cleo] = [1, 2, 3].map(person) as [Person, Person, Person]
let state: Overlay

beforeEach(() => {
  state = overlayOn(createStateStore(genesisState(genesis)))
})

const mine = (who: Person, fields: Partial<MinerRecord>, payout: AccountId = who.id): void => {
  putMiner(state, who.id, newMiner({ payout, peerKey: peerKeyOf(who).publicKey, device: 'cpu' }, 1))
  move(state, { amount: DLLM, from: { type: 'account', id: who.id }, to: { type: 'collateral', operator: who.id } })
  putMiner(state, who.id, { ...getMiner(state, who.id)!, ...fields })
}
const sound = (): void => {
  const store = createStateStore(genesisState(genesis))
  store.merge(state.changes())
  expect(stateFaults(store)).toEqual([])
}

describe('days', () => {
  const empty = newMiner({ payout: ann.id, peerKey: new Uint8Array(32), device: 'cpu' }, 1)

  test('are counted in blocks', () => {
    expect([0, DAY_BLOCKS - 1, DAY_BLOCKS, 15 * DAY_BLOCKS].map(dayOf)).toEqual([0, 0, 1, 15])
  })

  test('add up what was credited on them, the newest first', () => {
    let miner = creditUnits(empty, 3, 5n)
    miner = creditUnits(miner, 3, 6n)
    miner = creditUnits(miner, 5, 7n)
    expect(miner.day).toBe(5)
    expect(miner.dailyUnits.slice(0, 4)).toEqual([7n, 0n, 11n, 0n])
    expect(miner.dailyUnits).toHaveLength(14)
  })

  test.each([
    [5, 7n + 11n],
    [16, 7n + 11n],
    [17, 7n],
    [18, 7n],
    [19, 0n],
    [10_000, 0n],
  ])('on day %i are %i units of the last fourteen', (day, sum) => {
    const miner = creditUnits(creditUnits(empty, 3, 11n * 14n), 5, 7n * 14n)
    expect(minerPower({ ...miner, deposit: DLLM }, day, { depositPerPower: 1n })).toBe(sum)
  })

  test('hold no more than a u64', () => {
    expect(creditUnits(creditUnits(empty, 1, 2n ** 64n - 1n), 1, 9n).dailyUnits[0]).toBe(2n ** 64n - 1n)
  })

  test('count as far as a deposit stands behind them, and not for who was slashed out or at fault', () => {
    const miner = { ...creditUnits(empty, 3, 14_000n), deposit: 5_000n }
    expect(minerPower(miner, 3, { depositPerPower: 1n })).toBe(1_000n)
    expect(minerPower(miner, 3, { depositPerPower: 50n })).toBe(100n)
    expect(minerPower({ ...miner, status: 'slashed-out' }, 3, { depositPerPower: 1n })).toBe(0n)
    expect(minerPower(forgetUnits(miner), 3, { depositPerPower: 1n })).toBe(0n)
  })
})

describe('power', () => {
  test('is equal until the set of an epoch has any', () => {
    for (const height of [1, 10, 25]) {
      expect(powerOf(state).powerOf(ann.id, height)).toBe(EQUAL_POWER.powerOf(ann.id, height))
    }
  })

  test('is drawn at the end of an epoch for the one after the next, and stays for that epoch', () => {
    mine(ann, { dailyUnits: [140n, ...Array<bigint>(13).fill(0n)] })
    mine(cleo, { dailyUnits: [1_400n, ...Array<bigint>(13).fill(0n)] })
    endEpoch(state, { epoch: 0, height: 10, parameters })
    putMiner(state, ann.id, { ...getMiner(state, ann.id)!, ...creditUnits(getMiner(state, ann.id)!, 0, 10_000n) })
    // Cleo does not validate: the record is of the set.
    expect([...powers(state)]).toEqual([[2, new Map([[ann.id, 10n]])]])
    const source = powerOf(state)
    expect([11, 20, 21, 30].map((height) => source.powerOf(ann.id, height))).toEqual([1n, 1n, 10n, 10n])
    expect([20, 21].map((height) => source.powerOf(ben.id, height))).toEqual([1n, 0n])
    sound()
  })

  test('of epochs that are over is forgotten', () => {
    mine(ann, { dailyUnits: [140n, ...Array<bigint>(13).fill(0n)] })
    for (const epoch of [0, 1, 2, 3, 4]) endEpoch(state, { epoch, height: 10 * (epoch + 1), parameters })
    expect([...powers(state)].map(([epoch]) => epoch)).toEqual([4, 5, 6])
    sound()
  })

  test('of the state weighs who proposes', () => {
    const proposersOf = (): number[] => {
      const parent = { height: 0, hash: ZERO_HASH, timeMs: milliseconds(1) }
      const place = placeOn(parent, { networkId: ZERO_HASH, state, tree: EMPTY_TREE })
      return Array.from({ length: 300 }, (_, round) => place.proposerOf(round))
    }
    const first = (): number => proposersOf().filter((at) => at === 0).length
    // Both have the same stake: half of the draws, then 15 in 100 of stake and all 70 of work.
    expect(Math.abs(first() - 150)).toBeLessThan(60)
    const [id] = [ann.id, ben.id].sort()
    putPowers(state, 0, new Map([[id!, 5n]]))
    expect(Math.abs(first() - 255)).toBeLessThan(45)
  })
})

describe('issuance for work', () => {
  test('pays what the values say while there is enough', () => {
    mine(ann, { workValue: 30n })
    mine(cleo, { workValue: 12n }, ben.id)
    const before = [ann, ben].map(({ id }) => getAccount(state, id).balance)
    expect(issueForWork(state, 3, parameters)).toEqual({
      issued: 42n,
      paid: [
        { epoch: 3, operator: ann.id, payout: ann.id, value: 30n, pay: 30n },
        { epoch: 3, operator: cleo.id, payout: ben.id, value: 12n, pay: 12n },
      ].toSorted((one, other) => (one.operator < other.operator ? -1 : 1)),
    })
    expect([ann, ben].map(({ id }, at) => getAccount(state, id).balance - before[at]!)).toEqual([30n, 12n])
    expect([ann, cleo].map(({ id }) => getMiner(state, id)!.workValue)).toEqual([0n, 0n])
    expect(getSupply(state)).toMatchObject({ issued: 42n, pool: 0n })
    sound()
  })

  test('scales all down together to what an epoch may issue', () => {
    const budget = workBudget(parameters)
    expect(budget).toBe((10n * 2n * DLLM * 6n) / 10n)
    mine(ann, { workValue: budget * 3n })
    mine(cleo, { workValue: budget })
    const before = getAccount(state, ann.id).balance
    expect(issueForWork(state, 0, parameters).issued).toBe(budget)
    expect(getAccount(state, ann.id).balance - before).toBe((budget * 3n) / 4n)
    sound()
  })

  test('never makes more grains than there can be, and leaves what rounding leaves in the pool', () => {
    mine(ann, { workValue: 10n })
    mine(cleo, { workValue: 10n })
    putSupply(state, { ...getSupply(state), issued: 2n ** 64n - 1n - getSupply(state).genesis - 7n })
    const { issued, paid } = issueForWork(state, 0, parameters)
    expect({ issued, pays: paid.map(({ pay }) => pay) }).toEqual({ issued: 7n, pays: [3n, 3n] })
    expect(getSupply(state).pool).toBe(1n)
  })

  test('is told at the end of the epoch', () => {
    mine(ann, { workValue: 30n }, ben.id)
    const paid = { type: 'issued', epoch: 4, operator: ann.id, payout: ben.id, value: 30n, pay: 30n }
    for (const epoch of [0, 1, 2, 3]) endEpoch(state, { epoch, height: 10 * (epoch + 1), parameters })
    mine(ann, { workValue: 30n }, ben.id)
    expect(endEpoch(state, { epoch: 4, height: 50, parameters })).toEqual([paid])
  })

  test('is nothing without audited work', () => {
    mine(ann, {})
    expect(issueForWork(state, 0, parameters)).toEqual({ issued: 0n, paid: [] })
    expect(getSupply(state).issued).toBe(0n)
  })
})
