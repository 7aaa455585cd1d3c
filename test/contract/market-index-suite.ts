/**
 * What the index of the market promises over any key-value store.
 * @module
 */
import { describe, expect, test } from 'vitest'
import { keysOfBlock } from '../../src/app/node/market-index.ts'
import { createNodeStore, type FinalBlock, type NodeStore } from '../../src/app/node/node-store.ts'
import { marketOwnKey, marketRecordKey } from '../../src/app/node/store-keys.ts'
import type { KeyValueStore } from '../../src/app/store/key-value.ts'
import type { AccountId } from '../../src/base/brand.ts'
import { NODE_LIMITS } from '../../src/base/chain-limits.ts'
import { validatorSet } from '../../src/core/consensus/validator-set.ts'
import type { MarketEvent } from '../../src/core/market/events.ts'
import { AUDITOR, account, audited, digest, issued, MINER, OTHER, PAYER, PAYOUT, settled } from '../market-samples.ts'

const NETWORK = digest(0xab)
const VALIDATORS = validatorSet([
  { id: MINER, consensusKey: new Uint8Array(32), seedKey: new Uint8Array(48), stake: 1n },
])

function finalBlock(height: number, marketEvents: readonly MarketEvent[]): FinalBlock {
  const commit = { height, round: 0, blockHash: digest(height), signatures: [] }
  return {
    ...{ height, hash: digest(height), block: Uint8Array.of(1), commit, timeMs: 1_000 * height, marketEvents },
    ...{ stateChanges: [], transactions: [], nextValidators: VALIDATORS },
  }
}

