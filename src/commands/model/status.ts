/**
 * `dllm model status [MODEL]`: where models of the chain are in their lives.
 * @module
 */
import { Args } from '@oclif/core'
import { ChainCommand } from '../../app/chain-command.ts'

export default class ModelStatus extends ChainCommand {
  static override summary = 'Show where the models of the network are in their lives.'
  static override description =
    'Published, approved, active, superseded: votes on each version, who serves it, and what its canary gave. Of one model with the ' +
    'versions before and after it.'
  static override examples = [
    '<%= config.bin %> model status',
    '<%= config.bin %> model status story-v2',
    '<%= config.bin %> model status --json',
  ]
  static override args = {
    model: Args.string({
      ignoreStdin: true,
      description: 'Name of a model on this machine, or the 64 hexadecimal digits of its hash.',
    }),
  }

  async run(): Promise<object> {
    const { args, flags } = await this.parse(ModelStatus)
    const [{ viewLives }, { livesText }, { modelHashOf }] = await Promise.all([
      import('../../app/chain/model-lives.ts'),
      import('../../app/chain/model-lives-text.ts'),
      import('../../app/chain/model-hash.ts'),
    ])
    const of = args.model === undefined ? undefined : modelHashOf(await this.home(flags), args.model)
    const lives = await viewLives(await this.chain(flags), of, this.signal)
    this.print(livesText(lives))
    return lives
  }
}
