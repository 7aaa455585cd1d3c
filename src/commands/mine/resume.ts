/**
 * `dllm mine resume`: take new jobs again, after a pause or while draining.
 * @module
 */
import { Flags } from '@oclif/core'
import { BaseCommand } from '../../app/base-command.ts'
import type { ModeChange } from '../../app/mining/set-mode.ts'

export default class MineResume extends BaseCommand {
  static override summary = 'Take new jobs again, after a pause or while draining.'
  static override flags = {
    name: Flags.string({ default: 'miner', description: 'Name of the miner.' }),
  }

  async run(): Promise<ModeChange> {
    const { flags } = await this.parse(MineResume)
    const { modeText, setMode } = await import('../../app/mining/set-mode.ts')
    const change = await setMode(await this.home(flags), flags.name, 'run')
    this.printLine(modeText(change))
    return change
  }
}
