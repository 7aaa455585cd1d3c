/**
 * `dllm network show [NAME]`: how a network is found.
 * @module
 */
import { Args } from '@oclif/core'
import { BaseCommand } from '../../app/base-command.ts'
import { HouseError } from '../../base/error.ts'

export default class NetworkShow extends BaseCommand {
  static override summary = 'Show how a network finds its peers, who may connect, and its chain.'
  static override examples = ['<%= config.bin %> network show', '<%= config.bin %> network show local --json']
  static override args = {
    name: Args.string({ ignoreStdin: true, description: 'Name of the network; the selected one if left out.' }),
  }

  async run(): Promise<object> {
    const { args, flags } = await this.parse(NetworkShow)
    const { loadConfig } = await import('../../app/config.ts')
    const { wrapped } = await import('../../app/chain/text-parts.ts')
    const { loadNetwork } = await import('../../app/networks.ts')
    const home = await this.home(flags)
    const { settings } = await loadConfig({ home, env: process.env, flags: { network: flags.network } })
    const network = await loadNetwork(home, args.name ?? settings.network)
    this.printLine(`Network    ${network.id}`)
    this.printLine(`mDNS       ${network.mdns ? 'on' : 'off'}`)
    this.printLine(`DHT        ${network.dht ? 'on' : 'off'}`)
    this.printLine(`Bootstrap  ${network.bootstrap.length === 0 ? 'none' : network.bootstrap.join('\n           ')}`)
    if (network.allow !== undefined) this.printLine(`Allowed    only ${network.allow.join('\n           ')}`)
    const { chainOf } = await import('../../app/chain/network-chain.ts')
    const chain = await chainOf(home, network).catch((error: unknown) => {
      if (error instanceof HouseError) return error
      throw error
    })
    this.printLine(`Chain      ${chain instanceof HouseError ? wrapped(chain.message, 11) : chain.networkId}`)
    return chain instanceof HouseError ? network : { ...network, networkId: chain.networkId }
  }
}
