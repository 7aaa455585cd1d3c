/**
 * A new network: its genesis, the keys of its validators, and the file that others join by. The money goes to a wallet; each
 * validator belongs to an account of that wallet, so that its words bring everything back.
 * Spec: docs/spec/genesis.md §5.
 * @module
 */
import { type AccountId, type Milliseconds, milliseconds } from '../../base/brand.ts'
import type { KeyPair } from '../../core/ed25519.ts'
import { accountOf, ZERO_HASH } from '../../core/fields.ts'
import type { Genesis, GenesisModel, GenesisValidator } from '../../core/genesis.ts'
import type { NetworkKind } from '../../core/network-kind.ts'
import type { Parameters } from '../../core/parameters.ts'
import type { Role } from '../../core/role.ts'
import { proveValidatorKeys } from '../../core/validator-proofs.ts'
import { type ValidatorKeys, validatorKeysOf } from '../node/validator-keys.ts'

export interface NewNetworkOptions {
  readonly name: string
  readonly kind: NetworkKind
  readonly timeMs: Milliseconds
  readonly parameters: Parameters
  /** What can be leased from the start, in any order. */
  readonly models: readonly GenesisModel[]
  /** How many validators; at least one. */
  readonly validators: number
  /** Grains that the wallet's first account holds beside the bonds. */
  readonly balance: bigint
  /** Grains that each validator's operator account holds, from which reports of double signs are paid. Default none. */
  readonly operatorBalance?: bigint
  /** Further accounts of the wallet with money; none that has some by what stands above. Default none. */
  readonly funded?: readonly FundedAccount[]
  /** Grains that each validator's owner bonds. */
  readonly bond: bigint
  /** Name of a validator, from its number (from 1). */
  readonly validatorName: (number: number) => string
}

export interface FundedAccount {
  readonly role: Role
  readonly account: number
  /** Grains, more than none. */
  readonly balance: bigint
}

export interface NewValidator {
  readonly name: string
  readonly id: AccountId
  readonly keys: ValidatorKeys
}

export interface NewNetwork {
  readonly genesis: Genesis
  readonly validators: readonly NewValidator[]
}

/** The key of a role of an account of the wallet; see `OpenWallet.keys`. */
export type KeySource = (choice: { readonly role: Role; readonly account: number }) => KeyPair

/** Validator `i` (from 0) is the owner of account `i` of the wallet and votes with the account's operator key. */
export function newNetwork(options: NewNetworkOptions, keys: KeySource): NewNetwork {
  const made = Array.from({ length: options.validators }, (_, account) => {
    const name = options.validatorName(account + 1)
    const owner = accountOf(keys({ role: 'owner', account }).publicKey)
    const own = validatorKeysOf(keys({ role: 'operator', account }).secretKey)
    const proofs = proveValidatorKeys({ networkId: ZERO_HASH, owner }, own.consensus, own.seedSecret)
    const entry: GenesisValidator = { id: owner, name, bond: options.bond, ...proofs }
    return { entry, validator: { name, id: owner, keys: own } }
  })
  const { name, kind, timeMs, parameters, models, balance, operatorBalance = 0n, funded = [] } = options
  const operators =
    operatorBalance === 0n
      ? []
      : made.map(({ validator }) => ({ id: accountOf(validator.keys.consensus.publicKey), balance: operatorBalance }))
  const further = funded.map((one) => ({ id: accountOf(keys(one).publicKey), balance: one.balance }))
  const first = { id: accountOf(keys({ role: 'owner', account: 0 }).publicKey), balance }
  const genesis: Genesis = {
    ...{ name, kind, parameters },
    timeMs: milliseconds(Math.floor(timeMs)),
    accounts: [first, ...operators, ...further].sort(byId),
    validators: made.map(({ entry }) => entry).sort(byId),
    models: models.toSorted((first, second) => (first.model < second.model ? -1 : 1)),
  }
  return { genesis, validators: made.map(({ validator }) => validator) }
}

function byId(first: { readonly id: AccountId }, second: { readonly id: AccountId }): number {
  return first.id < second.id ? -1 : 1
}
