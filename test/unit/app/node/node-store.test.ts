/**
 * What a node keeps: blocks, state and indexes come back as they were saved, and a pruned or foreign store says so.
 * @module
 */
import { describe, expect, test } from 'vitest'
import { createNodeStore, type FinalBlock } from '../../../../src/app/node/node-store.ts'
import { accountId, hash } from '../../../../src/base/brand.ts'
import { validatorSet } from '../../../../src/core/consensus/validator-set.ts'
import type { StateKey } from '../../../../src/core/state/state.ts'
import { SimulatedCrash } from '../../../sim/faults.ts'
import { createMemoryStore, createSimStore } from '../../../sim/store.ts'

const NETWORK = hash('ab'.repeat(32))
const ALICE = accountId('01'.repeat(20))
const BOB = accountId('02'.repeat(20))

const set = (stake: bigint) =>
  validatorSet([{ id: ALICE, consensusKey: new Uint8Array(32).fill(1), seedKey: new Uint8Array(48).fill(2), stake }])
const id = (number: number) => hash(number.toString(16).padStart(64, '0'))
const key = (text: string) => text as StateKey

function finalBlock(height: number, change: Partial<FinalBlock> = {}): FinalBlock {
  const commit = { height, round: 1, blockHash: id(height), signatures: [new Uint8Array(64).fill(height), undefined] }
  return {
    ...{ height, hash: id(height), block: new Uint8Array(100).fill(height), commit },
    ...{ stateChanges: [], transactions: [], nextValidators: set(BigInt(height)) },
    ...{ timeMs: 1_000 * height, marketEvents: [] },
    ...change,
  }
}

async function begun() {
  const store = createNodeStore(createMemoryStore())
  await store.begin(NETWORK, id(0), [[key('01aa'), Uint8Array.of(1)]], [set(7n)])
  return store
}

async function allOf<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const all: Item[] = []
  for await (const item of items) all.push(item)
  return all
}

describe('a node store', () => {
  test('is empty before it begins, and stands at the genesis block after', async () => {
    const empty = createNodeStore(createMemoryStore())
    expect(await empty.meta(NETWORK)).toBeUndefined()
    const store = await begun()
    expect(await store.meta(NETWORK)).toEqual({ networkId: NETWORK, height: 0, hash: id(0), oldestHeight: 1 })
    expect(await allOf(store.state())).toEqual([['01aa', Uint8Array.of(1)]])
    expect(await store.validators(set(7n).hash)).toEqual(set(7n))
  })

  test('gives back a block by height and hash, with its commit and the state after it', async () => {
    const store = await begun()
    const changes = [
      [key('01aa'), undefined],
      [key('01bb'), Uint8Array.of(2)],
    ] as const
    const saved = finalBlock(1, { stateChanges: changes })
    await store.save(saved)
    expect(await store.block(1)).toEqual({ height: 1, hash: id(1), block: saved.block, commit: saved.commit })
    expect(await store.heightOf(id(1))).toBe(1)
    expect(await store.block(2)).toBeUndefined()
    expect(await allOf(store.state())).toEqual([['01bb', Uint8Array.of(2)]])
  })

  test('finds transactions by id, and those of an account newest first', async () => {
    const store = await begun()
    await store.save(finalBlock(1, { transactions: [{ id: id(101), accounts: [ALICE] }] }))
    const two = [
      { id: id(201), accounts: [ALICE, BOB] },
      { id: id(202), accounts: [BOB] },
    ]
    await store.save(finalBlock(2, { transactions: two }))
    expect(await store.placeOf(id(202))).toEqual({ height: 2, position: 1 })
    expect(await store.history(ALICE, 10)).toEqual([id(201), id(101)])
    expect(await store.history(BOB, 1)).toEqual([id(202)])
  })

  test('pruning forgets blocks and what leads to them, and tells the oldest that is left', async () => {
    const store = await begun()
    for (const height of [1, 2, 3]) {
      await store.save(finalBlock(height, { transactions: [{ id: id(100 + height), accounts: [ALICE] }] }))
    }
    const pruned = await store.prune(3, function* (block) {
      yield
      return [{ id: id(100 + block[0]!), accounts: [ALICE] }]
    })
    expect(pruned).toBe(2)
    expect(await store.block(2)).toBeUndefined()
    expect(await store.placeOf(id(102))).toBeUndefined()
    expect(await store.history(ALICE, 10)).toEqual([id(103)])
    expect((await store.meta(NETWORK))?.oldestHeight).toBe(3)
  })

  test('a snapshot replaces everything', async () => {
    const store = await begun()
    await store.save(finalBlock(1, { transactions: [{ id: id(101), accounts: [ALICE] }] }))
    const entries = [[key('01cc'), Uint8Array.of(3)]] as const
    await store.replace({ ...finalBlock(50), networkId: NETWORK, entries, validators: [set(9n)] })
    expect(await store.meta(NETWORK)).toEqual({ networkId: NETWORK, height: 50, hash: id(50), oldestHeight: 50 })
    expect(await allOf(store.state())).toEqual([['01cc', Uint8Array.of(3)]])
    expect(await store.block(1)).toBeUndefined()
    expect(await store.history(ALICE, 10)).toEqual([])
    expect(await store.validators(set(9n).hash)).toEqual(set(9n))
  })

  test('a snapshot that was cut off leaves nothing behind when the store begins anew', async () => {
    const sim = createSimStore(1)
    const store = createNodeStore(sim.open())
    await store.begin(NETWORK, id(0), [[key('01aa'), Uint8Array.of(1)]], [set(7n)])
    const entries = [[key('01cc'), Uint8Array.of(3)]] as const
    // Deleting the head, deleting the rest, the entries of the state; then the last batch is lost.
    sim.plan(4, 'crash')
    await expect(
      store.replace({ ...finalBlock(50), networkId: NETWORK, entries, validators: [set(9n)] }),
    ).rejects.toThrow(SimulatedCrash)
    const again = createNodeStore(sim.open())
    expect(await again.meta(NETWORK)).toBeUndefined()
    await again.begin(NETWORK, id(0), [[key('01aa'), Uint8Array.of(1)]], [set(7n)])
    expect(await allOf(again.state())).toEqual([['01aa', Uint8Array.of(1)]])
  })

  test('another network’s store is refused, and left as it is', async () => {
    const store = await begun()
    await expect(store.meta(id(1))).rejects.toMatchObject({ code: 'CHAIN_STORE_FOREIGN' })
    expect((await store.meta(NETWORK))?.height).toBe(0)
  })
})
