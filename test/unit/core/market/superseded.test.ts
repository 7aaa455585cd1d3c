/** What becomes of a model whose place another took: its last leases, the way back, and its end. */
import { describe, expect, test } from 'vitest'
import { MARKET_LIMITS } from '../../../../src/base/chain-limits.ts'
import { getAccount, TREASURY } from '../../../../src/core/state/accounts.ts'
import { canaryReports } from '../../../../src/core/state/canary-reports.ts'
import { leases } from '../../../../src/core/state/leases.ts'
import { getModel, newModel, putModel } from '../../../../src/core/state/models.ts'
import { move } from '../../../../src/core/state/money.ts'
import { getPlacement, placementIds } from '../../../../src/core/state/placements.ts'
import { DLLM, type Person } from '../../../chain-accounts.ts'
import {
  balanceOf,
  CANARY,
  change,
  cleo,
  dan,
  endBlocks,
  endUntil,
  leasing,
  lifeWorld,
  MINERS,
  placing,
  publishing,
  recordOf,
  refuses,
  reporting,
  retiring,
  run,
  statusOf,
  upgrade,
  V1,
  V2,
  V3,
  voteIn,
} from '../../../life-world.ts'

const [first] = MINERS as [Person]
const numbered = (number: number) => `${number.toString(16).padStart(4, '0')}${'0'.repeat(60)}` as typeof V1

describe('a superseded model', () => {
  test('has no new leases, names its successor, and ends those it has', () => {
    const world = lifeWorld()
    run(world, dan, leasing(V1, 35))
    upgrade(world, V2)
    const refusal = refuses(world, dan, leasing(V1, world.context.height + 5))
    expect(refusal).toMatchObject({ code: 'MODEL_SUPERSEDED', details: { model: V1, successor: V2 } })
    expect(String(refusal)).toContain(`v-b2 (${V2})`)
    expect([...leases(world.state)].map(([, { model, status }]) => [model, status])).toEqual([[V1, 'open']])
    const before = balanceOf(world, dan)
    endUntil(world, 35 + 4)
    expect([[...leases(world.state)], balanceOf(world, dan)]).toEqual([[], before + DLLM])
  })

  test('can be placed on, because its last leases are audited and a vote may bring it back', () => {
    const world = lifeWorld()
    upgrade(world, V2)
    run(world, first, placing(V1, { until: 400 }))
    expect(getPlacement(world.state, { model: V1, operator: first.id })?.until).toBe(400)
    expect(refuses(world, first, reporting(V1, true)).code).toBe('MODEL_NOT_APPROVED')
  })

  test('retires by itself, gives its deposit back and leaves nothing', () => {
    const world = lifeWorld()
    upgrade(world, V2)
    const { dueHeight } = recordOf(world, V1)
    const before = balanceOf(world, cleo)
    endUntil(world, dueHeight! - 1)
    expect(statusOf(world, V1)).toBe('superseded')
    expect(endBlocks(world, 1)).toEqual([{ type: 'model', model: V1, publisher: cleo.id, change: 'retired' }])
    expect([statusOf(world, V1), ...placementIds(world.state, V1)]).toEqual(['gone'])
    expect(balanceOf(world, cleo)).toBe(before + 10n * DLLM)
    run(world, dan, publishing(V1))
    expect(statusOf(world, V1)).toBe('active')
  })

  test('stays as a record while lots of it are open', () => {
    // A vote made leases longer than what it takes to retire.
    const world = lifeWorld({ leaseBlocksMax: 500n })
    run(world, dan, leasing(V1, 200))
    upgrade(world, V2)
    endUntil(world, recordOf(world, V1).dueHeight!)
    expect(recordOf(world, V1)).toMatchObject({
      status: 'retired',
      deposit: 0n,
      successor: undefined,
      dueHeight: undefined,
    })
    expect([...placementIds(world.state, V1)]).toHaveLength(1)
    expect(refuses(world, dan, publishing(V1)).code).toBe('MODEL_EXISTS')
    endUntil(world, 204)
    expect([...placementIds(world.state, V1)]).toEqual([])
  })

  test('can be retired earlier by its publisher', () => {
    const world = lifeWorld()
    upgrade(world, V2)
    const before = balanceOf(world, cleo)
    run(world, cleo, retiring(V1))
    expect([statusOf(world, V1), balanceOf(world, cleo) - before]).toEqual(['gone', 10n * DLLM - 20n * 12n])
  })

  test('has its place back when its successor is retired, at the price of now', () => {
    const world = lifeWorld()
    upgrade(world, V2)
    change(world, (state) => putModel(state, V2, { ...recordOf(world, V2), price: 19n }))
    run(world, dan, leasing(V2, world.context.height + 20))
    run(world, cleo, retiring(V2))
    expect(recordOf(world, V1)).toMatchObject({
      status: 'active',
      price: 19n,
      successor: undefined,
      dueHeight: undefined,
    })
    run(world, dan, leasing(V1, world.context.height + 20))
    expect(statusOf(world, V2)).toBe('retired')
  })

  test('stays superseded when it was superseded by another one than is retired, or by a rollback', () => {
    const world = lifeWorld()
    upgrade(world, V2)
    upgrade(world, V3, { predecessor: V2 })
    run(world, cleo, retiring(V2))
    expect([V1, V3].map((model) => statusOf(world, model))).toEqual(['superseded', 'active'])
    const other = lifeWorld()
    upgrade(other, V2)
    endUntil(other, voteIn(other, V1))
    run(other, cleo, retiring(V1))
    expect([V1, V2].map((model) => statusOf(other, model))).toEqual(['gone', 'superseded'])
  })

  test('of the genesis file has no deposit to give back', () => {
    const world = lifeWorld()
    change(world, (state) => {
      move(state, { amount: 10n * DLLM, from: { type: 'model', model: V1 }, to: { type: 'account', id: cleo.id } })
      putModel(state, V1, { ...getModel(state, V1)!, publisher: TREASURY })
    })
    upgrade(world, V2)
    endUntil(world, recordOf(world, V1).dueHeight!)
    expect([statusOf(world, V1), getAccount(world.state, TREASURY).balance]).toEqual(['gone', 0n])
  })

  test('is followed by one version after another', () => {
    const world = lifeWorld()
    upgrade(world, V2)
    expect(refuses(world, cleo, publishing(V3, { predecessor: V1 })).code).toBe('PREDECESSOR_NOT_ACTIVE')
    upgrade(world, V3, { predecessor: V2 })
    expect([V1, V2, V3].map((model) => statusOf(world, model))).toEqual(['superseded', 'superseded', 'active'])
    expect([recordOf(world, V1).successor, recordOf(world, V2).successor]).toEqual([V2, V3])
  })
})

