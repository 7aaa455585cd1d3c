/**
 * The wallet of the local network: holds what its genesis gives out. Its coins are worth nothing, so its password lies
 * beside it and nobody is asked. Spec: docs/spec/home.md §5.
 * @module
 */
import { readFile } from 'node:fs/promises'
import { bytesToHex } from '@noble/hashes/utils.js'
import type { Random } from '../../base/ports.ts'
import { type Home, writeFileAtomic } from '../home.ts'
import type { ScryptCost } from '../keystore-crypto.ts'
import type { OpenWallet } from '../wallet.ts'

export const LOCAL_WALLET = 'local'
const DESCRIPTION = 'worth nothing elsewhere'
/** Nobody guesses a password of 128 random bits, so guesses need not be dear; each chat opens this wallet. */
const COST: ScryptCost = { n: 2 ** 10, r: 8, p: 1 }

/** The password of the local network's wallet; undefined where there is no such wallet. */
export async function localPassword(home: Home): Promise<string | undefined> {
  const text = await readFile(passwordFile(home), 'utf8').catch(() => undefined)
  return text?.trim()
}

/** The wallet, made at the first use. @throws WalletFileError when a wallet of this name is somebody's own. */
export async function openLocalWallet(home: Home, ports: { readonly random: Random }): Promise<OpenWallet> {
  const { createWallets } = await import('../wallet.ts')
  const wallets = createWallets({ folder: home.file('wallets'), cost: COST }, ports)
  const known = await localPassword(home)
  const isMade = await wallets.checkName(LOCAL_WALLET).then(
    () => false,
    (error) => {
      // Without its password it is somebody's own.
      if (known === undefined) throw error
      return true
    },
  )
  // The password is written first: who was ended in between goes on with it.
  const password = known ?? bytesToHex(ports.random.bytes(16))
  if (!isMade) {
    const { createWords } = await import('../mnemonic.ts')
    await writeFileAtomic(passwordFile(home), `${password}\n`)
    const secret = { words: createWords(24, ports.random), passphrase: '' }
    await wallets.create({ name: LOCAL_WALLET, description: DESCRIPTION, secret, password })
  }
  return wallets.open(LOCAL_WALLET, password)
}

function passwordFile(home: Home): string {
  return home.file('devnet', 'chain', 'wallet-password')
}
