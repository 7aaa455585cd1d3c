/**
 * `dllm wallet list`: all wallets of this data folder.
 * @module
 */
import { table } from '../../app/table.ts'
import { listingRow, WalletCommand } from '../../app/wallet-command.ts'

export default class WalletList extends WalletCommand {
  static override summary = 'List the wallets and their owner addresses.'
  static override examples = ['<%= config.bin %> wallet list', '<%= config.bin %> wallet list --json']

  async run(): Promise<object> {
    const { flags } = await this.parse(WalletList)
    const { wallets, network } = await this.walletContext(flags)
    const listings = await wallets.list(network)
    if (listings.length === 0) this.printLine('There are no wallets yet. Make one with `dllm wallet new`.')
    this.print(table(listings.map(listingRow)))
    const problems = listings.filter((listing) => listing.type === 'problem')
    for (const { name, message } of problems) this.note(`${name}: ${message}`)
    return {
      network,
      wallets: listings.flatMap((listing) => (listing.type === 'wallet' ? [listing.wallet] : [])),
      problems: problems.map(({ name, code, message }) => ({ name, code, message })),
    }
  }
}
