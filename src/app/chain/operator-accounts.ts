/**
 * The operator accounts of a wallet: the first without a password, more of them with it. Spec: docs/spec/cli.md §12.
 * @module
 */
import type { AccountId } from '../../base/brand.ts'
import { accountOf, accountOfAddress } from '../../core/fields.ts'
import type { NetworkKind } from '../../core/network-kind.ts'
import type { OpenWallet, Wallets } from '../wallet.ts'

export interface OperatorWish {
  readonly wallet: string
  readonly network: NetworkKind
  /** Accounts from 0 on, at least 1. */
  readonly count: number
  /** A wallet that nobody named may be missing. */
  readonly isNamed: boolean
}

/** @throws WalletFileError, and what `open` throws. */
export async function operatorAccounts(
  wallets: Pick<Wallets, 'list' | 'show'>,
  { wallet, network, count, isNamed }: OperatorWish,
  open: () => Promise<OpenWallet>,
): Promise<readonly AccountId[]> {
  if (!isNamed && !(await wallets.list(network)).some((one) => one.type === 'wallet' && one.wallet.name === wallet))
    return []
  const role = 'operator'
  if (count === 1) {
    const { accounts } = await wallets.show(wallet, network)
    return accounts.filter((one) => one.role === role).map(({ address }) => accountOfAddress(address, network))
  }
  const opened = await open()
  return Array.from({ length: count }, (_, account) =>
    accountOf(opened.keys({ network, role, account, index: 0 }).publicKey),
  )
}
