/**
 * `dllm mine pause`: take no new jobs; open ones go on.
 * @module
 */
import { Flags } from '@oclif/core'
import { BaseCommand } from '../../app/base-command.ts'
import type { ModeChange } from '../../app/mining/set-mode.ts'

export default class MinePause extends BaseCommand {
  static override summary = 'Take no new jobs; open ones go on.'
  static override description =
    'The miner ends its placement and serves the leases that it has. It holds over restarts, until `dllm mine resume`.'
  static override flags = {
    name: Flags.string({ default: 'miner', description: 'Name of the miner.' }),
  }

  async run(): Promise<ModeChange> {
    const { flags } = await this.parse(MinePause)
    const { modeText, setMode } = await import('../../app/mining/set-mode.ts')
    const change = await setMode(await this.home(flags), flags.name, 'pause')
    this.printLine(modeText(change))
    return change
  }
}
