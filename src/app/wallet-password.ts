/**
 * The password of a wallet that is to be opened: from a flag, from the data folder for the local network's, or from the person.
 * Spec: docs/spec/keys.md §8.
 * @module
 */
import { codeOf, messageOf } from '../base/error.ts'
import { UsageError } from './base-command.ts'
import type { Home } from './home.ts'
import type { Prompter } from './prompt.ts'
import { type InputSource, readSecretLine, sourceOf } from './secret-input.ts'
import type { OpenWallet, Wallets } from './wallet.ts'
import type { PasswordFlags } from './wallet-command.ts'

export interface WalletToOpen {
  readonly wallets: Wallets
  readonly name: string
  readonly flags: PasswordFlags
  /** Where the password of the local network's wallet lies. */
  readonly home: Home | undefined
  /** Made when a person must be asked. */
  readonly prompter: () => Prompter
}

/** Times a person may mistype. */
export const ATTEMPTS_MAX = 3

/** A person who mistypes is asked again, and nobody for the local network's. @throws KeystoreError, WalletFileError, PromptError, InputError. */
export async function openWithPassword({ wallets, name, flags, home, prompter }: WalletToOpen): Promise<OpenWallet> {
  const source = passwordSource(flags)
  if (source !== undefined) return wallets.open(name, await readSecretLine(source))
  const { LOCAL_WALLET, localPassword } = await import('./devnet/local-wallet.ts')
  const known = name === LOCAL_WALLET && home ? await localPassword(home) : undefined
  if (known !== undefined) return wallets.open(name, known)
  return askAgain(prompter(), 'KEYSTORE_WRONG_PASSWORD', async (asked) =>
    wallets.open(name, await asked.askHidden(`Password of wallet ${name}: `)),
  )
}

/** @throws UsageError where both flags are given. */
export function passwordSource(flags: PasswordFlags): InputSource | undefined {
  return oneSource('password', flags['password-file'], flags['password-fd'])
}

/** @throws UsageError where both are given. */
export function oneSource(
  what: string,
  file: string | undefined,
  descriptor: number | undefined,
): InputSource | undefined {
  if (file === undefined || descriptor === undefined) return sourceOf(file, descriptor)
  throw new UsageError('USAGE', `Use --${what}-file or --${what}-fd, not both.`)
}

/** Asks again after a refusal with this code, where a person answers: three times at most. */
export async function askAgain<Result>(
  prompter: Prompter,
  code: string,
  ask: (prompter: Prompter) => Promise<Result>,
): Promise<Result> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await ask(prompter)
    } catch (error) {
      if (codeOf(error) !== code || !prompter.isInteractive || attempt === ATTEMPTS_MAX) throw error
      process.stderr.write(`${messageOf(error)}\n`)
    }
  }
}
