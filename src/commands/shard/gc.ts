/**
 * `dllm shard gc`: takes back the room of what no model needs.
 * @module
 */
import { Flags } from '@oclif/core'
import { BaseCommand } from '../../app/base-command.ts'
import { formatBytes } from '../../app/table.ts'

export default class ShardGc extends BaseCommand {
  static override summary = 'Remove shards that no model on this machine needs.'
  static override description =
    'Takes files that no manifest names, whole or unfinished, and unfinished files that are whole as well. What a process is fetching stays.'
  static override examples = ['<%= config.bin %> shard gc --dry-run', '<%= config.bin %> shard gc']
  static override flags = {
    'dry-run': Flags.boolean({ description: 'Only say what would go.' }),
  }

  async run(): Promise<object> {
    const { flags } = await this.parse(ShardGc)
    const { collectShards } = await import('../../app/shards/collect-shards.ts')
    const isDryRun = flags['dry-run']
    const files = await collectShards({ home: (await this.home(flags)).path, isDryRun })
    for (const { root, bytes, why } of files) this.printLine(`${root.slice(0, 16)}  ${formatBytes(bytes)}  ${why}`)
    const freedBytes = files.reduce((sum, { bytes }) => sum + bytes, 0)
    const verb = isDryRun ? 'would free' : 'freed'
    this.printLine(files.length === 0 ? 'There is nothing to remove.' : `This ${verb} ${formatBytes(freedBytes)}.`)
    return { isDryRun, files, freedBytes }
  }
}
