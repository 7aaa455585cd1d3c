/** Chains of random transactions: sound after every block, the same when replayed, restored or filled in another order. */
import { describe, expect, test } from 'vitest'
import type { HouseError } from '../../src/base/error.ts'
import { type Block, type Commit, decodeBlock, encodeBlock } from '../../src/core/block/block.ts'
import { type Chain, createChain, genesisStart } from '../../src/core/chain.ts'
import { taggedHash } from '../../src/core/hash.ts'
import { verdictOf } from '../../src/core/mempool-error.ts'
import { getAccount } from '../../src/core/state/accounts.ts'
import { stateFaults } from '../../src/core/state/invariants.ts'
import { createStateStore, type StateKey } from '../../src/core/state/state.ts'
import { getSupply } from '../../src/core/state/supply.ts'
import { validators } from '../../src/core/state/validators.ts'
import { DLLM, type Person, signCall, testGenesis } from '../chain-accounts.ts'
import { createDice, type Dice, randomCall } from '../chain-random.ts'
import { type ChainWorld, chainWorld, crowd } from '../chain-world.ts'

const BLOCKS = 300
const people = crowd(9)
const rich = testGenesis({ epochBlocks: 5n, unbondingBlocks: 15n, proposalBlocks: 5n, issuancePerBlock: 7n * DLLM })
const genesis = {
  ...rich,
  accounts: people.map(({ id }) => ({ id, balance: 1_000n * DLLM })).toSorted((a, b) => (a.id < b.id ? -1 : 1)),
}

/** Committed blocks are not asked for their seed signature: the test needs its uniqueness, not its cost. */
const cheapSeeds = (message: Uint8Array): Uint8Array => {
  const half = taggedHash('test/seed', message)
  return Uint8Array.from([...half, ...half, ...half])
}

function offer(chain: Chain, dice: Dice, refused: Map<string, number>): void {
  const sender = dice.pick(people)
  const nonce = chain.mempool.nextNonce(sender.id) + (dice.chance(0.05) ? 1n : 0n)
  try {
    chain.mempool.add(signCall(chain.networkId, sender, { ...randomCall(dice, chain, sender, people), nonce }))
  } catch (error) {
    verdictOf(error)
    const { code } = error as HouseError
    refused.set(code, (refused.get(code) ?? 0) + 1)
  }
}

/** Signs for all, or leaves out one who is not needed. */
function commitBy(world: ChainWorld, block: Block, dice: Dice): Commit {
  const { members, stake } = world.chain.head().validators
  const left = dice.below(members.length + 1)
  const rest = members.reduce((sum, member, index) => sum + (index === left ? 0n : member.stake), 0n)
  return world.commit(block, rest * 3n > stake * 2n ? [...members.keys()].filter((index) => index !== left) : undefined)
}

test(`${BLOCKS} blocks of random transactions keep every invariant, and replay to the same roots`, () => {
  const dice = createDice(20_261_121n)
  const world = chainWorld(genesis, people, { seedSigner: cheapSeeds })
  const { chain } = world
  const replayed = createChain(genesisStart(genesis), {})
  const whole = createStateStore(genesisStart(genesis).entries)
  const seen = new Map<number, number>()
  const refused = new Map<string, number>()
  for (let height = 1; height <= BLOCKS; height++) {
    for (let count = dice.below(9); count > 0; count--) offer(chain, dice, refused)
    const block = world.propose(dice.below(3))
    const commit = commitBy(world, block, dice)
    chain.apply(block, commit)
    whole.merge(chain.lastApplied()!.stateChanges)
    expect(stateFaults(whole)).toEqual([])
    for (const [name, value] of Object.entries(getSupply(whole))) expect(value, name).toBeGreaterThanOrEqual(0)
    replayed.applyFinalized(decodeBlock(encodeBlock(block)), commit)
    expect(replayed.head()).toEqual(chain.head())
    for (const bytes of block.transactions) seen.set(bytes[5]!, (seen.get(bytes[5]!) ?? 0) + 1)
  }
  // The world was wide enough to mean something: all contracts, people who joined, somebody punished, many kinds of refusals.
  expect([...seen.keys()].sort()).toEqual([1, 2, 3, 4, 5, 6, 7])
  expect([...validators(whole)].length).toBeGreaterThan(2)
  expect([...validators(whole)].some(([, { status }]) => status === 'tombstoned')).toBe(true)
  expect(refused.size).toBeGreaterThan(5)
  const { networkId, header } = chain
  const entries = [...whole.entries('' as StateKey)]
  const restored = createChain({ networkId, header, commit: chain.head().commit, entries })
  expect(restored.head()).toEqual(chain.head())
  expect(restored.tree).toEqual(chain.tree)
})

describe('the order in which transactions came', () => {
  test('does not change the block when their tips differ', () => {
    const dice = createDice(7n)
    const networkId = chainWorld(genesis, people).chain.networkId
    const pay = (sender: Person, nonce: bigint, tip: bigint): Uint8Array =>
      signCall(networkId, sender, {
        ...{ type: 1, nonce, tip, maxFee: 10_000n },
        body: { to: people[0]!.id, amount: DLLM, memo: new Uint8Array(0) },
      })
    const all = people.flatMap((sender, at) => [0n, 1n, 2n].map((nonce) => pay(sender, nonce, BigInt(at) * 7n + nonce)))
    const blocks = Array.from({ length: 5 }, () => {
      const world = chainWorld(genesis, people, { seedSigner: cheapSeeds })
      const left = [...all]
      while (left.length > 0) world.chain.mempool.add(left.splice(dice.below(left.length), 1)[0]!)
      return world.propose()
    })
    expect(blocks[0]!.transactions).toHaveLength(all.length)
    for (const block of blocks) expect(block).toEqual(blocks[0])
  })
})

test('a chain that proposes while its pool holds what cannot be applied together leaves it out and drops it', () => {
  const world = chainWorld(genesis, people, { seedSigner: cheapSeeds })
  const { chain } = world
  const [poor] = people as [Person]
  const body = { to: people[1]!.id, amount: 600n * DLLM, memo: new Uint8Array(0) }
  for (const nonce of [0n, 1n]) chain.mempool.add(signCall(chain.networkId, poor, { type: 1, nonce, body }))
  const block = world.propose()
  expect(block.transactions).toHaveLength(1)
  chain.apply(block, world.commit(block))
  expect(chain.mempool.size).toBe(0)
  expect(getAccount(chain.state, poor.id).nonce).toBe(1n)
})
