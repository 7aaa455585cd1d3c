/**
 * `dllm wallet balance [WALLET]`: what an account of a wallet has.
 * @module
 */
import { accountFlags, ChainCommand } from '../../app/chain-command.ts'
import { walletNameArg } from '../../app/wallet-command.ts'

export default class WalletBalance extends ChainCommand {
  static override summary = "Show what a wallet's account has: balance, bonds, and what is on its way back."
  static override examples = [
    '<%= config.bin %> wallet balance',
    '<%= config.bin %> wallet balance savings --role payout',
    '<%= config.bin %> wallet balance --json',
  ]
  static override args = { name: walletNameArg }
  static override flags = accountFlags

  async run(): Promise<object> {
    const { args, flags } = await this.parse(WalletBalance)
    const { accountText } = await import('../../app/chain/state-text.ts')
    const holder = await this.holder(flags, args.name)
    const chain = await this.chain(flags)
    const view = await chain.account(holder.id, this.signal)
    this.print(accountText(view))
    return { wallet: holder.wallet, role: flags.role, ...view }
  }
}
