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
    const stopped = await stopAll(await this.home(flags), this.system(flags))
    this.printLine(
      stopped === 0
        ? 'No local network was running.'
        : `Stopped ${stopped} miner ${stopped === 1 ? 'process' : 'processes'}.`,
    )
    return { stopped }
  }
}
