/** A feed reads what a node knows once, then what is new, up to its bound. Over the real index of a store in memory. */
import { expect, test } from 'vitest'
import type { EarningsAccess } from '../../../../src/app/chain/earnings-access.ts'
import { createEarningsFeed } from '../../../../src/app/chain/earnings-feed.ts'
import { createFullMarket } from '../../../../src/app/node/full-market.ts'
import { createNodeStore, type NodeStore } from '../../../../src/app/node/node-store.ts'
import { NODE_LIMITS } from '../../../../src/base/chain-limits.ts'
import type { Chain } from '../../../../src/core/chain.ts'
import { validatorSet } from '../../../../src/core/consensus/validator-set.ts'
import { digest, issued, MINER, settled } from '../../../market-samples.ts'
import { createMemoryStore } from '../../../sim/store.ts'

const PAGE = NODE_LIMITS.marketPageMax
const nextValidators = validatorSet([
  { id: MINER, consensusKey: new Uint8Array(32), seedKey: new Uint8Array(48), stake: 1n },
])
const signal = new AbortController().signal

/** A node, and how often it was asked. */
async function createNode() {
  const store: NodeStore = createNodeStore(createMemoryStore())
  await store.begin(digest(0xab), digest(0), [], [])
  const header = { height: 0 }
  const market = createFullMarket({ chain: { header } as unknown as Chain, records: store.market }, 'local')
  const node = { asked: 0 }
  const access: Pick<EarningsAccess, 'earnings'> = {
    earnings: (wish) => {
      node.asked++
      return market.earnings(wish)
    },
  }
  /** Blocks with a settlement and an issuance each. */
  const grow = async (blocks: number): Promise<void> => {
    for (const last = header.height + blocks; header.height < last; ) {
      const height = ++header.height
      const commit = { height, round: 0, blockHash: digest(height), signatures: [] }
      const block = { height, hash: digest(height), block: Uint8Array.of(1), commit, timeMs: height * 1_000 }
      const marketEvents = [settled(height), issued(height)]
      await store.save({ ...block, stateChanges: [], transactions: [], marketEvents, nextValidators })
    }
  }
  return { access: access as EarningsAccess, node, grow }
}

test('everything is read once, and later only what is new', async () => {
  const { access, node, grow } = await createNode()
  await grow(PAGE)
  const feed = createEarningsFeed(access, { accounts: [MINER], recordsMax: 10_000 })
  const first = await feed.refresh(signal)
  expect(first).toMatchObject({ height: PAGE, since: 1, isWhole: true })
  expect(first.records).toHaveLength(2 * PAGE)
  expect(node.asked).toBe(2)
  expect((await feed.refresh(signal)).records).toEqual(first.records)
  await grow(2)
  const { records } = await feed.refresh(signal)
  expect(node.asked).toBe(4)
  expect(records.slice(4)).toEqual(first.records)
  expect(records.slice(0, 4).map(({ height, position }) => [height - PAGE, position])).toEqual([
    [2, 1],
    [2, 0],
    [1, 1],
    [1, 0],
  ])
})

test('with more than its bound it keeps the newest and says that there are others', async () => {
  const { access, grow } = await createNode()
  await grow(10)
  const feed = createEarningsFeed(access, { accounts: [MINER], recordsMax: 15 })
  const first = await feed.refresh(signal)
  expect([first.records.length, first.isWhole]).toEqual([15, false])
  await grow(1)
  const second = await feed.refresh(signal)
  expect([second.records.length, second.isWhole, second.records[0]?.height]).toEqual([15, false, 11])
  const whole = createEarningsFeed(access, { accounts: [MINER], recordsMax: 22 })
  expect((await whole.refresh(signal)).isWhole).toBe(true)
  await grow(1)
  expect((await whole.refresh(signal)).isWhole).toBe(false)
})

test('a gap of more than its bound leaves no hole', async () => {
  const { access, grow } = await createNode()
  await grow(1)
  const feed = createEarningsFeed(access, { accounts: [MINER], recordsMax: PAGE })
  await feed.refresh(signal)
  await grow(PAGE)
  const { records, isWhole } = await feed.refresh(signal)
  expect(isWhole).toBe(false)
  expect(records.map(({ height }) => height)).toEqual(
    Array.from({ length: PAGE }, (_, index) => PAGE + 1 - Math.floor(index / 2)),
  )
})

test('nothing from before a time is read', async () => {
  const { access, node, grow } = await createNode()
  await grow(2 * PAGE)
  const feed = createEarningsFeed(access, { accounts: [MINER], recordsMax: 10_000, fromMs: (2 * PAGE - 1) * 1_000 })
  const { records, isWhole } = await feed.refresh(signal)
  expect([records.length, isWhole, node.asked]).toEqual([4, true, 1])
})
