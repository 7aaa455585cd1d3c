/** The life of a model from its approval on: looks, activation, supersession, rollback, retirement. */
import { describe, expect, test } from 'vitest'
import { hash } from '../../../../src/base/brand.ts'
import { readinessOf } from '../../../../src/core/market/readiness.ts'
import { canaryReports } from '../../../../src/core/state/canary-reports.ts'
import { getMiner, putMiner } from '../../../../src/core/state/miners.ts'
import { modelDues } from '../../../../src/core/state/model-dues.ts'
import { putModel } from '../../../../src/core/state/models.ts'
import { placementIds } from '../../../../src/core/state/placements.ts'
import { DLLM, type Person } from '../../../chain-accounts.ts'
import {
  approved,
  balanceOf,
  CANARY,
  change,
  cleo,
  dan,
  endBlocks,
  endUntil,
  type LifeWorld,
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
  SEGMENTS,
  statusOf,
  upgrade,
  V1,
  V2,
  V3,
  voteIn,
} from '../../../life-world.ts'

const [first, second, third, fourth] = MINERS as [Person, Person, Person, Person]
const lacks = (events: ReturnType<typeof endBlocks>) =>
  events.map((event) => ('lack' in event ? `${event.change}: ${event.lack}` : event.change))

describe('an approved model', () => {
  test('can be placed on and not leased, and its price stays', () => {
    const world = lifeWorld({ priceBlocks: 1n })
    approved(world, V2)
    run(world, first, placing(V2))
    expect(refuses(world, dan, leasing(V2, world.context.height + 5)).code).toBe('MODEL_NOT_ACTIVE')
    endBlocks(world, 3)
    expect([recordOf(world, V1).price < 10n, recordOf(world, V2).price]).toEqual([true, 10n])
  })

  test('becomes active when its segments have owners enough, in the place and at the price of its predecessor', () => {
    const world = lifeWorld()
    const due = approved(world, V2, { price: 77n })
    for (const miner of [first, second]) run(world, miner, placing(V2))
    change(world, (state) => putModel(state, V1, { ...recordOf(world, V1), price: 13n }))
    expect(endUntil(world, due - 1)).toEqual([])
    expect(endBlocks(world, 1)).toEqual([
      { type: 'model', model: V2, publisher: cleo.id, change: 'activated', superseded: V1 },
      { type: 'model', model: V1, publisher: cleo.id, change: 'superseded', successor: V2, height: due + 60 },
    ])
    expect(recordOf(world, V2)).toMatchObject({
      status: 'active',
      price: 13n,
      dueHeight: undefined,
      successor: undefined,
    })
    expect(recordOf(world, V1)).toMatchObject({ status: 'superseded', successor: V2, dueHeight: due + 60 })
    run(world, dan, leasing(V2, world.context.height + 5))
  })

  test.each<[string, (world: LifeWorld) => void]>([
    ['nobody serves it', () => {}],
    ['one owner serves it', (world) => run(world, first, placing(V2))],
    [
      'a segment has one owner',
      (world) => {
        run(world, first, placing(V2))
        run(world, second, placing(V2, { end: SEGMENTS - 1 }))
        run(world, third, placing(V2, { end: SEGMENTS - 1 }))
      },
    ],
    [
      'two operators of one owner serve it',
      (world) => {
        change(world, (state) => putMiner(state, second.id, { ...getMiner(state, second.id)!, payout: first.id }))
        for (const miner of [first, second]) run(world, miner, placing(V2))
      },
    ],
    [
      'placements end before the first lease could be opened',
      (world) => {
        run(world, first, placing(V2))
        run(world, second, placing(V2, { until: recordOf(world, V2).dueHeight! }))
      },
    ],
    [
      'who placed itself has left',
      (world) => {
        for (const miner of [first, second]) run(world, miner, placing(V2))
        run(world, second, { type: 11, body: { amount: 2n * DLLM } })
      },
    ],
  ])('waits while %s', (_case, serve) => {
    const world = lifeWorld()
    const due = approved(world, V2)
    serve(world)
    const [event] = endUntil(world, due)
    expect(event).toMatchObject({ change: 'postponed', lack: 'unserved', height: due + 5 })
    expect(recordOf(world, V2)).toMatchObject({ status: 'approved', dueHeight: due + 5, tries: 1 })
    for (const miner of [third, fourth]) run(world, miner, placing(V2))
    endUntil(world, due + 5)
    expect([statusOf(world, V1), statusOf(world, V2)]).toEqual(['superseded', 'active'])
  })

  test('counts an owner once for a segment that two of its operators serve, and for all that either serves', () => {
    const world = lifeWorld()
    const due = approved(world, V2)
    change(world, (state) => putMiner(state, second.id, { ...getMiner(state, second.id)!, payout: first.id }))
    run(world, first, placing(V2, { end: 2 }))
    run(world, second, placing(V2, { first: 1 }))
    const { owners } = readinessOf(world.state, { model: V2, record: recordOf(world, V2) }, world.context)
    expect(owners).toEqual([1, 1, 1])
    run(world, third, placing(V2))
    endUntil(world, due)
    expect(statusOf(world, V2)).toBe('active')
  })

  test('is published again after as many looks as there are, and another vote can try', () => {
    const world = lifeWorld()
    const due = approved(world, V2, { canary: CANARY })
    run(world, first, placing(V2))
    run(world, first, reporting(V2, true))
    expect(lacks(endUntil(world, due + 10))).toEqual([
      'postponed: unserved',
      'postponed: unserved',
      'given-up: unserved',
    ])
    expect(recordOf(world, V2)).toMatchObject({
      status: 'published',
      dueHeight: undefined,
      tries: 0,
      deposit: 10n * DLLM,
    })
    expect([...placementIds(world.state, V2), ...canaryReports(world.state, V2), ...modelDues(world.state)]).toEqual([])
    voteIn(world, V2)
    expect(statusOf(world, V2)).toBe('approved')
  })

  test('may have other segments and another context than its predecessor', () => {
    const world = lifeWorld()
    upgrade(world, V2, { context: 4_096, segments: [{ linear: 5_000_000n, attention: 1n }] })
    expect(statusOf(world, V2)).toBe('active')
  })

  test('becomes active at its own price where its predecessor is gone, and supersedes nobody', () => {
    const world = lifeWorld()
    const due = approved(world, V2, { price: 77n })
    run(world, cleo, retiring(V1))
    for (const miner of MINERS) run(world, miner, placing(V2))
    expect(endUntil(world, due)).toMatchObject([{ change: 'activated', superseded: undefined }])
    expect(recordOf(world, V2)).toMatchObject({ status: 'active', price: 77n })
  })

  test('is given up when another version took the place', () => {
    const world = lifeWorld()
    run(world, cleo, publishing(V3, { predecessor: V1 }))
    const late = voteIn(world, V3)
    const due = approved(world, V2)
    // The one that was approved first has the later look.
    change(world, (state) => putModel(state, V3, { ...recordOf(world, V3), dueHeight: due }))
    for (const miner of MINERS) for (const model of [V2, V3]) run(world, miner, placing(model))
    expect(late).toBeLessThan(due)
    expect(lacks(endUntil(world, due))).toEqual(['activated', 'superseded', 'given-up: overtaken'])
    expect([V1, V2, V3].map((model) => statusOf(world, model))).toEqual(['superseded', 'active', 'published'])
  })

  test('goes with its reports and placements when its publisher retires it', () => {
    const world = lifeWorld()
    approved(world, V2, { canary: CANARY })
    run(world, first, placing(V2))
    run(world, first, reporting(V2, false))
    const before = balanceOf(world, cleo)
    run(world, cleo, retiring(V2))
    expect(balanceOf(world, cleo) - before).toBe(10n * DLLM - 20n * 12n)
    expect([statusOf(world, V2), ...placementIds(world.state, V2), ...modelDues(world.state)]).toEqual(['gone'])
  })
})

