/**
 * What a seed stands for, before anything happens: the network's genesis, the machines with their clocks and disks, who of them
 * is not honest, and whose money moves. Everything else follows from it and from the schedule.
 * @module
 */
import { createHash } from 'node:crypto'
import type { NetworkChain } from '../../src/app/chain/network-chain.ts'
import type { SeedScheme } from '../../src/app/node/node.ts'
import type { ValidatorKeys } from '../../src/app/node/validator-keys.ts'
import { type AccountId, milliseconds, type PeerId, peerId } from '../../src/base/brand.ts'
import { blsPublicKey } from '../../src/core/bls.ts'
import { accountOf } from '../../src/core/fields.ts'
import { type Genesis, type GenesisValidator, networkIdOf } from '../../src/core/genesis.ts'
import { INITIAL_PARAMETERS, type Parameters } from '../../src/core/parameters.ts'
import { DLLM, genesisValidator, type Person, person } from '../chain-accounts.ts'
import { type Chance, createChance } from './faults.ts'
import { type ClockError, EPOCH_MS } from './timeline.ts'
import { drawTraders, MODELS, type Traders, tradingAccounts } from './traders.ts'

export interface MachinePlan {
  readonly name: string
  readonly peer: PeerId
  /** Whose validator it runs; undefined: it follows. */
  readonly owner: Person | undefined
  readonly keys: ValidatorKeys | undefined
  /** Runs the honest program with keys that another machine uses as well. */
  readonly isTwin: boolean
  readonly clock: ClockError
  readonly storageSeed: number
  readonly latencyMsMax: number
  readonly startsAtMs: number
  /** How much of a block it executes before other things happen; undefined: all of it. */
  readonly stepsPerTurn: number | undefined
}

export interface Scenario {
  readonly seed: number
  readonly network: NetworkChain
  readonly machines: readonly MachinePlan[]
  /** Who sends transactions. */
  readonly people: readonly Person[]
  /** Who has work done, and who does it. */
  readonly traders: Traders
  /** Owner of a machine with keys that no validator has yet; it may register. */
  readonly candidate: Person
  readonly registers: boolean
  /** Validators that are not honest, or whose clock is wrong. */
  readonly ill: ReadonlySet<AccountId>
  /** Consensus keys, as hex, that two machines sign with. */
  readonly twinKeys: ReadonlySet<string>
}

/** Short, so that epochs, set changes, unbondings and votes happen within seconds. */
const PARAMETERS: Parameters = {
  ...INITIAL_PARAMETERS,
  epochBlocks: 5n,
  unbondingBlocks: 15n,
  baseFeeMin: 1n,
  validatorsMax: 6n,
  blockUnitsMax: 10_000n,
  blockUnitsTarget: 500n,
  proposeMs: 400n,
  voteMs: 150n,
  roundMs: 100n,
  commitMs: 200n,
  clockSkewMs: 500n,
  proposalDeposit: 5n * DLLM,
  proposalBlocks: 6n,
  // What the miners bid is within the budget of the lowest price.
  ...{
    priceMin: 6n,
    modelDeposit: 5n * DLLM,
    placementBlocks: 20n,
    leaseBlocksMax: 10n,
    disputeBlocks: 2n,
    priceBlocks: 3n,
  },
  // Versions come and go as fast as votes.
  ...{ activationNotice: 2n, activationRetryBlocks: 2n, activationTries: 5n, rollbackBlocks: 25n },
  // Every receipt is audited; what that is worth stays below what it costs to pay oneself.
  ...{ receiptRows: 16n, auditShare: 1_000n, auditShareNew: 1_000n, auditFee: 20n },
  ...{ auditors: 3n, auditorsMin: 2n, auditCommitBlocks: 2n, auditRevealBlocks: 3n },
}

/** Genesis stakes in DLLM. In each, some validator has less than a third of everything. */
const STAKES: readonly (readonly number[])[] = [
  [1_000, 1_000, 1_000, 1_000],
  [1_600, 1_200, 900, 700],
  [900, 900, 900, 900, 900],
  [1_000, 900, 500, 300, 300],
]
const PEOPLE = 9
const CANDIDATE = 6
/** Curves are slow, and people are the same in all scenarios. */
const EVERYBODY = Array.from({ length: PEOPLE }, (_, index) => person(index + 1))
const MINUTE_MS = 60_000

/** A block here has some tens of steps, and a turn takes a millisecond. */
const STEPS_PER_TURN = [undefined, 1, 5]

