/** The ledger end to end: genesis, propose, check, apply, restore; what is refused and by whom. */
import { beforeEach, describe, expect, test } from 'vitest'
import { decodeBlock, encodeBlock } from '../../../src/core/block/block.ts'
import { createChain, genesisStart } from '../../../src/core/chain.ts'
import { getAccount } from '../../../src/core/state/accounts.ts'
import { DLLM, type Person, signCall, testGenesis } from '../../chain-accounts.ts'
import { type ChainWorld, chainWorld, crowd } from '../../chain-world.ts'

const people = crowd(4)
const [ann, , cleo, dan] = people as [Person, Person, Person, Person]
const genesis = testGenesis()

let world: ChainWorld

beforeEach(() => {
  world = chainWorld(genesis, people)
})

const pay = (to: Person, amount: bigint) => ({ type: 1, body: { to: to.id, amount, memo: new Uint8Array(0) } })

test('a chain begins at the genesis block, whose hash is the parent of height 1', () => {
  const { chain } = world
  expect(chain.head()).toMatchObject({ height: 0, commit: undefined })
  const block = world.propose()
  expect(block.header.parentHash).toBe(chain.head().hash)
  expect(chain.check(block)).toBeUndefined()
})

test('a proposed block passes the check of another node and leads both to one state', () => {
  const other = chainWorld(genesis, people)
  for (const [index, sender] of [cleo, dan].entries()) {
    world.chain.mempool.add(signCall(world.chain.networkId, sender, pay(ann, BigInt(index + 1) * DLLM)))
  }
  for (let height = 1; height <= 25; height++) {
    const block = decodeBlock(encodeBlock(world.propose()))
    expect(other.chain.check(block)).toBeUndefined()
    const commit = world.commit(block)
    world.chain.apply(block, commit)
    other.chain.apply(block, commit)
    expect(other.chain.head()).toEqual(world.chain.head())
    expect(block.header.stateRoot).toBe(world.chain.header.stateRoot)
  }
  expect(world.chain.mempool.size).toBe(0)
  expect(getAccount(other.chain.state, dan.id).nonce).toBe(1n)
})

describe('restoring', () => {
  test('from what was kept gives the same chain', () => {
    const start = genesisStart(genesis)
    const kept = new Map(start.entries)
    world.chain.mempool.add(signCall(world.chain.networkId, cleo, pay(ann, DLLM)))
    for (let height = 1; height <= 12; height++) {
      world.grow()
      for (const [key, value] of world.chain.lastApplied()!.stateChanges) {
        if (value === undefined) kept.delete(key)
        else kept.set(key, value)
      }
    }
    const { networkId, header } = world.chain
    const again = createChain({ networkId, header, commit: world.chain.head().commit, entries: [...kept] })
    expect(again.head()).toEqual(world.chain.head())
    expect(again.proposer(3)).toBe(world.chain.proposer(3))
    const damaged = [...kept].slice(1)
    expect(() => createChain({ networkId, header, commit: undefined, entries: damaged })).toThrow(
      expect.objectContaining({ code: 'CHAIN_STATE_DAMAGED' }),
    )
  })
})