describe('a canary', () => {
  const withCanary = () => {
    const world = lifeWorld()
    return { world, due: approved(world, V2, { canary: CANARY }) }
  }

  test('must have passed at as many owners as serve each segment', () => {
    const { world, due } = withCanary()
    for (const miner of [first, second, third]) run(world, miner, placing(V2))
    run(world, first, reporting(V2, true))
    run(world, fourth, reporting(V2, true))
    expect(lacks(endUntil(world, due))).toEqual(['postponed: unserved'])
    run(world, second, reporting(V2, true))
    expect(lacks(endUntil(world, due + 5))).toEqual(['activated', 'superseded'])
    expect([...canaryReports(world.state, V2)]).toEqual([])
  })

  test('that fails at machines with three tenths of the deposits keeps a version out; a later report counts, and who left does not', () => {
    const { world, due } = withCanary()
    for (const miner of [first, second]) run(world, miner, placing(V2))
    for (const miner of [first, second, third]) run(world, miner, reporting(V2, true))
    run(world, fourth, reporting(V2, true))
    run(world, fourth, reporting(V2, false))
    run(world, third, reporting(V2, false))
    expect(lacks(endUntil(world, due))).toEqual(['postponed: canary'])
    run(world, third, reporting(V2, true))
    // A quarter is below it, and would be above it with half of the others gone.
    run(world, fourth, { type: 11, body: { amount: 2n * DLLM } })
    expect(lacks(endUntil(world, due + 5))).toEqual(['activated', 'superseded'])
  })

  test.each<[string, (world: LifeWorld) => { readonly code: string }, string]>([
    ['of no miner', (world) => refuses(world, dan, reporting(V2, true)), 'NO_SUCH_MINER'],
    ['on no model', (world) => refuses(world, first, reporting(hash('00'.repeat(32)), true)), 'NO_SUCH_MODEL'],
    ['on an active model', (world) => refuses(world, first, reporting(V1, true)), 'MODEL_NOT_APPROVED'],
    [
      'of who was slashed out',
      (world) => {
        change(world, (state) => putMiner(state, first.id, { ...getMiner(state, first.id)!, status: 'slashed-out' }))
        return refuses(world, first, reporting(V2, true))
      },
      'MINER_SLASHED_OUT',
    ],
    [
      'of a miner with too small a deposit',
      (world) => {
        world.context = { ...world.context, parameters: { ...world.context.parameters, minerDepositMin: 3n * DLLM } }
        return refuses(world, first, reporting(V2, true))
      },
      'DEPOSIT_TOO_SMALL',
    ],
  ])('report %s is refused', (_case, refusal, code) => {
    expect(refusal(withCanary().world).code).toBe(code)
  })

  test('that there is not cannot be reported on', () => {
    const world = lifeWorld()
    approved(world, V2)
    expect(refuses(world, first, reporting(V2, true)).code).toBe('NO_CANARY')
  })
})
