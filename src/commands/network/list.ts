/**
 * `dllm network list`: the networks that can be named.
 * @module
 */
import { BaseCommand } from '../../app/base-command.ts'
import { table } from '../../app/table.ts'

export default class NetworkList extends BaseCommand {
  static override summary = 'List the known networks.'
  static override description = 'A network is a file networks/NAME.json in the data folder; `local` is built in.'
  static override examples = ['<%= config.bin %> network list', '<%= config.bin %> network list --json']

  async run(): Promise<object> {
    const { flags } = await this.parse(NetworkList)
    const { loadConfig } = await import('../../app/config.ts')
    const { listNetworks } = await import('../../app/networks.ts')
    const home = await this.home(flags)
    const { settings } = await loadConfig({ home, env: process.env, flags: { network: flags.network } })
    const { networks, damaged } = await listNetworks(home)
    const rows = networks.map((network) => ({
      name: network.id,
      selected: network.id === settings.network ? 'yes' : '',
      bootstrap: network.bootstrap.length,
      mdns: network.mdns ? 'on' : 'off',
      dht: network.dht ? 'on' : 'off',
    }))
    this.print(table(rows))
    for (const { message } of damaged) this.note(`\n${message}`)
    return { selected: settings.network, networks, damaged }
  }
}
