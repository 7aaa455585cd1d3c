/**
 * `dllm model remove`: a model leaves this machine.
 * @module
 */
import { Args, Flags } from '@oclif/core'
import { BaseCommand } from '../../app/base-command.ts'
import { formatBytes } from '../../app/table.ts'

export default class ModelRemove extends BaseCommand {
  static override summary = 'Remove a model from this machine.'
  static override description =
    'Its manifest and the files in its folder go. Shards that other models may need stay until `dllm shard gc`, which takes those that no model needs.'
  static override examples = ['<%= config.bin %> model remove tiny', '<%= config.bin %> model remove tiny --yes']
  static override args = { name: Args.string({ ignoreStdin: true, required: true, description: 'Name of the model.' }) }
  static override flags = { yes: Flags.boolean({ char: 'y', description: 'Remove without asking.' }) }

  async run(): Promise<object> {
    const { args, flags } = await this.parse(ModelRemove)
    const { checkRemovable, removeModel } = await import('../../app/model-remove.ts')
    const home = (await this.home(flags)).path
    const model = await checkRemovable(home, args.name)
    if (!(flags.yes || (await this.#isConfirmed(model.directory)))) {
      this.note('Nothing was removed.')
      return { name: args.name, isRemoved: false }
    }
    const collectableBytes = await removeModel(home, model)
    this.printLine(`Removed ${args.name}.`)
    if (collectableBytes !== undefined && collectableBytes > 0) {
      this.note(`\`dllm shard gc\` frees ${formatBytes(collectableBytes)} that no model needs any more.`)
    }
    return { name: args.name, isRemoved: true, collectableBytes }
  }

  /** A person at the terminal is asked; a program that calls this has decided. */
  async #isConfirmed(directory: string): Promise<boolean> {
    const { openPrompter } = await import('../../app/prompt.ts')
    const prompter = openPrompter({ stdin: 'answers' })
    try {
      if (!prompter.isInteractive) return true
      return /^y(?:es)?$/i.test((await prompter.ask(`Remove ${directory}? [y/N] `)).trim())
    } finally {
      prompter.close()
    }
  }
}
