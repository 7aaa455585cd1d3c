/**
 * A chain whose validators change hands, as light blocks, and what a lying full node makes of them.
 * @module
 */
import type { AccountId } from '../src/base/brand.ts'
import { blockHash, type Header } from '../src/core/block/block.ts'
import type { Chain } from '../src/core/chain.ts'
import { validatorSet } from '../src/core/consensus/validator-set.ts'
import { taggedHash } from '../src/core/hash.ts'
import type { LightBlock } from '../src/core/light-client.ts'
import { DLLM, genesisValidator, type Person, person, signCall, testGenesis } from './chain-accounts.ts'
import { chainWorld, crowd, signCommit } from './chain-world.ts'

export const LIGHT_EPOCH_BLOCKS = 5
const people = crowd(6)
const owners = new Map<AccountId, Person>(people.map((one) => [one.id, one]))

export interface LightWorld {
  readonly chain: Chain
  /** By height; the genesis block is at 0, with nobody's commit. */
  readonly blocks: readonly LightBlock[]
  /** The header of a height with some fields changed, committed by members of its set with these indexes, or all. */
  forge(height: number, change: Partial<Header>, signers?: readonly number[]): LightBlock
  /** The same, by a set of strangers. */
  forgeByStrangers(height: number, change: Partial<Header>): LightBlock
}

/** 1 and 2 validate at first with equal stake; in the tenth block they leave and 3 to 6 stay, who joined before. */
export function lightWorld(heights: number): LightWorld {
  const all = people.map((one) => one.id)
  const base = testGenesis({ epochBlocks: BigInt(LIGHT_EPOCH_BLOCKS), unbondingBlocks: 200n })
  const validators = people.map((one, index) => genesisValidator(one, `v-${index}`, (index < 2 ? 400n : 10n) * DLLM))
  const genesis = {
    ...base,
    accounts: all.toSorted().map((id) => ({ id, balance: 1_000n * DLLM })),
    validators: validators.toSorted((a, b) => (a.id < b.id ? -1 : 1)),
  }
  const { chain, propose, commit } = chainWorld(genesis, people, { seedSigner: cheapSeed })
  const blocks: LightBlock[] = [{ header: chain.header, set: chain.head().validators, commit: noCommit(chain) }]
  for (let height = 1; height <= heights; height++) {
    if (height === 10) rebond(chain)
    const block = propose()
    const set = chain.head().validators
    const made = commit(block)
    chain.apply(block, made)
    blocks.push({ header: block.header, set, commit: made })
  }
  const { networkId } = chain
  return {
    ...{ chain, blocks },
    forge(height, change, signers) {
      const { header, set } = blocks[height]!
      const forged = { ...header, ...change }
      const hash = blockHash(networkId, forged)
      return { header: forged, set, commit: signCommit(hash, forged.height, { networkId, set, owners, signers }) }
    },
    forgeByStrangers(height, change) {
      const strangers = [70, 71, 72].map(person)
      const members = strangers.map(({ id, consensus }) => ({
        ...{ id, consensusKey: consensus.publicKey, seedKey: new Uint8Array(48), stake: 10n ** 15n },
      }))
      const set = validatorSet(members.toSorted((a, b) => (a.id < b.id ? -1 : 1)))
      const header = { ...blocks[height]!.header, ...change, validatorsHash: set.hash }
      const signing = { networkId, set, owners: new Map(strangers.map((one) => [one.id, one])) }
      return { header, set, commit: signCommit(blockHash(networkId, header), header.height, signing) }
    },
  }
}

/** The two large ones leave; the others give all that they have. */
function rebond(chain: Chain): void {
  for (const [index, one] of people.entries()) {
    const body = { validator: one.id, amount: (index < 2 ? 400n : 900n) * DLLM }
    chain.mempool.add(signCall(chain.networkId, one, { type: index < 2 ? 3 : 2, body, maxFee: 1_000n }))
  }
}

function noCommit(chain: Chain): LightBlock['commit'] {
  const { height, hash: blockHashOf } = chain.head()
  return { height, round: 0, blockHash: blockHashOf, signatures: [] }
}

function cheapSeed(message: Uint8Array): Uint8Array {
  const half = taggedHash('test/seed', message)
  return Uint8Array.from([...half, ...half, ...half])
}
