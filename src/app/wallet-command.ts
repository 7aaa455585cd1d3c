/**
 * What the wallet commands share: the folder, the network's addresses, and where passwords, words and messages come
 * from. Spec: docs/spec/keys.md §8.
 * @module
 */
import { Args, Flags, type Interfaces } from '@oclif/core'
import { HouseError } from '../base/error.ts'
import { INPUT_LIMITS, WALLET_LIMITS } from '../base/limits.ts'
import type { NetworkKind } from '../core/network-kind.ts'
import { ROLES, type Role } from '../core/role.ts'
import { BaseCommand, type GlobalFlags, UsageError } from './base-command.ts'
import { loadConfig } from './config.ts'
import type { Home } from './home.ts'
import { openPrompter, type Prompter } from './prompt.ts'
import { readBytes, readSecretLine, readSecretText, sourceOf } from './secret-input.ts'
import type { OpenWallet, WalletListing, Wallets, WalletView } from './wallet.ts'
import { ATTEMPTS_MAX, askAgain, oneSource, openWithPassword, passwordSource } from './wallet-password.ts'

export class WalletInputError extends HouseError<'WALLET_PASSWORDS_DIFFER'> {}

/** Where a password comes from when nobody is to be asked. */
export interface PasswordFlags {
  readonly 'password-file': string | undefined
  readonly 'password-fd': number | undefined
}

/** Where words come from when nobody is to be asked. */
export interface WordsFlags {
  readonly 'words-file': string | undefined
  readonly 'words-fd': number | undefined
}

/** What is signed or verified. */
export interface MessageFlags {
  readonly message: string | undefined
  readonly file: string | undefined
}

/** The wallets of this data folder and the network whose addresses they show. */
export interface WalletContext {
  readonly wallets: Wallets
  readonly network: NetworkKind
  /** The named wallet, or the one that the settings name. */
  readonly name: (given: string | undefined) => string
}

const fd = (description: string): Interfaces.OptionFlag<number | undefined> =>
  Flags.integer({ description, helpValue: 'NUMBER', min: 0, max: WALLET_LIMITS.descriptorMax })

/** `ignoreStdin`: without it, oclif takes a missing name from stdin, where the password may be. */
export const walletNameArg: Interfaces.Arg<string | undefined> = Args.string({
  name: 'name',
  ignoreStdin: true,
  description: 'Name of the wallet; without it, the one of the setting "wallet".',
})

export const newWalletNameArg: Interfaces.Arg<string | undefined> = Args.string({
  name: 'name',
  ignoreStdin: true,
  description: 'What to call the wallet; without it, as the setting "wallet" says.',
})

/** The name as an argument, as the other commands take it, or by the flag. @throws UsageError when both differ. */
export function newWalletName(argument: string | undefined, flag: string | undefined): string | undefined {
  if (argument === undefined || flag === undefined || argument === flag) return argument ?? flag
  throw new UsageError('USAGE', `The wallet has two names, "${argument}" and "${flag}". Give it one.`)
}

export const passwordFlags: Interfaces.FlagInput<PasswordFlags> = {
  'password-file': Flags.string({ description: 'Read the password from a file; - is stdin.', helpValue: 'FILE' }),
  'password-fd': fd('Read the password from an open descriptor.'),
}

/** What a new wallet is called, and whether its words have a passphrase. */
export interface NewWalletFlags {
  readonly name: string | undefined
  readonly description: string
  readonly 'with-passphrase': boolean
}

export const newWalletFlags: Interfaces.FlagInput<NewWalletFlags> = {
  name: Flags.string({ description: 'The same as the argument NAME.' }),
  description: Flags.string({ description: 'A remark that is shown in lists.', default: '', helpValue: 'TEXT' }),
  'with-passphrase': Flags.boolean<boolean>({
    description: 'Ask for a passphrase that belongs to the words: needed at every restore, and on no paper.',
  }),
}

export const wordsFlags: Interfaces.FlagInput<WordsFlags> = {
  'words-file': Flags.string({ description: 'Read the words from a file; - is stdin.', helpValue: 'FILE' }),
  'words-fd': fd('Read the words from an open descriptor.'),
}

export const messageFlags: Interfaces.FlagInput<MessageFlags> = {
  message: Flags.string({ char: 'm', description: 'The message itself.', helpValue: 'TEXT', exclusive: ['file'] }),
  file: Flags.string({ char: 'f', description: 'Read the message from a file; - is stdin.', helpValue: 'FILE' }),
}

export const roleFlag: Interfaces.OptionFlag<Role> = Flags.option({
  options: ROLES,
  default: 'owner' as const,
  description: 'Whose key: owner holds money, operator runs a machine, payout receives earnings.',
})()

export const treeFlags: Interfaces.FlagInput<{ account: number; index: number }> = {
  account: Flags.integer({ default: 0, min: 0, max: 2 ** 31 - 1, description: 'Account number in the key tree.' }),
  index: Flags.integer({ default: 0, min: 0, max: 2 ** 31 - 1, description: 'Key number in the account.' }),
}

export abstract class WalletCommand extends BaseCommand {
  #prompter: Prompter | undefined
  /** `data` once stdin is something else than the lines of answers. */
  #stdin: 'answers' | 'data' = 'answers'
  #home: Home | undefined