export function describeMarketIndex(name: string, open: () => Promise<KeyValueStore>): void {
  const begun = async (): Promise<{ kept: KeyValueStore; store: NodeStore }> => {
    const kept = await open()
    const store = createNodeStore(kept)
    await store.begin(NETWORK, digest(0), [], [])
    return { kept, store }
  }
  const namesOf = async (store: NodeStore, accounts: readonly AccountId[], limit = 100): Promise<string[]> => {
    const { records } = await store.market.records(accounts, { limit })
    return records.map(({ height, position }) => `${height}/${position}`)
  }

  describe(`the index of the market over a ${name} store`, () => {
    test('has what was saved with a block, by every account that it touches, newest first', async () => {
      const { store } = await begun()
      await store.save(finalBlock(1, [settled(1)]))
      await store.save(finalBlock(2, []))
      await store.save(finalBlock(3, [audited(2), settled(2), issued(0)]))
      expect(await namesOf(store, [MINER])).toEqual(['3/2', '3/1', '3/0', '1/0'])
      expect(await namesOf(store, [PAYOUT])).toEqual(['3/2', '3/1', '3/0', '1/0'])
      expect(await namesOf(store, [OTHER])).toEqual(['3/1', '1/0'])
      expect(await namesOf(store, [PAYER])).toEqual(['3/1', '1/0'])
      expect(await namesOf(store, [AUDITOR])).toEqual(['3/0'])
      expect(await namesOf(store, [account(99)])).toEqual([])
      const { records } = await store.market.records([AUDITOR], { limit: 1 })
      expect(records).toEqual([{ height: 3, position: 0, timeMs: 3_000, event: audited(2) }])
    })

    test('has nothing of what became of models, which stands in their records', async () => {
      const { store } = await begun()
      const retired = { type: 'model', model: digest(7), publisher: MINER, change: 'retired' } as const
      await store.save(finalBlock(1, [retired, settled(1), retired, issued(0)]))
      expect(await namesOf(store, [MINER])).toEqual(['1/1', '1/0'])
    })

    test('finds how a lease was settled', async () => {
      const { store } = await begun()
      await store.save(finalBlock(1, [settled(1), settled(2)]))
      const found = { height: 1, position: 1, timeMs: 1_000, event: settled(2) }
      expect(await store.market.settlement(digest(2))).toEqual(found)
      expect(await store.market.settlement(digest(3))).toBeUndefined()
    })

    test('gives each record once, page by page, also where two accounts share some', async () => {
      const { store } = await begun()
      for (let height = 1; height <= 5; height++)
        await store.save(finalBlock(height, [settled(height), issued(height)]))
      const pages: string[][] = []
      let from: string | undefined
      do {
        const { records, next } = await store.market.records([MINER, OTHER, PAYOUT], { from, limit: 3 })
        pages.push(records.map(({ height, position }) => `${height}/${position}`))
        from = next
      } while (from !== undefined)
      expect(pages).toEqual([['5/1', '5/0', '4/1'], ['4/0', '3/1', '3/0'], ['2/1', '2/0', '1/1'], ['1/0']])
      const { next } = await store.market.records([MINER], { limit: 10 })
      expect(next).toBeUndefined()
    })

    test('begins anew where a page begins with what is no place', async () => {
      const { store } = await begun()
      await store.save(finalBlock(1, [settled(1)]))
      for (const from of ['', 'zz'.repeat(12), 'ff', '0'.repeat(25)]) {
        const { records } = await store.market.records([MINER], { from, limit: 5 })
        expect(records).toHaveLength(1)
      }
    })

    test('knows since when: the first block, the one after a snapshot, or the first with records', async () => {
      const { kept, store } = await begun()
      expect(await store.market.since(0)).toBe(1)
      await store.save(finalBlock(1, [settled(1)]))
      expect(await store.market.since(1)).toBe(1)
      await store.replace({ ...finalBlock(50, []), networkId: NETWORK, entries: [], validators: [] })
      expect(await store.market.since(50)).toBe(51)
      expect(await namesOf(store, [MINER])).toEqual([])
      expect(await store.market.settlement(digest(1))).toBeUndefined()
      await store.save(finalBlock(51, [settled(2)]))
      expect(await store.market.since(51)).toBe(51)
      // A store of before there were records.
      await kept.batch([{ type: 'delete', key: new TextEncoder().encode('r') }], { sync: true })
      const older = createNodeStore(kept)
      await older.meta(NETWORK)
      expect(await older.market.since(51)).toBe(52)
      await older.save(finalBlock(52, []))
      expect(await older.market.since(52)).toBe(52)
    })

    test('forgets the records of many blocks at a time, and everything that leads to them', async () => {
      const { kept, store } = await begun()
      const stride = NODE_LIMITS.blocksPrunedPerCall
      for (let height = 1; height <= stride + 2; height++) await store.save(finalBlock(height, [settled(height)]))
      expect(await store.market.prune(stride)).toBe(0)
      expect(await store.market.prune(stride + 1)).toBe(stride)
      expect(await store.market.prune(stride + 2)).toBe(0)
      expect(await namesOf(store, [MINER])).toEqual([`${stride + 2}/0`, `${stride + 1}/0`])
      expect(await store.market.settlement(digest(stride))).toBeUndefined()
      expect(await store.market.since(stride + 2)).toBe(stride + 1)
      const letters = new Map<string, number>()
      for await (const [key] of kept.entries()) {
        const letter = String.fromCharCode(key[0]!)
        letters.set(letter, (letters.get(letter) ?? 0) + 1)
      }
      // Two blocks with a record each, by four accounts and a lease.
      const left = ['n', 'e', 'i', 'l'].map((letter) => letters.get(letter))
      expect(left).toEqual([2, 2, 8, 2])
    })

    test('tells what is missing of a block', async () => {
      const { kept, store } = await begun()
      const place = { height: 1, position: 0 }
      await store.save(finalBlock(1, [settled(1)]))
      expect((await keysOfBlock(kept, 1)).fault).toBeUndefined()
      await kept.batch([{ type: 'delete', key: marketOwnKey(OTHER, place) }], { sync: true })
      expect((await keysOfBlock(kept, 1)).fault).toMatch(/not found/)
      await kept.batch([{ type: 'delete', key: marketRecordKey(place) }], { sync: true })
      expect((await keysOfBlock(kept, 1)).fault).toMatch(/missing/)
      expect((await keysOfBlock(kept, 2)).fault).toMatch(/no record/)
    })
  })
}