export function scenarioOf(seed: number): Scenario {
  const chance = createChance(seed * 16)
  const stakes = STAKES[chance.pick(STAKES.length)]!
  const people = EVERYBODY
  const validators = people.slice(0, stakes.length)
  const candidate = people[CANDIDATE - 1]!
  const genesis = genesisOf(stakes, people)
  // At most one of the two, so that more than two thirds of the stake stay honest and on time.
  const ill = ['none', 'twin', 'clock', 'twin'][chance.pick(4)]!
  const illIndex = leastThird(stakes, chance)
  const plan = (name: string, index: number, owner: Person | undefined): MachinePlan => ({
    ...{ name, owner, peer: peerId(`peer-${name}`), keys: owner && keysOf(owner) },
    isTwin: ill === 'twin' && index === illIndex,
    clock: ill === 'clock' && index === illIndex ? wrongClock(chance) : usualClock(chance),
    storageSeed: seed * 1_000 + index * 10,
    latencyMsMax: chance.pick(3) * 8,
    startsAtMs: index < stakes.length ? chance.pick(300) : 0,
    stepsPerTurn: STEPS_PER_TURN[(seed + index) % STEPS_PER_TURN.length],
  })
  const machines = validators.map((owner, index) => plan(`v${index + 1}`, index, owner))
  if (ill === 'twin') machines.push({ ...plan('twin', stakes.length, validators[illIndex]), isTwin: true })
  const lateMs = 2_000 + chance.pick(10_000)
  machines.push({ ...plan('late', stakes.length + 1, candidate), startsAtMs: lateMs })
  const twins = machines.filter(({ isTwin }) => isTwin)
  return {
    ...{ seed, people, machines, candidate, traders: drawTraders(createChance(seed * 16 + 4)) },
    network: networkOf(genesis),
    registers: chance.pick(4) === 0,
    ill: new Set(ill === 'none' ? [] : [validators[illIndex]!.id]),
    twinKeys: new Set(twins.map(({ keys }) => hex(keys!.consensus.publicKey))),
  }
}

function networkOf(genesis: Genesis): NetworkChain {
  const networkId = networkIdOf(genesis)
  return { genesis, networkId, network: { id: genesis.name, bootstrap: [], mdns: false, dht: false } }
}

function genesisOf(stakes: readonly number[], people: readonly Person[]): Genesis {
  const ids = [...people.flatMap(({ id, consensus }) => [id, accountOf(consensus.publicKey)]), ...tradingAccounts()]
  return {
    ...{ name: 'simulated', kind: 'local', parameters: PARAMETERS },
    timeMs: milliseconds(EPOCH_MS - MINUTE_MS),
    accounts: byId(ids.map((id) => ({ id, balance: 200n * DLLM }))),
    validators: byId(stakes.map((stake, index) => validatorOf(people[index]!, `v${index + 1}`, BigInt(stake) * DLLM))),
    models: MODELS,
  }
}

function byId<Entry extends { readonly id: string }>(entries: readonly Entry[]): Entry[] {
  return entries.toSorted((a, b) => (a.id < b.id ? -1 : 1))
}

/** Index of a validator whose stake leaves the others more than two thirds, with some room for bonds that come and go. */
function leastThird(stakes: readonly number[], chance: Chance): number {
  const sum = stakes.reduce((all, stake) => all + stake, 0)
  const fitting = [...stakes.keys()].filter((index) => stakes[index]! * 3.5 < sum)
  return fitting[chance.pick(fitting.length)]!
}

function usualClock(chance: Chance): ClockError {
  return { offsetMs: chance.pick(200) - 100, driftPpm: chance.pick(200) - 100 }
}

function wrongClock(chance: Chance): ClockError {
  const minutes = 1 + chance.pick(5)
  return { offsetMs: (chance.pick(2) === 0 ? -1 : 1) * minutes * MINUTE_MS, driftPpm: chance.pick(20_000) - 10_000 }
}

const keysByPerson = new Map<Person['id'], ValidatorKeys>()

/** Curves are slow, and people are the same in all scenarios. */
function keysOf({ id, consensus, seedSecret }: Person): ValidatorKeys {
  let keys = keysByPerson.get(id)
  if (keys === undefined) {
    keys = { consensus, seedSecret, seedKey: blsPublicKey(seedSecret) }
    keysByPerson.set(id, keys)
  }
  return keys
}

const genesisByPerson = new Map<Person['id'], GenesisValidator>()

function validatorOf(owner: Person, name: string, bond: bigint): GenesisValidator {
  const known = genesisByPerson.get(owner.id) ?? genesisValidator(owner, name, bond)
  genesisByPerson.set(owner.id, known)
  return { ...known, name, bond }
}

/**
 * Seed signatures without curves: a hash of key and message, as unique as the real ones, and anybody could make it. The chain is told the
 * same way how to check them as it is told how to make them.
 */
export const SIMULATED_SEEDS: SeedScheme = {
  sign: (message, { seedKey }) => seedSignature(message, seedKey),
  verify: ({ signature, message, publicKey }) => Buffer.compare(signature, seedSignature(message, publicKey)) === 0,
}

const SEED_SIGNATURE_BYTES = 96

function seedSignature(message: Uint8Array, publicKey: Uint8Array): Uint8Array {
  const digest = createHash('sha256').update(publicKey).update(message).digest()
  const signature = new Uint8Array(SEED_SIGNATURE_BYTES)
  for (let at = 0; at < SEED_SIGNATURE_BYTES; at += digest.length) signature.set(digest, at)
  return signature
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
