/**
 * `dllm model verify`: are the files what the manifest says?
 * @module
 */
import { Args } from '@oclif/core'
import { BaseCommand } from '../../app/base-command.ts'

export default class ModelVerify extends BaseCommand {
  static override summary = 'Rehash every file of a model and say what is wrong.'
  static override examples = ['<%= config.bin %> model verify genesis']
  static override args = { name: Args.string({ ignoreStdin: true, required: true, description: 'Name of the model.' }) }

  async run(): Promise<object> {
    const { args, flags } = await this.parse(ModelVerify)
    const { openModelStore } = await import('../../app/model-store.ts')
    const { verifyModel } = await import('../../app/model-verify.ts')
    const model = openModelStore({ home: (await this.home(flags)).path }).find(args.name)
    const report = ({ name, status }: { name: string; status: string }): void =>
      this.printLine(`${status.padEnd(14)}${name}`)
    const files = await verifyModel(model, report, this.signal)
    const wrong = files.filter(({ status }) => status !== 'ok')
    if (wrong.length > 0) {
      process.exitCode = 1
      this.note(`${wrong.length} of ${files.length} files are wrong. Import ${args.name} again with --force.`)
    } else {
      this.printLine(`${args.name} is what its hash says: ${model.hash}`)
    }
    return { name: args.name, hash: model.hash, isIntact: wrong.length === 0, files }
  }
}