  /** Opens the folder and reads the settings that matter here. */
  protected async walletContext(flags: GlobalFlags): Promise<WalletContext> {
    if (Object.values(flags).includes('-')) this.#stdin = 'data'
    const [{ createWallets }, { addressKindOf }] = await Promise.all([
      import('./wallet.ts'),
      import('./chain/address-kind.ts'),
    ])
    const home = await this.home(flags)
    this.#home = home
    const { settings } = await loadConfig({ home, env: process.env, flags: { network: flags.network } })
    const wallets = createWallets({ folder: home.file('wallets') }, this.system(flags))
    const network = await addressKindOf(home, settings.network)
    return { wallets, network, name: (given) => given ?? settings.wallet }
  }

  /** The person, asked at the terminal or through the lines of stdin. */
  protected prompter(): Prompter {
    this.#prompter ??= openPrompter({ stdin: this.#stdin })
    return this.#prompter
  }

  /** Opens a wallet with its password; a person who mistypes it is asked again, and nobody for the local network's. */
  protected async openWallet(wallets: Wallets, name: string, flags: PasswordFlags): Promise<OpenWallet> {
    return openWithPassword({ wallets, name, flags, home: this.#home, prompter: () => this.prompter() })
  }

  /** A new password: asked twice when a person types it, and long enough. */
  protected async newPassword(flags: PasswordFlags, name: string): Promise<string> {
    const { checkPassword } = await import('./wallet.ts')
    const source = passwordSource(flags)
    if (source !== undefined) {
      const given = await readSecretLine(source)
      checkPassword(given)
      return given
    }
    const min = WALLET_LIMITS.passwordCharactersMin
    const password = await askAgain(this.prompter(), 'WALLET_WEAK_PASSWORD', async (prompter) => {
      const typed = await prompter.askHidden(`New password for wallet ${name} (at least ${min} characters): `)
      checkPassword(typed)
      return typed
    })
    await this.#confirm('The same password again: ', password)
    return password
  }

  /** A new passphrase of the words, asked twice; empty where none is wanted. */
  protected async newPassphrase(flags: NewWalletFlags): Promise<string> {
    if (!flags['with-passphrase']) return ''
    const passphrase = await this.prompter().askHidden('Passphrase of the words: ')
    if (passphrase.length > INPUT_LIMITS.passwordCharactersMax) {
      throw new UsageError('USAGE', `A passphrase has at most ${INPUT_LIMITS.passwordCharactersMax} characters.`)
    }
    await this.#confirm('The same passphrase again: ', passphrase)
    return passphrase
  }

  /** The bytes to sign or verify: --message, --file, or stdin where something is piped in. */
  protected async message(flags: MessageFlags): Promise<Uint8Array> {
    if (flags.message !== undefined) return new TextEncoder().encode(flags.message)
    const source = sourceOf(flags.file ?? (process.stdin.isTTY ? undefined : '-'), undefined)
    if (source === undefined) {
      throw new UsageError('USAGE', 'There is no message: use --message, --file, or pipe it into stdin.')
    }
    if (source.type === 'fd') this.#stdin = 'data'
    return readBytes(source, INPUT_LIMITS.messageToSignBytesMax)
  }

  /** Words as typed or given; `title` is shown to the person above the question. */
  protected async wordsText(flags: WordsFlags, title: string): Promise<string> {
    const source = oneSource('words', flags['words-file'], flags['words-fd'])
    return source === undefined ? this.prompter().askPrivately(title, 'Words: ') : readSecretText(source)
  }

  /** The words of an existing backup; a person who mistypes is told where, and asked again. */
  protected async existingWords(flags: WordsFlags): Promise<string[]> {
    const { MnemonicError, parseWords } = await import('./mnemonic.ts')
    let title = 'Type or paste the words of the wallet, with spaces between them.'
    for (let attempt = 1; ; attempt++) {
      const text = await this.wordsText(flags, title)
      try {
        return parseWords(text)
      } catch (error) {
        const isGiven = (flags['words-file'] ?? flags['words-fd']) !== undefined
        const mayAskAgain = !isGiven && this.prompter().isInteractive && attempt < ATTEMPTS_MAX
        if (!(error instanceof MnemonicError) || !mayAskAgain) throw error
        title = `${error.message}\n\nType or paste all the words again.`
      }
    }
  }

  /** Asks for the same hidden text again when a person types; a pipe does not mistype. */
  async #confirm(question: string, expected: string): Promise<void> {
    const prompter = this.prompter()
    if (!prompter.isInteractive || (await prompter.askHidden(question)) === expected) return
    throw new WalletInputError('WALLET_PASSWORDS_DIFFER', 'The two entries differ. Nothing was written; start again.')
  }

  protected override async finally(error: Error | undefined): Promise<void> {
    this.#prompter?.close()
    await super.finally(error)
  }
}

/** Lines that show a wallet. */
export function walletText(wallet: WalletView): string {
  const rows = wallet.accounts.map(({ role, address, path }) => `  ${role.padEnd(9)} ${address}  ${path}\n`)
  const description = wallet.description === '' ? '' : ` (${wallet.description})`
  return `Wallet ${wallet.name}${description}, network ${wallet.network}\n${rows.join('')}  ${'file'.padEnd(9)} ${wallet.file}\n`
}

/** Rows of the list for a table. */
export function listingRow(listing: WalletListing): { name: string; owner: string; description: string } {
  if (listing.type === 'problem')
    return { name: listing.name, owner: `cannot be used (${listing.code})`, description: '' }
  const { name, accounts, description } = listing.wallet
  return { name, owner: accounts[0]?.address ?? '', description }
}
