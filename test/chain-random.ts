/**
 * Random calls of every contract by people of `chain-accounts.ts`, sensible often enough that all kinds get into blocks, and
 * wrong often enough that refusals occur too. The same seed gives the same calls.
 * @module
 */
import { hash } from '../src/base/brand.ts'
import { uniformAt } from '../src/base/prng.ts'
import type { Chain } from '../src/core/chain.ts'
import { type Ballot, ballotDigest } from '../src/core/consensus/messages.ts'
import { sign } from '../src/core/ed25519.ts'
import { PARAMETER_NAMES, PARAMETERS } from '../src/core/parameters.ts'
import { getBond } from '../src/core/state/bonds.ts'
import { validators } from '../src/core/state/validators.ts'
import type { ReportDoubleSign } from '../src/core/transaction/report-double-sign.ts'
import { proveValidatorKeys } from '../src/core/validator-proofs.ts'
import { type CallDraft, DLLM, type Person } from './chain-accounts.ts'

export interface Dice {
  /** A whole number from 0 to below `count`. */
  below(count: number): number
  pick<Item>(items: readonly Item[]): Item
  chance(probability: number): boolean
}

export function createDice(seed: bigint): Dice {
  let counter = 0n
  const uniform = (): number => uniformAt(seed, counter++)
  const below = (count: number): number => Math.floor(uniform() * count)
  return { below, pick: (items) => items[below(items.length)]!, chance: (probability) => uniform() < probability }
}

/** A call for `sender`, without nonce; bonds, votes and reports aim at what there is in the chain's state. */
export function randomCall(dice: Dice, chain: Chain, sender: Person, people: readonly Person[]): CallDraft {
  const roll = dice.below(100)
  const validator = dice.chance(0.95) ? dice.pick([...validators(chain.state)])[0] : dice.pick(people).id
  const fees = { maxFee: BigInt(1 + dice.below(2_000)), tip: BigInt(dice.below(50)) }
  const amount = BigInt(dice.below(40)) * DLLM + BigInt(dice.below(1_000))
  if (roll < 45) {
    return { type: 1, body: { to: dice.pick(people).id, amount, memo: new Uint8Array(dice.below(40)) }, ...fees }
  }
  if (roll < 65) return { type: 2, body: { validator, amount }, ...fees }
  if (roll < 80) {
    const bonded = getBond(chain.state, { validator, owner: sender.id })
    return { type: 3, body: { validator, amount: dice.chance(0.5) ? bonded : amount }, ...fees }
  }
  if (roll < 81) return { type: 4, body: registration(chain, sender), ...fees }
  if (roll < 83) return { type: 5, body: doubleSign(dice, chain, people), ...fees }
  if (roll < 90) return { type: 6, body: { changes: [randomChange(dice)] }, ...fees }
  return { type: 7, body: { proposal: dice.below(8), yes: dice.chance(0.8) }, ...fees }
}

function registration(chain: Chain, { id, consensus, seedSecret }: Person): unknown {
  const proofs = proveValidatorKeys({ networkId: chain.networkId, owner: id }, consensus, seedSecret)
  return { name: `v-${id.slice(0, 4)}`, ...proofs }
}

function doubleSign(dice: Dice, chain: Chain, people: readonly Person[]): ReportDoubleSign {
  // The first people keep the chain alive.
  const { consensus } = dice.pick(people.slice(2))
  const height = Math.max(1, chain.head().height - dice.below(20))
  const vote = (digit: string) => {
    const ballot: Ballot = { type: 'prevote', height, round: 0, blockHash: hash(digit.repeat(64)) }
    return { ...ballot, signature: sign(ballotDigest(chain.networkId, ballot), consensus.secretKey) }
  }
  return { kind: 'votes', consensusKey: consensus.publicKey, first: vote('1'), second: vote('2') }
}

/** Within the bounds that leave the test its pace: blocks are not made smaller, epochs and unbondings not longer. */
function randomChange(dice: Dice): { name: (typeof PARAMETER_NAMES)[number]; value: bigint } {
  const name = dice.pick(
    PARAMETER_NAMES.filter((one) => !['unbondingBlocks', 'proposalBlocks', 'bondMin'].includes(one)),
  )
  const { min, max, initial } = PARAMETERS[name]
  return { name, value: dice.pick([min, initial, dice.chance(0.2) ? max : initial * 2n]) }
}
