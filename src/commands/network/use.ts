/**
 * `dllm network use NAME`: make a network the default of all commands.
 * @module
 */
import { Args } from '@oclif/core'
import { BaseCommand } from '../../app/base-command.ts'

export default class NetworkUse extends BaseCommand {
  static override summary = 'Select the network that commands talk to.'
  static override examples = ['<%= config.bin %> network use local']
  static override args = {
    name: Args.string({ ignoreStdin: true, description: 'Name of the network.', required: true }),
  }

  async run(): Promise<object> {
    const { args, flags } = await this.parse(NetworkUse)
    const { storeSetting } = await import('../../app/config.ts')
    const { loadNetwork } = await import('../../app/networks.ts')
    const home = await this.home(flags)
    const network = await loadNetwork(home, args.name)
    await storeSetting(home, 'network', network.id)
    this.printLine(`Commands now talk to the network ${network.id}.`)
    return { selected: network.id }
  }
}
