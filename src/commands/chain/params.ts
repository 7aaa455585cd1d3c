/**
 * `dllm chain params`: the parameters of the chain and the proposals to change them.
 * @module
 */
import { ChainCommand } from '../../app/chain-command.ts'

export default class ChainParams extends ChainCommand {
  static override summary = 'Show the parameters of the chain, and open proposals to change them.'
  static override examples = ['<%= config.bin %> chain params', '<%= config.bin %> chain params --json']

  async run(): Promise<object> {
    const { flags } = await this.parse(ChainParams)
    const { parametersText, proposalsText } = await import('../../app/chain/state-text.ts')
    const chain = await this.chain(flags)
    const [view, { height }] = await Promise.all([chain.parameters(this.signal), chain.head(this.signal)])
    this.print(parametersText(view))
    this.print(`\n${proposalsText(view.proposals, height)}`)
    return view
  }
}
