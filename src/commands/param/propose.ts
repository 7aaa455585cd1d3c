/**
 * `dllm param propose NAME=VALUE…`: ask the stake to change parameters.
 * @module
 */
import { Args } from '@oclif/core'
import { ChainCommand, senderFlags } from '../../app/chain-command.ts'

export default class ParamPropose extends ChainCommand {
  static override summary = 'Propose to change parameters of the chain.'
  static override description =
    'Takes a deposit, which comes back when at least a third of the bonded stake votes. `chain params` shows names, values and the deposit.'
  static override examples = [
    '<%= config.bin %> param propose commitMs=500',
    '<%= config.bin %> param propose commitMs=500 voteMs=800 --yes',
  ]
  static override strict = false
  static override args = {
    change: Args.string({
      ignoreStdin: true,
      name: 'NAME=VALUE',
      description: 'NAME=VALUE, one or more.',
      required: true,
    }),
  }
  static override flags = senderFlags

  async run(): Promise<object> {
    const { argv, flags } = await this.parse(ParamPropose)
    const [{ proposeCall }, { checkChanges }] = await Promise.all([
      import('../../app/chain/calls.ts'),
      import('../../app/chain/arguments.ts'),
    ])
    checkChanges(argv.map(String))
    const sent = await this.send(flags, async ({ chain }) => {
      const { nextProposalDeposit } = await chain.parameters(this.signal)
      return { call: proposeCall(argv.map(String), nextProposalDeposit) }
    })
    this.printLine(
      '\n`dllm param list` shows its number, while the vote is open; the stake votes with\n`dllm param vote`.',
    )
    return sent
  }
}
