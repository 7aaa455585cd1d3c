/**
 * A validator from an account of a wallet: proofs of its keys for the chain, and for a node of this machine the key file and
 * the record of what the key signed. Spec: docs/spec/cli.md §6.
 * @module
 */
import { readdir } from 'node:fs/promises'
import { bytesToHex } from '@noble/hashes/utils.js'
import type { AccountId, Hash } from '../../base/brand.ts'
import { codeOf, HouseError } from '../../base/error.ts'
import type { SignIdentity } from '../../core/consensus/sign-guard.ts'
import { addressOfAccount } from '../../core/fields.ts'
import { proveValidatorKeys } from '../../core/validator-proofs.ts'
import { UsageError } from '../base-command.ts'
import type { Home } from '../home.ts'
import { nodeFolder } from '../node/node-folders.ts'
import { loadValidatorKeys, saveValidatorKeys, type ValidatorKeys, validatorKeysOf } from '../node/validator-keys.ts'
import { isName } from '../settings.ts'
import { type Disk, openDisk } from '../store/disk.ts'
import { createSignState, openSignState } from '../store/sign-state.ts'
import type { KeyChoice, OpenWallet } from '../wallet.ts'
import { type ChainCall, registerCall } from './calls.ts'
import type { ChainAccess, ValidatorView } from './chain-access.ts'

export class RegisterError extends HouseError<'VALIDATOR_KEY_IN_USE' | 'NOT_A_VALIDATOR'> {}

export interface Registration {
  readonly call: ChainCall
  readonly keys: ValidatorKeys
}

/** Whose account and whose operator key it becomes. */
export interface RegistrationPlace {
  readonly chain: ChainAccess
  readonly owner: AccountId
  readonly opened: OpenWallet
  readonly choice: Omit<KeyChoice, 'role'>
}

/**
 * The call, once it is sure that nobody votes with these keys: the same key at two nodes would sign twice.
 * @throws ChainArgumentError VALIDATOR_NAME_BAD; RegisterError VALIDATOR_KEY_IN_USE.
 */
export async function registration(name: string, place: RegistrationPlace): Promise<Registration> {
  const { chain, owner } = place
  const keys = keysAt(place)
  const known = await validatorOf(chain, keys)
  if (known !== undefined) {
    const own = known.address === addressOfAccount(owner, chain.network.kind)
    const next = own ? 'Add --restore to write its key for the node again' : 'Register another account with --account'
    throw inUse(`The operator key of this account votes for the validator ${known.name} already. ${next}.`)
  }
  const subject = { networkId: chain.network.networkId, owner }
  return { call: registerCall({ name, ...proveValidatorKeys(subject, keys.consensus, keys.seedSecret) }), keys }
}

/** The keys of a validator that the account is. @throws RegisterError NOT_A_VALIDATOR. */
export async function registeredKeys(place: RegistrationPlace): Promise<ValidatorKeys> {
  const keys = keysAt(place)
  if ((await validatorOf(place.chain, keys)) !== undefined) return keys
  const message = 'No validator votes with the operator key of this account. Leave out --restore to register one.'
  throw new RegisterError('NOT_A_VALIDATOR', message)
}

/** @throws UsageError for a name that is no file name. */
export function checkNodeName(name: string): void {
  if (isName(name)) return
  throw new UsageError('USAGE', `--node takes letters, digits, ".", "_" and "-", not "${name}".`)
}

/** A node of this machine and the network on which it is to vote. */
export interface VotingNode {
  readonly name: string
  readonly networkId: Hash
}

/**
 * Writes the key for a node of this machine, where no other node votes with it on this network.
 * @throws RegisterError VALIDATOR_KEY_IN_USE; ValidatorKeyError VALIDATOR_KEY_EXISTS.
 */
export async function writeValidatorKey(home: Home, node: VotingNode, keys: ValidatorKeys): Promise<void> {
  const others = await readdir(home.file('nodes')).catch((): string[] => [])
  for (const other of others) {
    if (other === node.name || !isName(other) || !(await votesWith(home, { ...node, name: other }, keys))) continue
    throw inUse(`The node ${other} of this machine has this key. Two nodes with one key sign twice: use that one.`)
  }
  await saveValidatorKeys(nodeFolder(home, node.name).validatorKey, keys)
}

/**
 * Writes the key and the record that it never signed, so that the node finds both. Again with the same key is fine.
 * @throws RegisterError, ValidatorKeyError, like `writeValidatorKey`; SignStateError SIGN_STATE_FOREIGN, SIGN_STATE_DAMAGED; StoreError.
 */
export async function writeValidatorFiles(home: Home, node: VotingNode, keys: ValidatorKeys): Promise<void> {
  await writeValidatorKey(home, node, keys)
  await withSignState(home, node, async (disk) => {
    const identity = identityOf(node, keys)
    await openSignState(disk, identity).catch((error: unknown) => {
      if (codeOf(error) !== 'SIGN_STATE_MISSING') throw error
      return createSignState(disk, identity)
    })
  })
}

/** Has the key, and a record of what it signed that does not belong to another network. */
async function votesWith(home: Home, node: VotingNode, keys: ValidatorKeys): Promise<boolean> {
  const found = await loadValidatorKeys(nodeFolder(home, node.name).validatorKey).catch(() => undefined)
  if (found === undefined || !isSameKey(found, keys)) return false
  return withSignState(home, node, (disk) =>
    openSignState(disk, identityOf(node, keys)).then(
      () => true,
      (error: unknown) => codeOf(error) !== 'SIGN_STATE_FOREIGN',
    ),
  )
}

async function withSignState<Result>(
  home: Home,
  { name }: VotingNode,
  work: (disk: Disk) => Promise<Result>,
): Promise<Result> {
  const disk = await openDisk(nodeFolder(home, name).disk)
  try {
    return await work(disk)
  } finally {
    await disk.close()
  }
}

function identityOf({ networkId }: VotingNode, { consensus }: ValidatorKeys): SignIdentity {
  return { networkId, publicKey: consensus.publicKey }
}

function keysAt({ opened, choice }: RegistrationPlace): ValidatorKeys {
  return validatorKeysOf(opened.keys({ ...choice, role: 'operator' }).secretKey)
}

async function validatorOf(chain: ChainAccess, { consensus }: ValidatorKeys): Promise<ValidatorView | undefined> {
  const key = bytesToHex(consensus.publicKey)
  return (await chain.validators()).find(({ consensusKey }) => consensusKey === key)
}

function isSameKey(one: ValidatorKeys, other: ValidatorKeys): boolean {
  return bytesToHex(one.consensus.publicKey) === bytesToHex(other.consensus.publicKey)
}

function inUse(message: string): RegisterError {
  return new RegisterError('VALIDATOR_KEY_IN_USE', message)
}
