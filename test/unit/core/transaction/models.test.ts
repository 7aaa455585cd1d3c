/** Models on the chain: what registering and retiring them changes, and by which code each refusal is known. */
import { describe, expect, test } from 'vitest'
import { hash } from '../../../../src/base/brand.ts'
import { MARKET_LIMITS } from '../../../../src/base/chain-limits.ts'
import { getAccount } from '../../../../src/core/state/accounts.ts'
import { getModel, modelHashes, newModel, putModel } from '../../../../src/core/state/models.ts'
import {
  getPlacement,
  type PlacementRecord,
  placementIds,
  putPlacement,
} from '../../../../src/core/state/placements.ts'
import type { RegisterModel } from '../../../../src/core/transaction/register-model.ts'
import { DLLM, person } from '../../../chain-accounts.ts'
import { openLot } from '../../../hand-lots.ts'
import {
  aModel,
  begin,
  ben,
  cleo,
  close,
  dan,
  HEIGHT,
  MODEL,
  miner,
  model,
  network,
  open,
  place,
  refuses,
  retire,
  run,
  segments,
  state,
} from './registry-world.ts'

describe('register-model', () => {
  test('locks the deposit', () => {
    begin(model())
    const { model: _, ...claim } = aModel
    const born = { publisher: cleo.id, deposit: 10n * DLLM, status: 'active', registeredHeight: HEIGHT, tries: 0 }
    expect(getModel(state, MODEL)).toEqual({ ...claim, ...born })
    expect(getAccount(state, cleo.id).balance).toBe(990n * DLLM - 200n * 12n)
  })

  const many = (count: number) => Array.from({ length: count }, () => segments[0]!)
  /** At the end of the context: 2³² CU in all. */
  const most = { linear: 2n ** 32n * 1_000_000n - 384n * 512n, attention: 384n }
  test.each<[string, Partial<RegisterModel>, string]>([
    ['without a name', { name: '' }, 'BAD_NAME'],
    ['with a name that is a path', { name: '../a' }, 'BAD_NAME'],
    ['with a space in its name', { name: 'a b' }, 'BAD_NAME'],
    ['without positions', { context: 0 }, 'BAD_CONTEXT'],
    ['without segments', { segments: [] }, 'BAD_SEGMENTS'],
    ['with a segment that works nothing', { segments: [{ linear: 0n, attention: 9n }] }, 'BAD_SEGMENTS'],
    ['with rows that are too dear', { segments: [{ ...most, linear: most.linear + 1n }] }, 'BAD_SEGMENTS'],
    ['with two segments that are too dear together', { segments: [most, segments[0]!] }, 'BAD_SEGMENTS'],
    ['below the lowest price', { price: 1n }, 'PRICE_OUT_OF_BOUNDS'],
    ['above the highest price', { price: 91n }, 'PRICE_OUT_OF_BOUNDS'],
  ])('%s is refused', (_case, change, code) => {
    begin()
    refuses(model(change), code)
  })

  test('has as many segments as can be, and not one more', () => {
    begin(model({ segments: many(MARKET_LIMITS.segmentsMax) }))
    refuses(model({ segments: many(MARKET_LIMITS.segmentsMax + 1) }), 'BAD_BODY')
    begin(model({ segments: [most] }))
  })

  test('without the deposit is refused', () => {
    begin()
    refuses({ ...model(), by: person(5) }, 'INSUFFICIENT_FUNDS')
    refuses(
      { ...model(), at: { parameters: { ...network.context.parameters, modelDeposit: 1_000n * DLLM } } },
      'INSUFFICIENT_FUNDS',
    )
  })

  test('a second time is refused while it is active, or lots of it are open', () => {
    begin(model(), miner(), place())
    refuses({ ...model(), by: dan }, 'MODEL_EXISTS')
    open(1)
    run(retire())
    refuses({ ...model(), by: dan }, 'MODEL_EXISTS')
    close(1)
    run({ ...model({ name: 'again' }), by: dan })
    expect(getModel(state, MODEL)).toMatchObject({ name: 'again', publisher: dan.id, status: 'active' })
  })

  test('beyond the last place is refused; who is retired without open lots makes room', () => {
    begin()
    const numbered = (number: number) => hash(number.toString(16).padStart(64, '0'))
    const record = newModel(aModel, { publisher: dan.id, height: 1 })
    for (let number = 0; number < MARKET_LIMITS.modelsMax; number++) putModel(state, numbered(number), record)
    refuses(model(), 'MODELS_FULL')
    for (const number of [3, 8]) putModel(state, numbered(number), { ...record, status: 'retired' })
    run(miner({}, ben))
    const ended: PlacementRecord = { first: 0, end: 1, slots: 0, used: 1, bid: 0n, until: 1, incarnation: 0n }
    putPlacement(state, { model: numbered(3), operator: ben.id }, { ...ended, slots: 1, used: 0 })
    openLot(state, { model: numbered(3), operator: ben.id }, 1)
    putPlacement(state, { model: numbered(3), operator: ben.id }, ended)
    run(model())
    expect([...modelHashes(state)]).toHaveLength(MARKET_LIMITS.modelsMax)
    expect([getModel(state, numbered(3))?.status, getModel(state, numbered(8))]).toEqual(['retired', undefined])
    refuses(model({ model: hash('ff'.repeat(32)) }), 'MODELS_FULL')
  })
})

describe('retire-model', () => {
  test('returns the deposit; without open lots nothing stays of it', () => {
    begin(model(), miner(), place())
    const { balance } = getAccount(state, cleo.id)
    run(retire())
    expect(getAccount(state, cleo.id).balance).toBe(balance + 10n * DLLM - 20n * 12n)
    expect([getModel(state, MODEL), [...placementIds(state)]]).toEqual([undefined, []])
  })

  test('ends placements; those with open lots stay until these close', () => {
    begin(model(), miner(), place(), miner({}, dan, 2), { ...place(), by: dan })
    open(2)
    run(retire())
    expect(getModel(state, MODEL)).toMatchObject({ status: 'retired', deposit: 0n })
    expect([...placementIds(state)]).toEqual([{ model: MODEL, operator: cleo.id }])
    expect(getPlacement(state, { model: MODEL, operator: cleo.id })).toMatchObject({ slots: 0, used: 2 })
    refuses(retire(), 'MODEL_RETIRED')
    refuses(place(), 'MODEL_RETIRED')
    close(2)
    expect([...placementIds(state)]).toEqual([])
  })

  test('is for the publisher alone', () => {
    begin(model())
    refuses({ ...retire(), by: dan }, 'NOT_THE_PUBLISHER')
    refuses(retire(hash('00'.repeat(32))), 'NO_SUCH_MODEL')
  })
})
