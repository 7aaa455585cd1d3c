/**
 * `dllm wallet show`: the addresses of one wallet; needs no password.
 * @module
 */
import { WalletCommand, walletNameArg, walletText } from '../../app/wallet-command.ts'

export default class WalletShow extends WalletCommand {
  static override summary = "Show a wallet's addresses and key paths."
  static override examples = [
    '<%= config.bin %> wallet show',
    '<%= config.bin %> wallet show savings --network testnet',
    '<%= config.bin %> wallet show --json',
  ]
  static override args = { name: walletNameArg }

  async run(): Promise<object> {
    const { args, flags } = await this.parse(WalletShow)
    const { wallets, network, name } = await this.walletContext(flags)
    const wallet = await wallets.show(name(args.name), network)
    this.print(walletText(wallet))
    return wallet
  }
}
