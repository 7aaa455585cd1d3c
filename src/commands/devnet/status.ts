/**
 * `dllm devnet status`: which processes of the local network run.
 * @module
 */
import { BaseCommand } from '../../app/base-command.ts'

export default class DevnetStatus extends BaseCommand {
  static override summary = 'Show the processes of the local network and whether they run.'
  static override examples = ['<%= config.bin %> devnet status', '<%= config.bin %> devnet status --json']

  async run(): Promise<object> {
    const { flags } = await this.parse(DevnetStatus)
    const [{ inspectGroups }, { groupText }] = await Promise.all([
      import('../../app/devnet/devnet.ts'),
      import('../../app/devnet/devnet-text.ts'),
    ])
    const home = await this.home(flags)
    const groups = await inspectGroups(home)
    for (const { group, running } of groups) this.print(groupText(group, running))
    if (groups.length === 0) this.printLine('No local network runs. `dllm devnet up` or `dllm chat` starts one.')
    else this.printLine(`Logs are in ${home.file('devnet', 'logs')}.`)
    return { groups: groups.map(({ group, running }) => ({ ...group, running })) }
  }
}
