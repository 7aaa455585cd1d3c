/**
 * `dllm shard verify`: is every file of a model on this machine what its name says?
 * @module
 */
import { Args } from '@oclif/core'
import { BaseCommand } from '../../app/base-command.ts'

export default class ShardVerify extends BaseCommand {
  static override summary = 'Rehash the files of models on this machine, and set aside what is damaged.'
  static override description =
    'A damaged file is not used again: it counts as an unfinished download, of which the chunks that are right are kept. `dllm shard pull` fetches the rest.'
  static override examples = ['<%= config.bin %> shard verify', '<%= config.bin %> shard verify genesis']
  static override args = {
    model: Args.string({ ignoreStdin: true, description: 'Only files of this model.' }),
  }

  async run(): Promise<object> {
    const { args, flags } = await this.parse(ShardVerify)
    const [{ verifyShards }, { usesText }, { createProgress }, { openModelStore }] = await Promise.all([
      import('../../app/shards/verify-shards.ts'),
      import('../../app/shards/list-shards.ts'),
      import('../../app/progress.ts'),
      import('../../app/model-store.ts'),
    ])
    const home = (await this.home(flags)).path
    // A name that is no model's is a mistake, not a model without files.
    const model = args.model === undefined ? undefined : openModelStore({ home }).find(args.model).manifest.name
    const progress = createProgress('Verifying', process.stderr, this.system(flags))
    const files = await verifyShards(
      { home, model, onProgress: ({ doneBytes, totalBytes }) => progress.update(doneBytes, totalBytes) },
      this.signal,
    ).finally(() => progress.end())
    for (const { status, root, uses } of files) {
      this.printLine(`${status.padEnd(12)}${root.slice(0, 16)}  ${usesText(uses)}`)
    }
    const damaged = files.filter(({ status }) => status === 'damaged')
    if (damaged.length > 0) {
      process.exitCode = 1
      const left = damaged.filter(({ isSetAside }) => !isSetAside)
      this.note(`${damaged.length} of ${files.length} files are damaged. \`dllm shard pull\` fetches them again.`)
      if (left.length > 0)
        this.note(`${left.length} of them could not be set aside: they come with dllm, or are being fetched.`)
    }
    return { isIntact: damaged.length === 0, files }
  }
}
