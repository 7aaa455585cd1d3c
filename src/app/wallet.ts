/**
 * Wallets: named keystores in one folder. Creates, lists, shows and opens them; signs and verifies messages. Knows no
 * terminal and no chain. Spec: docs/spec/keys.md.
 * @module
 */
import type { Address } from '../base/brand.ts'
import { HouseError } from '../base/error.ts'
import { INPUT_LIMITS, WALLET_LIMITS } from '../base/limits.ts'
import type { Random } from '../base/ports.ts'
import { addressOf } from '../core/address.ts'
import type { KeyPair } from '../core/ed25519.ts'
import { type MessageToVerify, signMessage, verifyMessage as verifyBytes } from '../core/message.ts'
import type { NetworkKind } from '../core/network-kind.ts'
import { ROLES, type Role } from '../core/role.ts'
import { accountPath } from '../core/slip10.ts'
import { BackupError, checkBackup } from './backup-check.ts'
import {
  createKeystore,
  type Keystore,
  keystoreAddress,
  type OpenedKeystore,
  openKeystore,
  parseKeystore,
  type WalletSecret,
} from './keystore.ts'
import { passwordBytes, type ScryptCost } from './keystore-crypto.ts'
import { opensslAccepts } from './openssl-verify.ts'
import { checkUnused, readWalletFile, walletNames, walletPath, writeWalletFile } from './wallet-files.ts'

export class WalletError extends HouseError<'WALLET_WEAK_PASSWORD' | 'WALLET_BAD_DESCRIPTION'> {}

/** One role's public part on one network. */
export interface WalletAccount {
  readonly role: Role
  readonly address: Address
  readonly publicKey: string
  readonly path: string
}

/** What can be shown without a password. */
export interface WalletView {
  readonly name: string
  readonly uuid: string
  readonly description: string
  readonly network: NetworkKind
  readonly accounts: readonly WalletAccount[]
  /** Absolute path of the file. */
  readonly file: string
}

/** A line of a list: a wallet, or the reason why its file cannot be used. */
export type WalletListing =
  | { readonly type: 'wallet'; readonly wallet: WalletView }
  | { readonly type: 'problem'; readonly name: string; readonly code: string; readonly message: string }

/** Which key: of what role, and where in the tree. */
export interface KeyChoice {
  readonly network: NetworkKind
  readonly role: Role
  /** Default 0. */
  readonly account?: number
  /** Default 0. */
  readonly index?: number
}

/** The public side of a chosen key. */
export interface ChosenKey {
  readonly address: Address
  /** 64 hexadecimal digits. */
  readonly publicKey: string
  readonly path: string
}

export interface OpenWallet {
  readonly secret: WalletSecret
  /** The pair itself, for signing transactions. */
  keys(choice: KeyChoice): KeyPair
  /** Signs a message; `signature` is its text form, `dllmsig1…`. */
  sign(message: Uint8Array, choice: KeyChoice): ChosenKey & { readonly signature: string }
  /** 32-byte Ed25519 seed in hexadecimal. */
  privateKey(choice: KeyChoice): ChosenKey & { readonly privateKey: string }
  /** Returns if this is the wallet's backup. @throws BackupError */
  checkBackup(words: string, passphrase: string): void
}

export interface NewWallet {
  readonly name: string
  readonly description: string
  readonly secret: WalletSecret
  readonly password: string
}

export interface Wallets {
  /** @throws WalletFileError WALLET_EXISTS or WALLET_BAD_NAME, before anything secret is asked for. */
  checkName(name: string): Promise<void>
  /** Writes a new wallet. @throws WalletError, WalletFileError */
  create(wallet: NewWallet): Promise<void>
  list(network: NetworkKind): Promise<WalletListing[]>
  /** @throws WalletFileError, KeystoreError */
  show(name: string, network: NetworkKind): Promise<WalletView>
  /** @throws WalletFileError, KeystoreError */
  open(name: string, password: string): Promise<OpenWallet>
}

