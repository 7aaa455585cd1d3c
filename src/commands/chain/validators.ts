/**
 * `dllm chain validators`: who votes, with how much stake.
 * @module
 */
import { ChainCommand } from '../../app/chain-command.ts'

export default class ChainValidators extends ChainCommand {
  static override summary = 'List the validators, largest stake first.'
  static override description =
    'votes: in the set of this epoch. waits: not in it. tombstoned: signed twice, never votes again. SIGNED: blocks of this epoch.'
  static override examples = ['<%= config.bin %> chain validators', '<%= config.bin %> chain validators --json']

  async run(): Promise<object> {
    const { flags } = await this.parse(ChainValidators)
    const { validatorsText } = await import('../../app/chain/state-text.ts')
    const chain = await this.chain(flags)
    const validators = await chain.validators(this.signal)
    this.print(validatorsText(validators))
    return { validators }
  }
}
