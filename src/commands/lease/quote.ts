/**
 * `dllm lease quote MODEL`: what a lease would cost now, and who would serve it.
 * @module
 */
import { Args, Flags } from '@oclif/core'
import { ChainCommand } from '../../app/chain-command.ts'

export default class LeaseQuote extends ChainCommand {
  static override summary = 'Show what a lease would cost now and who would serve it, without opening one.'
  static override description =
    'Runs the auction on the newest state. Needs a full node: who else offers what, nobody can prove to a light client.'
  static override examples = [
    '<%= config.bin %> lease quote genesis',
    '<%= config.bin %> lease quote genesis --cuts 2,4 --rows 2000 --json',
  ]
  static override args = {
    model: Args.string({
      ignoreStdin: true,
      description: 'Name of a model on this machine, or the 64 hexadecimal digits of its hash.',
      required: true,
    }),
  }
  static override flags = {
    cuts: Flags.string({
      description: 'Segments, counted from 1, at which further lots begin; one lot if left out.',
      helpValue: 'NUMBERS',
    }),
    rows: Flags.integer({
      description: 'Rows to compute: about one per token.',
      default: 1_000,
      min: 1,
      max: 2 ** 32 - 1,
      helpValue: 'NUMBER',
    }),
    avoid: Flags.string({
      multiple: true,
      description: 'A miner that is neither to serve nor to stand by; may be repeated.',
      helpValue: 'ADDRESS',
    }),
    payer: Flags.string({
      description: 'Who would open it; chance differs from payer to payer.',
      helpValue: 'ADDRESS',
    }),
  }

  async run(): Promise<object> {
    const { args, flags } = await this.parse(LeaseQuote)
    const [{ parseAccount, parseCuts }, { modelHashOf }, { quoteText }] = await Promise.all([
      import('../../app/chain/arguments.ts'),
      import('../../app/chain/model-hash.ts'),
      import('../../app/chain/market-text.ts'),
    ])
    const cuts = parseCuts(flags.cuts ?? '')
    const { network } = await this.walletContext(flags)
    const avoid = flags.avoid?.map((address) => parseAccount(address, network))
    const payer = flags.payer === undefined ? undefined : parseAccount(flags.payer, network)
    const model = modelHashOf(await this.home(flags), args.model)
    const { market } = await this.chain(flags)
    const quote = await market.quote({ model, cuts, rows: flags.rows, avoid, payer }, this.signal)
    this.print(quoteText(quote))
    return quote
  }
}