export interface WalletsOptions {
  /** Absolute path of the folder with the keystores. */
  readonly folder: string
  /** Of new wallets. A cheaper one is for tests, and for passwords that nobody can guess. */
  readonly cost?: ScryptCost
}

/** The wallets of a folder; nothing is read until asked. */
export function createWallets(options: WalletsOptions, ports: { readonly random: Random }): Wallets {
  const { folder, cost } = options
  const read = async (name: string): Promise<Keystore> => parseKeystore(await readWalletFile(folder, name))
  const show = async (name: string, network: NetworkKind): Promise<WalletView> =>
    viewOf(await read(name), network, { name, file: walletPath(folder, name) })
  return {
    checkName: (name) => checkUnused(folder, name),
    show,
    async create({ name, description, secret, password }) {
      checkPassword(password)
      checkDescription(description)
      await checkUnused(folder, name)
      const keystore = await createKeystore(secret, password, { random: ports.random, description, cost })
      await writeWalletFile({ folder, name }, `${JSON.stringify(keystore, null, 2)}\n`, ports.random)
    },
    async list(network) {
      const names = await walletNames(folder)
      return Promise.all(names.map((name) => listingOf(name, () => show(name, network))))
    },
    async open(name, password) {
      const opened = await openKeystore(await read(name), password)
      return openWallet(opened)
    },
  }
}

/** @throws WalletError WALLET_WEAK_PASSWORD when a new password is too short or too long. */
export function checkPassword(password: string): void {
  const length = [...Buffer.from(passwordBytes(password)).toString('utf8')].length
  if (length >= WALLET_LIMITS.passwordCharactersMin && length <= INPUT_LIMITS.passwordCharactersMax) return
  throw new WalletError(
    'WALLET_WEAK_PASSWORD',
    `A password needs ${WALLET_LIMITS.passwordCharactersMin} to ${INPUT_LIMITS.passwordCharactersMax} characters. Several random words are easy to remember.`,
  )
}

/** Returns if the signature is the address's own. @throws AddressError, MessageError */
export function verifyMessage(claim: MessageToVerify): void {
  verifyBytes(claim, opensslAccepts)
}

function openWallet({ secret, keys }: OpenedKeystore): OpenWallet {
  const chosen = (pair: KeyPair, choice: KeyChoice): ChosenKey => ({
    address: addressOf(pair.publicKey, choice.network),
    publicKey: Buffer.from(pair.publicKey).toString('hex'),
    path: accountPath(choice),
  })
  return {
    secret,
    keys,
    sign(message, choice) {
      const pair = keys(choice)
      return { ...chosen(pair, choice), signature: signMessage(message, pair) }
    },
    privateKey(choice) {
      const pair = keys(choice)
      return { ...chosen(pair, choice), privateKey: Buffer.from(pair.secretKey).toString('hex') }
    },
    checkBackup(words, passphrase) {
      checkBackup(words, secret.words)
      if (passphrase.normalize('NFKD') === secret.passphrase) return
      throw new BackupError('BACKUP_OTHER_PASSPHRASE', "The words are right, but the passphrase is not this wallet's.")
    },
  }
}

function viewOf(keystore: Keystore, network: NetworkKind, place: { name: string; file: string }): WalletView {
  const accounts = ROLES.map((role) => {
    const { address, publicKey, path } = keystoreAddress(keystore, role, network)
    return { role, address, publicKey, path }
  })
  const { uuid, description } = keystore
  return { ...place, uuid, description, network, accounts }
}

async function listingOf(name: string, show: () => Promise<WalletView>): Promise<WalletListing> {
  try {
    return { type: 'wallet', wallet: await show() }
  } catch (error) {
    if (!(error instanceof HouseError)) throw error
    return { type: 'problem', name, code: error.code, message: error.message }
  }
}

function checkDescription(description: string): void {
  const max = WALLET_LIMITS.descriptionCharactersMax
  if (description.length <= max && !/\p{Cc}/u.test(description)) return
  throw new WalletError('WALLET_BAD_DESCRIPTION', `A description is one line of at most ${max} characters.`)
}
