import { beforeAll, expect, test } from 'vitest'
import type { SeedScheme } from '../../../../src/app/node/node.ts'
import { foresee } from '../../../../src/app/node/seed-foresight.ts'
import { AT_ONCE } from '../../../../src/app/turns.ts'
import { CodecError } from '../../../../src/base/codec.ts'
import { encodeBlock } from '../../../../src/core/block/block.ts'
import type { Chain } from '../../../../src/core/chain.ts'
import { type Proposal, proposalDigest } from '../../../../src/core/consensus/messages.ts'
import { sign } from '../../../../src/core/ed25519.ts'
import { type Person, testGenesis } from '../../../chain-accounts.ts'
import { type ChainWorld, chainWorld, crowd } from '../../../chain-world.ts'

const people = crowd(2)
let world: ChainWorld
let good: Proposal

/** A proposal of a new block, signed by its proposer or somebody else. */
function propose(change: Partial<Proposal>, by?: Person): Proposal {
  const { chain } = world
  const block = world.propose()
  const unsigned = { height: 1, round: 0, validRound: undefined, blockHash: chain.hashOf(block), ...change }
  const { id } = chain.head().validators.members[chain.proposer(0)]!
  const { consensus } = by ?? people.find((one) => one.id === id)!
  const signature = sign(proposalDigest(chain.networkId, unsigned), consensus.secretKey)
  return { ...unsigned, block: change.block ?? encodeBlock(block), signature }
}

beforeAll(() => {
  world = chainWorld(testGenesis(), people)
  good = propose({})
})

/** What was done ahead for a proposal. */
async function workFor(proposal: Proposal): Promise<string[]> {
  const done: string[] = []
  const { networkId, place, prepare } = world.chain
  const chain = {
    ...{ networkId, place },
    prepare: (work: Parameters<typeof prepare>[0]) => {
      done.push(work.type)
      return prepare(work)
    },
  } as Chain
  const seedScheme = {
    foresee: async () => void done.push('seed'),
  } as unknown as SeedScheme
  await foresee({ chain, turns: AT_ONCE, seedScheme }, proposal)
  return done
}

test('the seed signature and the body of a proposal are looked at ahead', async () => {
  expect(await workFor(good)).toEqual(['seed', 'read'])
})

test.each<[string, () => Proposal]>([
  ['that its proposer did not sign', () => ({ ...good, signature: new Uint8Array(64) })],
  ['that another validator signed', () => propose({}, people[1 - people.findIndex(isProposer)])],
  ['of another height', () => propose({ height: 2 })],
  ['whose signature is of another round', () => ({ ...good, round: 1 })],
])('a proposal %s costs nothing ahead', async (_what, make) => {
  expect(await workFor(make())).toEqual([])
})

test('a signed proposal whose block cannot be read is told', async () => {
  await expect(workFor(propose({ block: new Uint8Array(9) }))).rejects.toThrow(CodecError)
})

function isProposer({ id }: Person): boolean {
  const { chain } = world
  return chain.head().validators.members[chain.proposer(0)]!.id === id
}