describe('a rollback', () => {
  test('swaps the two, and the price goes on', () => {
    const world = lifeWorld()
    upgrade(world, V2)
    change(world, (state) => putModel(state, V2, { ...recordOf(world, V2), price: 23n }))
    const due = voteIn(world, V1)
    expect(recordOf(world, V1)).toMatchObject({ status: 'approved', successor: V2 })
    // It still says who has its place.
    expect(refuses(world, dan, leasing(V1, due)).code).toBe('MODEL_SUPERSEDED')
    expect(endUntil(world, due)).toMatchObject([
      { model: V1, change: 'activated', superseded: V2 },
      { model: V2, change: 'superseded', successor: V1, height: due + 60 },
    ])
    expect(recordOf(world, V1)).toMatchObject({
      status: 'active',
      price: 23n,
      successor: undefined,
      predecessor: undefined,
    })
    expect(recordOf(world, V2)).toMatchObject({ status: 'superseded', successor: V1, deposit: 10n * DLLM })
    run(world, dan, leasing(V1, world.context.height + 5))
    voteIn(world, V2)
    endUntil(world, recordOf(world, V2).dueHeight!)
    expect([V1, V2].map((model) => statusOf(world, model))).toEqual(['superseded', 'active'])
  })

  test('that nobody serves leaves it superseded, with all the time to come back', () => {
    const world = lifeWorld()
    upgrade(world, V2)
    for (const miner of MINERS) run(world, miner, placing(V1, { slots: 0 }))
    const due = voteIn(world, V1)
    endUntil(world, due + 10)
    expect(recordOf(world, V1)).toMatchObject({ status: 'superseded', successor: V2, dueHeight: due + 70, tries: 0 })
    expect(statusOf(world, V2)).toBe('active')
  })

  test('asks for its canary anew', () => {
    const world = lifeWorld()
    run(world, cleo, publishing(V3, { canary: CANARY }))
    for (const miner of MINERS) run(world, miner, placing(V3))
    upgrade(world, V2, { predecessor: V3 })
    const due = voteIn(world, V3)
    expect(endUntil(world, due)).toMatchObject([{ change: 'postponed', lack: 'unserved' }])
    for (const miner of MINERS) run(world, miner, reporting(V3, true))
    endUntil(world, due + 5)
    expect([V2, V3].map((model) => statusOf(world, model))).toEqual(['superseded', 'active'])
  })

  test('comes at once where its successor is retired before the height that was voted on', () => {
    const world = lifeWorld()
    upgrade(world, V2)
    change(world, (state) => putModel(state, V2, { ...recordOf(world, V2), price: 19n }))
    const due = voteIn(world, V1)
    run(world, cleo, retiring(V2))
    const back = { status: 'active', price: 19n, successor: undefined, dueHeight: undefined, tries: 0 }
    expect([recordOf(world, V1), statusOf(world, V2)]).toMatchObject([back, 'gone'])
    run(world, dan, leasing(V1, world.context.height + 5))
    expect(endUntil(world, due)).toEqual([])
  })

  test('comes at once after looks in vain and with reports of its canary, which go', () => {
    const world = lifeWorld()
    run(world, cleo, publishing(V3, { canary: CANARY }))
    upgrade(world, V2, { predecessor: V3 })
    const due = voteIn(world, V3)
    run(world, first, reporting(V3, false))
    expect(endUntil(world, due)).toMatchObject([{ change: 'postponed' }])
    run(world, cleo, retiring(V2))
    expect([recordOf(world, V3), [...canaryReports(world.state, V3)]]).toMatchObject([
      { status: 'active', tries: 0 },
      [],
    ])
  })

  test('of who was superseded by a rollback comes at once too, and before a predecessor', () => {
    const world = lifeWorld()
    upgrade(world, V2)
    upgrade(world, V3, { predecessor: V2 })
    endUntil(world, voteIn(world, V2))
    expect([V1, V2, V3].map((model) => statusOf(world, model))).toEqual(['superseded', 'active', 'superseded'])
    voteIn(world, V3)
    // V1 says that V2 took its place as well, and no vote was on it.
    run(world, cleo, retiring(V2))
    expect([V1, V2, V3].map((model) => statusOf(world, model))).toEqual(['superseded', 'gone', 'active'])
  })

  test('is overtaken by a third version', () => {
    const world = lifeWorld()
    upgrade(world, V2)
    const due = voteIn(world, V1)
    change(world, (state) => putModel(state, V1, { ...recordOf(world, V1), dueHeight: due + 40 }))
    upgrade(world, V3, { predecessor: V2 })
    expect(endUntil(world, due + 40)).toMatchObject([{ model: V1, change: 'given-up', lack: 'overtaken' }])
    expect([V1, V2, V3].map((model) => statusOf(world, model))).toEqual(['superseded', 'superseded', 'active'])
  })
})

test('one block looks at so many models, those that wait longest first', () => {
  const world = lifeWorld()
  const count = MARKET_LIMITS.dueModelsPerBlock + 2
  change(world, (state) => {
    const record = newModel({ ...recordOf(world, V1), predecessor: V1 }, { publisher: dan.id, height: 1 })
    for (let number = 0; number < count; number++) {
      putModel(state, numbered(number), { ...record, status: 'superseded', successor: V1, dueHeight: 5 - (number % 2) })
    }
  })
  const even = Array.from({ length: count }, (_, number) => number).filter((number) => number % 2 === 0)
  expect(endUntil(world, 4)).toHaveLength(count / 2)
  expect(endUntil(world, 5).map(({ model }) => model)).toEqual(even.map(numbered))
  change(world, (state) => {
    const record = newModel({ ...recordOf(world, V1), predecessor: V1 }, { publisher: dan.id, height: 1 })
    for (let number = 0; number < count; number++) {
      putModel(state, numbered(number), { ...record, status: 'superseded', successor: V1, dueHeight: 9 })
    }
  })
  endUntil(world, 8)
  expect([endBlocks(world, 1).length, endBlocks(world, 1).length]).toEqual([MARKET_LIMITS.dueModelsPerBlock, 2])
})
