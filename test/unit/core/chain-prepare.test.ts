/** Work ahead: whoever drives it and however often others come in between, the answers are those of work done at once. */
import { beforeEach, describe, expect, test } from 'vitest'
import type { Steps } from '../../../src/base/steps.ts'
import { finish } from '../../../src/base/steps.ts'
import { type Block, commitHash, decodeBlock, encodeBlock, type Header } from '../../../src/core/block/block.ts'
import { transactionsRoot } from '../../../src/core/block/transactions-root.ts'
import type { ChainPorts } from '../../../src/core/chain.ts'
import { decodeTransaction } from '../../../src/core/transaction/transaction.ts'
import { DLLM, type Person, signCall, testGenesis } from '../../chain-accounts.ts'
import { type ChainWorld, chainWorld, crowd } from '../../chain-world.ts'

const people = crowd(4)
const [ann, bob, cleo, dan] = people as [Person, Person, Person, Person]
const genesis = testGenesis()

let world: ChainWorld
let block: Block

const pay = (from: Person, amount: bigint, rest: object = {}): Uint8Array =>
  signCall(world.chain.networkId, from, {
    ...{ type: 1, body: { to: ann.id, amount, memo: new Uint8Array(0) } },
    ...rest,
  })

beforeEach(() => {
  world = chainWorld(genesis, people)
  world.grow()
  for (const sender of [bob, cleo, dan]) world.chain.mempool.add(pay(sender, DLLM))
  block = world.propose()
})

/** Another node at the same head, which counts the checks of seed signatures: one per block that it looks at. */
function follower(): ChainWorld & { readonly looks: () => number } {
  let looks = 0
  const ports: ChainPorts = { seedVerifier: () => ++looks > 0 }
  const other = chainWorld(genesis, people, ports)
  const parent = world.chain.lastApplied()!
  other.chain.apply(parent.block, parent.commit)
  looks = 0
  return { ...other, looks: () => looks }
}

function stepsOf(work: Steps): number {
  let count = 0
  while (!work.next().done) count++
  return count
}

/** Does so many steps and no more. */
function begin(work: Steps, steps: number): Steps {
  for (let step = 0; step < steps; step++) expect(work.next().done).toBe(false)
  return work
}

const withHeader = (change: Partial<Header>, body: Partial<Block> = {}): Block => ({
  ...block,
  ...body,
  header: { ...block.header, ...change },
})
const withTransactions = (transactions: readonly Uint8Array[]): Block =>
  withHeader(
    {
      transactionsRoot: transactionsRoot(transactions.map((bytes) => decodeTransaction(bytes).id)),
      units: 10 * transactions.length,
    },
    { transactions },
  )

describe('checking ahead', () => {
  test('takes a step per transaction and more, and the check after it has nothing left to do', () => {
    const { chain, looks } = follower()
    const work = { type: 'check', block } as const
    expect(chain.isReady(work)).toBe(false)
    expect(stepsOf(chain.prepare(work))).toBeGreaterThan(block.transactions.length)
    expect(chain.isReady(work)).toBe(true)
    expect([chain.check(block), looks()]).toEqual([undefined, 1])
    // The same block in other bytes is the same block.
    expect(chain.isReady({ type: 'check', block: decodeBlock(encodeBlock(block)) })).toBe(true)
  })

  test('leads to the state of a check at once', () => {
    const [ahead, atOnce] = [follower().chain, follower().chain]
    finish(ahead.prepare({ type: 'check', block }))
    for (const chain of [ahead, atOnce]) chain.apply(block, world.commit(block))
    expect(ahead.lastApplied()).toEqual(atOnce.lastApplied())
    expect(ahead.head()).toEqual(atOnce.head())
  })

  test.each<[string, () => Block]>([
    ['a state that it does not lead to', () => withHeader({ stateRoot: block.header.parentHash })],
    ['another height', () => withHeader({ height: 9 })],
    ['a transaction that cannot be paid', () => withTransactions([pay(cleo, 2_000n * DLLM)])],
    ['a transaction twice', () => withTransactions([pay(cleo, 1n), pay(cleo, 1n)])],
    ['a bad signature', () => withTransactions([pay(cleo, 1n).map((byte, at) => (at === 150 ? byte ^ 1 : byte))])],
    ['no commit of its parent', () => withHeader({ lastCommitHash: commitHash(undefined) }, { lastCommit: undefined })],
    ['units that it does not take', () => withHeader({ units: 7 })],
    ['another proposer', () => withHeader({ round: 1, proposer: cleo.id })],
  ])('refuses a block with %s as a check at once does, and looks at it once', (_what, make) => {
    const bad = make()
    const [ahead, atOnce] = [follower(), follower()]
    finish(ahead.chain.prepare({ type: 'check', block: bad }))
    finish(ahead.chain.prepare({ type: 'check', block: bad }))
    const refusal = atOnce.chain.check(bad)
    expect(refusal).toBeDefined()
    expect(ahead.chain.isReady({ type: 'check', block: bad })).toBe(true)
    expect(ahead.chain.check(bad)).toEqual(refusal)
    expect(ahead.looks()).toBe(atOnce.looks())
  })

  test('says nothing of a block whose body is not the one of its header, and nothing of it of the right one', () => {
    const { chain } = follower()
    const swapped = { ...block, transactions: block.transactions.slice(1) }
    finish(chain.prepare({ type: 'check', block: swapped }))
    expect(chain.isReady({ type: 'check', block: swapped })).toBe(false)
    expect(chain.check(swapped)).toMatchObject({ code: 'BLOCK_WRONG_TRANSACTIONS' })
    expect(chain.check(block)).toBeUndefined()
    finish(chain.prepare({ type: 'read', block }))
    expect([chain.isWhole(block), chain.isWhole(swapped)]).toEqual([true, false])
  })
})

