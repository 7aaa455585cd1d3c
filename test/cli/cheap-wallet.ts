/**
 * Wallets for tests that are about something else: as `dllm wallet new` makes them, but with a key derivation that takes no time, so that each
 * command that opens one is spared a second of scrypt.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openHome } from '../../src/app/home.ts'
import { createWords } from '../../src/app/mnemonic.ts'
import { createSystem } from '../../src/app/system.ts'
import { createWallets, type OpenWallet } from '../../src/app/wallet.ts'
import type { Dllm } from './dllm.ts'

const PASSWORD = 'correct horse battery'
const CHEAP = { n: 16, r: 8, p: 1 }

/** Where the password of a data folder's wallets lies, which need not be there yet. */
export function passwordFileOf({ home }: Pick<Dllm, 'home'>): string {
  return join(home, '..', 'password')
}

/** Makes a wallet in the data folder, of new words unless some are given, and the file with its password. */
export async function makeWallet(
  dllm: Pick<Dllm, 'home'>,
  name = 'default',
  words?: readonly string[],
): Promise<OpenWallet> {
  const system = createSystem()
  const home = await openHome({ path: dllm.home })
  const wallets = createWallets({ folder: home.file('wallets'), cost: CHEAP }, system)
  const secret = { words: words ?? createWords(24, system.random), passphrase: '' }
  await wallets.create({ name, description: '', secret, password: PASSWORD })
  mkdirSync(join(dllm.home, '..'), { recursive: true })
  writeFileSync(passwordFileOf(dllm), `${PASSWORD}\n`)
  return wallets.open(name, PASSWORD)
}
