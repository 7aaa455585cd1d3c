/**
 * A validator from an account of a wallet: proofs of its keys for the chain, and for a node of this machine the key file and
 * the record of what the key signed. Spec: docs/spec/cli.md §6.
 * @module
 */
import { bytesToHex } from '@noble/hashes/utils.js'
import type { AccountId, Hash } from '../../base/brand.ts'
import { codeOf } from '../../base/error.ts'
import { proveValidatorKeys } from '../../core/validator-proofs.ts'
import { UsageError } from '../base-command.ts'
import type { Home } from '../home.ts'
import { nodeFolder } from '../node/node-folders.ts'
import { loadValidatorKeys, saveValidatorKeys, type ValidatorKeys, validatorKeysOf } from '../node/validator-keys.ts'
import { isName } from '../settings.ts'
import { openDisk } from '../store/disk.ts'
import { createSignState, openSignState } from '../store/sign-state.ts'
import type { KeyChoice, OpenWallet } from '../wallet.ts'
import { type ChainCall, registerCall } from './calls.ts'
import type { ChainAccess } from './chain-access.ts'

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

/** @throws ChainArgumentError VALIDATOR_NAME_BAD. */
export function registration(name: string, { chain, owner, opened, choice }: RegistrationPlace): Registration {
  const keys = validatorKeysOf(opened.keys({ ...choice, role: 'operator' }).secretKey)
  const subject = { networkId: chain.network.networkId, owner }
  return { call: registerCall({ name, ...proveValidatorKeys(subject, keys.consensus, keys.seedSecret) }), keys }
}

/** @throws UsageError for a name that is no file name; ValidatorKeyError VALIDATOR_KEY_EXISTS, before anything is asked. */
export async function checkNodeName(home: Home, name: string): Promise<void> {
  if (!isName(name)) {
    throw new UsageError('USAGE', `--node takes letters, digits, ".", "_" and "-", not "${name}".`)
  }
  await loadValidatorKeys(nodeFolder(home, name).validatorKey)
}

/**
 * Writes the key and the record that it never signed, so that the node finds both. Again with the same key is fine.
 * @throws ValidatorKeyError VALIDATOR_KEY_EXISTS; SignStateError SIGN_STATE_FOREIGN, SIGN_STATE_DAMAGED; StoreError.
 */
export async function writeValidatorFiles(
  home: Home,
  node: { readonly name: string; readonly networkId: Hash },
  keys: ValidatorKeys,
): Promise<void> {
  const folder = nodeFolder(home, node.name)
  await saveValidatorKeys(folder.validatorKey, keys)
  const identity = { networkId: node.networkId, publicKey: keys.consensus.publicKey }
  const disk = await openDisk(folder.disk)
  try {
    await openSignState(disk, identity).catch((error: unknown) => {
      if (codeOf(error) !== 'SIGN_STATE_MISSING') throw error
      return createSignState(disk, identity)
    })
  } finally {
    await disk.close()
  }
}

/** Whether a consensus key, as views show it, is this one. */
export function isSameKey(consensusKey: string, { consensus }: ValidatorKeys): boolean {
  return bytesToHex(consensus.publicKey) === consensusKey
}
