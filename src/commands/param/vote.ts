/**
 * `dllm param vote NUMBER yes|no`: vote on a proposal with what the account has bonded.
 * @module
 */
import { Args } from '@oclif/core'
import { ChainCommand, senderFlags } from '../../app/chain-command.ts'

export default class ParamVote extends ChainCommand {
  static override summary = 'Vote on an open proposal, with the stake that the account has bonded.'
  static override description =
    'What counts is the stake bonded when the vote ends. A later vote replaces an earlier one.'
  static override examples = [
    '<%= config.bin %> param vote 0 yes',
    '<%= config.bin %> param vote 0 no --wallet savings',
  ]
  static override args = {
    number: Args.string({ ignoreStdin: true, description: 'Number of the proposal.', required: true }),
    choice: Args.string({ ignoreStdin: true, description: 'yes or no.', options: ['yes', 'no'], required: true }),
  }
  static override flags = senderFlags

  async run(): Promise<object> {
    const { args, flags } = await this.parse(ParamVote)
    const { voteCall } = await import('../../app/chain/calls.ts')
    const typed = { proposal: args.number, yes: args.choice === 'yes' }
    return this.send(flags, () => ({ call: voteCall(typed) }))
  }
}
