/**
 * `dllm chain miners [ADDRESS]`: who serves, with what behind it.
 * @module
 */
import { Args, Flags } from '@oclif/core'
import { ChainCommand } from '../../app/chain-command.ts'
import { NODE_LIMITS } from '../../base/chain-limits.ts'

export default class ChainMiners extends ChainCommand {
  static override summary = 'List the miners of the network, or show one.'
  static override description =
    'CU/S: compute units per second, an average over audited work. draining: took its deposit, and serves to the end of its lots.'
  static override examples = [
    '<%= config.bin %> chain miners',
    '<%= config.bin %> chain miners ldllm1…',
    '<%= config.bin %> chain miners --limit 100 --json',
  ]
  static override args = {
    address: Args.string({ ignoreStdin: true, description: 'Whose operator account; all if left out.' }),
  }
  static override flags = {
    limit: Flags.integer({
      description: 'How many at most.',
      default: 20,
      min: 1,
      max: NODE_LIMITS.historyMax,
      helpValue: 'NUMBER',
    }),
  }

  async run(): Promise<object> {
    const { args, flags } = await this.parse(ChainMiners)
    const { minersText, minerText } = await import('../../app/chain/market-text.ts')
    if (args.address === undefined) {
      const { firstEntries } = await import('../../app/chain/market-pages.ts')
      const { market } = await this.chain(flags)
      const found = await firstEntries((page) => market.miners(page, this.signal), flags.limit)
      const { height, entries: miners, more } = found
      this.print(minersText(miners, more))
      return { height, miners, more }
    }
    const { parseAccount } = await import('../../app/chain/arguments.ts')
    const { network } = await this.walletContext(flags)
    const operator = parseAccount(args.address, network)
    const miner = await (await this.chain(flags)).market.miner(operator, this.signal)
    this.print(minerText(miner))
    return miner
  }
}
