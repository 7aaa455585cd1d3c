/**
 * People with keys, and networks that they begin: for tests of the chain.
 * @module
 */
import { type AccountId, type Hash, milliseconds } from '../src/base/brand.ts'
import { Writer } from '../src/base/codec.ts'
import { type KeyPair, keyPairFromSecret } from '../src/core/ed25519.ts'
import { accountOf, ZERO_HASH } from '../src/core/fields.ts'
import { type Genesis, type GenesisValidator, genesisState, networkIdOf } from '../src/core/genesis.ts'
import { INITIAL_PARAMETERS, type Parameters } from '../src/core/parameters.ts'
import { createStateStore, type StateStore } from '../src/core/state/state.ts'
import type { TransactionContext } from '../src/core/transaction/check.ts'
import { contractOf } from '../src/core/transaction/contracts.ts'
import { decodeTransaction, signTransaction, type Transaction } from '../src/core/transaction/transaction.ts'
import { proveValidatorKeys } from '../src/core/validator-proofs.ts'

export interface Person {
  readonly owner: KeyPair
  readonly id: AccountId
  /** Of a validator, if the person is one. */
  readonly consensus: KeyPair
  readonly seedSecret: Uint8Array
}

export const DLLM = 1_000_000_000n

/** The same person for the same number, everywhere. */
export function person(number: number): Person {
  const owner = keyPairFromSecret(new Uint8Array(32).fill(number))
  const consensus = keyPairFromSecret(new Uint8Array(32).fill(number + 100))
  const seedSecret = new Uint8Array(32).fill(number).fill(0, 0, 1)
  return { owner, id: accountOf(owner.publicKey), consensus, seedSecret }
}

/** Small numbers, so that tests reach epochs and the ends of unbondings. */
export const TEST_PARAMETERS: Parameters = {
  ...INITIAL_PARAMETERS,
  epochBlocks: 10n,
  unbondingBlocks: 30n,
  proposalBlocks: 5n,
  proposalDeposit: 5n * DLLM,
  baseFeeMin: 1n,
}

export function genesisValidator({ id, consensus, seedSecret }: Person, name: string, bond: bigint): GenesisValidator {
  return { ...{ id, name, bond }, ...proveValidatorKeys({ networkId: ZERO_HASH, owner: id }, consensus, seedSecret) }
}

/** People 1 to 4 with 1,000 DLLM each; 1 and 2 validate with 100. */
export function testGenesis(parameters: Partial<Parameters> = {}): Genesis {
  const people = [1, 2, 3, 4].map(person)
  const byId = <Entry extends { readonly id: AccountId }>(entries: Entry[]): Entry[] =>
    entries.toSorted((a, b) => (a.id < b.id ? -1 : 1))
  return {
    name: 'test',
    kind: 'local',
    timeMs: milliseconds(1_700_000_000_000),
    parameters: { ...TEST_PARAMETERS, ...parameters },
    accounts: byId(people.map(({ id }) => ({ id, balance: 1_000n * DLLM }))),
    validators: byId(people.slice(0, 2).map((one, index) => genesisValidator(one, `one-${index}`, 100n * DLLM))),
    models: [],
  }
}

/** A network at a height, whose whole state can be looked through. */
export interface TestNetwork {
  readonly networkId: Hash
  readonly state: StateStore
  readonly context: TransactionContext
}

export function testNetwork(genesis: Genesis, height = 5): TestNetwork {
  const networkId = networkIdOf(genesis)
  const context = {
    ...{ networkId, height, parameters: genesis.parameters, baseFee: 10n },
    proposer: genesis.validators[0]!.id,
  }
  return { networkId, state: createStateStore(genesisState(genesis)), context }
}

export interface CallDraft {
  readonly type: number
  readonly body: unknown
  readonly nonce?: bigint
  readonly maxFee?: bigint
  readonly tip?: bigint
}

/** Bytes of a signed call of a contract. */
export function signCall(networkId: Hash, { owner }: Person, call: CallDraft): Uint8Array {
  const { type, nonce = 0n, maxFee = 100n, tip = 2n } = call
  const writer = new Writer()
  contractOf(type)!.write(writer, call.body)
  return signTransaction(networkId, { type, nonce, maxFee, tip, body: writer.finish() }, owner)
}

export function signedCall(networkId: Hash, sender: Person, call: CallDraft): Transaction {
  return decodeTransaction(signCall(networkId, sender, call))
}
