/**
 * `dllm devnet down`: stop the local network.
 * @module
 */
import { BaseCommand } from '../../app/base-command.ts'

export default class DevnetDown extends BaseCommand {
  static override summary = 'Stop every process of the local network.'
  static override examples = ['<%= config.bin %> devnet down']

  async run(): Promise<object> {
    const { flags } = await this.parse(DevnetDown)
    const { stopAll } = await import('../../app/devnet/devnet.ts')
    const { miners, validators } = await stopAll(await this.home(flags), this.system(flags))
    const parts = [count(miners, 'miner'), count(validators, 'validator')].filter((part) => part !== '')
    this.printLine(parts.length === 0 ? 'No local network was running.' : `Stopped ${parts.join(' and ')}.`)
    return { stopped: miners + validators, miners, validators }
  }
}

function count(number: number, what: string): string {
  return number === 0 ? '' : `${number} ${what} ${number === 1 ? 'process' : 'processes'}`
}
