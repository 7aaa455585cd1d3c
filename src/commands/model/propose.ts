/**
 * `dllm model propose MODEL`: ask the stake whether a version shall take its predecessor's place.
 * @module
 */
import { Args, Flags } from '@oclif/core'
import { ChainCommand, senderFlags } from '../../app/chain-command.ts'

export default class ModelPropose extends ChainCommand {
  static override summary = 'Propose that a published model takes the place of its predecessor.'
  static override description =
    'Of a superseded model it proposes that it takes its place back. Takes a deposit, which comes back when at least a third of the ' +
    'bonded stake votes. Without --at and --in it becomes active as early as the chain allows. `model status` shows the vote.'
  static override examples = [
    '<%= config.bin %> model propose story-v2',
    '<%= config.bin %> model propose story-v2 --in 500000 --yes',
  ]
  static override args = {
    model: Args.string({
      ignoreStdin: true,
      required: true,
      description: 'Name of a model on this machine, or the 64 hexadecimal digits of its hash.',
    }),
  }
  static override flags = {
    ...senderFlags,
    at: Flags.integer({
      min: 1,
      description: 'The block at whose end it becomes active.',
      helpValue: 'HEIGHT',
      exclusive: ['in'],
    }),
    in: Flags.integer({
      min: 1,
      description: 'The same, so many blocks from now.',
      helpValue: 'BLOCKS',
      exclusive: ['at'],
    }),
  }

  async run(): Promise<object> {
    const { args, flags } = await this.parse(ModelPropose)
    const [{ proposeModelCall }, { modelHashOf }] = await Promise.all([
      import('../../app/chain/model-calls.ts'),
      import('../../app/chain/model-hash.ts'),
    ])
    const hash = modelHashOf(await this.home(flags), args.model)
    const sent = await this.send(flags, async ({ chain }) => {
      const [{ nextProposalDeposit }, { height }, model] = await Promise.all([
        chain.parameters(this.signal),
        chain.head(this.signal),
        chain.market.model(hash, this.signal),
      ])
      const activationHeight = flags.at ?? (flags.in === undefined ? 0 : height + flags.in)
      return { call: proposeModelCall(model, activationHeight, BigInt(nextProposalDeposit)) }
    })
    this.printLine(
      '\n`dllm model status` shows its number, while the vote is open; the stake votes\nwith `dllm model vote`.',
    )
    return sent
  }
}
