/** Blocks of random transactions, made and checked in steps of any size that take turns with each other: what work at once gives. */
import { expect, test } from 'vitest'
import type { Steps } from '../../src/base/steps.ts'
import { decodeBlock, encodeBlock } from '../../src/core/block/block.ts'
import { type Chain, type ChainPorts, createChain, genesisStart } from '../../src/core/chain.ts'
import { taggedHash } from '../../src/core/hash.ts'
import { verdictOf } from '../../src/core/mempool-error.ts'
import { signCall, testGenesis } from '../chain-accounts.ts'
import { createDice, type Dice, randomCall } from '../chain-random.ts'
import { chainWorld, crowd } from '../chain-world.ts'

const HEIGHTS = 60
const people = crowd(6)
const genesis = testGenesis({ epochBlocks: 5n, unbondingBlocks: 15n, proposalBlocks: 5n })

const cheapSeeds = (message: Uint8Array): Uint8Array => {
  const half = taggedHash('test/seed', message)
  return Uint8Array.from([...half, ...half, ...half])
}
const PORTS: ChainPorts = { seedSigner: cheapSeeds, seedVerifier: () => true }

function offer(chains: readonly Chain[], dice: Dice): void {
  const [chain] = chains as [Chain]
  const sender = dice.pick(people)
  const nonce = chain.mempool.nextNonce(sender.id)
  const bytes = signCall(chain.networkId, sender, { ...randomCall(dice, chain, sender, people), nonce })
  for (const each of chains) {
    try {
      each.mempool.add(bytes)
    } catch (error) {
      verdictOf(error)
    }
  }
}

/** Some steps of one work, then some of another, until all are done; `between` happens in the gaps. */
function interleave(works: readonly Steps[], dice: Dice, between: () => void): void {
  const left = [...works]
  while (left.length > 0) {
    const work = dice.pick(left)
    let isDone = false
    for (let count = 1 + dice.below(12); count > 0 && !isDone; count--) isDone = work.next().done === true
    if (isDone) left.splice(left.indexOf(work), 1)
    between()
  }
}

test(`${HEIGHTS} blocks in steps are those at once, and so are their states and pools`, () => {
  const dice = createDice(20_261_122n)
  const atOnce = chainWorld(genesis, people, PORTS)
  const [maker, checker] = [createChain(genesisStart(genesis), PORTS), createChain(genesisStart(genesis), PORTS)]
  let most = 0
  for (let height = 1; height <= HEIGHTS; height++) {
    for (let count = dice.below(12); count > 0; count--) offer([atOnce.chain, maker], dice)
    const { timeMs, commit } = maker.head()
    const request = { round: dice.below(2), timeMs, lastCommit: commit }
    const rival = atOnce.propose(request.round + 1)
    interleave(
      [maker.prepare({ type: 'propose', request }), maker.prepare({ type: 'check', block: rival })],
      dice,
      () => undefined,
    )
    const made = maker.propose(request)
    expect(atOnce.chain.propose(request)).toEqual(made)
    expect(maker.check(rival)).toEqual(atOnce.chain.check(rival))
    const block = decodeBlock(encodeBlock(made))
    const works = [block, rival, block].map((each) => checker.prepare({ type: 'check', block: each }))
    interleave(works, dice, () => offer([checker], dice))
    expect(checker.check(block)).toBeUndefined()
    const committed = atOnce.commit(block)
    for (const chain of [atOnce.chain, maker, checker]) chain.apply(block, committed)
    for (const chain of [maker, checker]) {
      const { tree, ...applied } = chain.lastApplied()!
      const { tree: expected, ...rest } = atOnce.chain.lastApplied()!
      expect(applied).toEqual(rest)
      expect(tree.node).toEqual(expected.node)
    }
    expect([...maker.mempool.all()].map(({ transaction }) => transaction.id)).toEqual(
      [...atOnce.chain.mempool.all()].map(({ transaction }) => transaction.id),
    )
    most = Math.max(most, block.transactions.length)
  }
  expect(most).toBeGreaterThan(3)
})
