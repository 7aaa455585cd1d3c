/**
 * `dllm shard list`: the files of models on this machine.
 * @module
 */
import { BaseCommand } from '../../app/base-command.ts'
import { formatBytes, table } from '../../app/table.ts'

export default class ShardList extends BaseCommand {
  static override summary = 'List shards and other files of models on this machine.'
  static override description =
    'Whole files and unfinished downloads, with the models that they belong to. A file of no model takes room until `dllm shard gc`.'
  static override examples = ['<%= config.bin %> shard list', '<%= config.bin %> shard list --json']

  async run(): Promise<object> {
    const { flags } = await this.parse(ShardList)
    const { listShards, shareHere, usesText } = await import('../../app/shards/list-shards.ts')
    const files = await listShards((await this.home(flags)).path)
    this.print(
      table(
        files.map(({ root, bytes, uses, ...file }) => ({
          file: root.slice(0, 16),
          'belongs to': usesText(uses),
          size: formatBytes(bytes),
          here: shareHere({ ...file, bytes }),
        })),
      ),
    )
    const heldBytes = files.reduce((sum, { haveBytes }) => sum + haveBytes, 0)
    return { files, heldBytes }
  }
}
