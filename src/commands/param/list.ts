/**
 * `dllm param list`: the open proposals and how the vote stands.
 * @module
 */
import { ChainCommand } from '../../app/chain-command.ts'

export default class ParamList extends ChainCommand {
  static override summary = 'List the open proposals and how the vote on them stands.'
  static override description =
    'Only open proposals: at the end of its last block a vote is counted, and the chain forgets proposal and votes. ' +
    'What became of a closed one: `chain params` shows the values in force since; the deposit is back on the account of the ' +
    'proposer when at least a third of the bonded stake voted. The transaction that made it, and those that voted, stay in their blocks: ' +
    '`chain tx`, `wallet history`.'
  static override examples = ['<%= config.bin %> param list', '<%= config.bin %> param list --json']

  async run(): Promise<object> {
    const { flags } = await this.parse(ParamList)
    const { proposalsText } = await import('../../app/chain/state-text.ts')
    const chain = await this.chain(flags)
    const [{ proposals }, { height }] = await Promise.all([chain.parameters(this.signal), chain.head(this.signal)])
    this.print(proposalsText(proposals, height))
    return { height, ...(proposals === undefined ? {} : { proposals }) }
  }
}
