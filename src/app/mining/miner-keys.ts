/**
 * The keys of a wallet that mining for pay uses. Spec: docs/spec/keys.md.
 * @module
 */
import type { AccountId } from '../../base/brand.ts'
import type { KeyPair } from '../../core/ed25519.ts'
import { accountOf } from '../../core/fields.ts'
import type { KeyChoice, OpenWallet } from '../wallet.ts'

export interface MinerKeys {
  /** Role `operator`: registers, deposits, claims, and pays the fees. */
  readonly operator: KeyPair
  /** Role `payout`. */
  readonly payout: AccountId
}

export function minerKeysOf(wallet: OpenWallet, choice: Omit<KeyChoice, 'role'>): MinerKeys {
  return {
    operator: wallet.keys({ ...choice, role: 'operator' }),
    payout: accountOf(wallet.keys({ ...choice, role: 'payout' }).publicKey),
  }
}
