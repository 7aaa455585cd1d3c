/**
 * `dllm wallet history [WALLET]`: the transactions of an account, newest first.
 * @module
 */
import { Flags } from '@oclif/core'
import { accountFlags, ChainCommand } from '../../app/chain-command.ts'
import { walletNameArg } from '../../app/wallet-command.ts'

export default class WalletHistory extends ChainCommand {
  static override summary = "List the transactions of a wallet's account, newest first."
  static override description = 'Final ones, as far back as the node keeps blocks.'
  static override examples = [
    '<%= config.bin %> wallet history',
    '<%= config.bin %> wallet history savings --limit 100 --json',
  ]
  static override args = { name: walletNameArg }
  static override flags = {
    limit: Flags.integer({ default: 20, min: 1, max: 1_000, description: 'How many at most.' }),
    ...accountFlags,
  }

  async run(): Promise<object> {
    const { args, flags } = await this.parse(WalletHistory)
    const { historyText } = await import('../../app/chain/transaction-text.ts')
    const { wallet, address, id } = await this.holder(flags, args.name)
    const chain = await this.chain(flags)
    const transactions = await chain.history(id, flags.limit, this.signal)
    this.print(historyText(transactions, { address, nowMs: this.system(flags).clock.wallMs() }))
    if (transactions.length === 0) this.printLine(`No transactions yet. Receive DLLM there to begin:\n  ${address}`)
    return { wallet, address, transactions }
  }
}