describe('a head that moves in the middle', () => {
  test.each([1, 3, 6, 9])('after %i steps ends a check ahead, and nothing of it is left', (steps) => {
    const { chain } = follower()
    const other = withHeader({ timeMs: block.header.timeMs })
    const work = begin(chain.prepare({ type: 'check', block }), steps)
    const rival = follower()
    const next = rival.chain.place()
    expect(next.height).toBe(block.header.height)
    chain.apply(other, world.commit(other))
    const applied = chain.lastApplied()
    expect(work.next().done).toBe(true)
    expect(chain.isReady({ type: 'check', block })).toBe(false)
    expect(chain.lastApplied()).toBe(applied)
    expect(chain.check(block)).toMatchObject({ code: 'BLOCK_WRONG_HEIGHT' })
  })

  test('ends a block under way, and the next one is made on the new head', () => {
    const { chain } = world
    const { timeMs, commit } = chain.head()
    const request = { round: 0, timeMs, lastCommit: commit }
    const work = begin(chain.prepare({ type: 'propose', request }), 4)
    chain.apply(block, world.commit(block))
    expect(work.next().done).toBe(true)
    expect(chain.isReady({ type: 'propose', request })).toBe(false)
    expect(world.propose().header).toMatchObject({ height: block.header.height + 1, parentHash: chain.head().hash })
  })

  test('before the work begins leaves it undone', () => {
    const { chain, looks } = follower()
    const work = chain.prepare({ type: 'check', block })
    chain.apply(block, world.commit(block))
    const before = looks()
    expect([work.next().done, looks()]).toEqual([true, before])
  })
})

describe('making ahead', () => {
  test('gives the block that is made at once, and gives it for its own request only', () => {
    const request = { round: 0, timeMs: block.header.timeMs, lastCommit: block.lastCommit }
    const later = { ...request, round: 1 }
    finish(world.chain.prepare({ type: 'propose', request }))
    expect(world.chain.isReady({ type: 'propose', request })).toBe(true)
    expect(world.chain.isReady({ type: 'propose', request: later })).toBe(false)
    expect(world.chain.propose(request)).toEqual(block)
  })

  test('goes on with what it had when transactions come, are replaced or go meanwhile', () => {
    const { chain } = world
    const { timeMs, commit } = chain.head()
    const request = { round: 0, timeMs, lastCommit: commit }
    const work = begin(chain.prepare({ type: 'propose', request }), 2)
    chain.mempool.add(pay(ann, DLLM))
    chain.mempool.add(pay(dan, 2n * DLLM, { tip: 100n, maxFee: 1_000_000n }))
    finish(work)
    const made = chain.propose(request)
    const other = follower()
    expect(other.chain.check(made)).toBeUndefined()
    expect(made.transactions.length).toBeGreaterThan(0)
  })
})

describe('a final block that comes from others', () => {
  test('is executed ahead when its commit makes it final', () => {
    const { chain } = follower()
    const commit = world.commit(block)
    finish(chain.prepare({ type: 'finalized', block, commit }))
    expect(chain.isReady({ type: 'check', block })).toBe(true)
    chain.applyFinalized(block, commit)
    expect(chain.head().height).toBe(block.header.height)
  })

  test.each<[string, () => { block: Block; commit: ReturnType<ChainWorld['commit']> }]>([
    ['too few signatures', () => ({ block, commit: world.commit(block, [0]) })],
    [
      'the commit of another block',
      () => ({ block, commit: { ...world.commit(block), blockHash: block.header.parentHash } }),
    ],
    ['another body', () => ({ block: { ...block, transactions: [] }, commit: world.commit(block) })],
  ])('costs no execution with %s', (_what, make) => {
    const { chain } = follower()
    const { block: offered, commit } = make()
    expect(stepsOf(chain.prepare({ type: 'finalized', block: offered, commit }))).toBeLessThanOrEqual(1)
    expect(chain.isReady({ type: 'check', block })).toBe(false)
    expect(() => chain.applyFinalized(offered, commit)).toThrow()
  })
})
