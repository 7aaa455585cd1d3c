/**
 * Who trades in a simulated network: miners, some of them not honest, payers, and the models that there are from the start.
 * @module
 */
import { type AccountId, type Hash, hash } from '../../src/base/brand.ts'
import { type KeyPair, keyPairFromSecret } from '../../src/core/ed25519.ts'
import type { GenesisModel } from '../../src/core/genesis.ts'
import { type PeerKeyClaim, provePeerKey } from '../../src/core/peer-key-proof.ts'
import { DLLM, type Person, person } from '../chain-accounts.ts'
import type { Chance } from './faults.ts'

/**
 * As miners: `cheat` sends noise on, `hide` opens no receipt. As auditors: `lie` agrees with whoever cheats, `fall-silent` commits and
 * never reveals, `sleep` does not commit, `copy` commits what another one committed to.
 */
export type Manner = 'honest' | 'cheat' | 'hide' | 'lie' | 'fall-silent' | 'sleep' | 'copy'

export interface Miner {
  readonly person: Person
  readonly peer: KeyPair
  readonly payout: AccountId
  readonly manner: Manner
  /** Grains that it registers with. */
  readonly deposit: bigint
}

export interface Traders {
  readonly miners: readonly Miner[]
  readonly payers: readonly Person[]
}

/** Price in grains per CU; two lots or one. */
export const MODELS: readonly GenesisModel[] = ['a1', 'b2'].map((byte, index) => ({
  ...{ model: hash(byte.repeat(32)), name: `example-${index}`, context: 512, price: 10n },
  segments: Array.from({ length: 4 - 2 * index }, () => ({ linear: 2_000_000n, attention: 100n })),
}))

const PAYERS = [21, 22, 23].map(person)
/** The first three are validators of every scenario: what audits find of their work weighs who proposes. */
const MINERS = [1, 2, 3, 11, 12, 13, 14].map(person)
const MANNERS: readonly Manner[] = [
  'honest',
  'honest',
  'honest',
  'cheat',
  'hide',
  'lie',
  'fall-silent',
  'sleep',
  'copy',
]

const peers = new Map<AccountId, KeyPair>()

/** The same people in every world; seeds differ in how they are. */
export function drawTraders(chance: Chance): Traders {
  const miners = MINERS.map((one, index): Miner => {
    // Two share an owner.
    const payout = index === MINERS.length - 1 ? MINERS[index - 1]!.id : one.id
    const manner = MANNERS[chance.pick(MANNERS.length)]!
    return { person: one, peer: peerOf(one), payout, manner, deposit: BigInt(1 + 2 * chance.pick(2)) * DLLM }
  })
  return { miners, payers: PAYERS }
}

/** Those that the genesis must give something: not validators. */
export function tradingAccounts(): AccountId[] {
  return [...MINERS.slice(3), ...PAYERS].map(({ id }) => id)
}

const claims = new Map<string, PeerKeyClaim>()

/** Signing in this language is slow. */
export function peerClaim(networkId: Hash, { person: { id }, peer }: Miner): PeerKeyClaim {
  const name = networkId + id
  const claim = claims.get(name) ?? provePeerKey({ networkId, operator: id }, peer)
  claims.set(name, claim)
  return claim
}

function peerOf({ id, owner }: Person): KeyPair {
  const peer = peers.get(id) ?? keyPairFromSecret(owner.secretKey.map((byte) => byte ^ 0xff))
  peers.set(id, peer)
  return peer
}
