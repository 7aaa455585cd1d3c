/**
 * `dllm mine drain`: leave the market: no new jobs, then the deposit back.
 * @module
 */
import { Flags } from '@oclif/core'
import { BaseCommand } from '../../app/base-command.ts'
import type { ModeChange } from '../../app/mining/set-mode.ts'

export default class MineDrain extends BaseCommand {
  static override summary = 'Leave the market: no new jobs, then the deposit back.'
  static override description =
    'The miner ends its placement and serves the leases that it has. When the last of them is settled, its whole deposit returns to the operator account, and the process ends. It holds over restarts, until `dllm mine resume`.'
  static override flags = {
    name: Flags.string({ default: 'miner', description: 'Name of the miner.' }),
  }

  async run(): Promise<ModeChange> {
    const { flags } = await this.parse(MineDrain)
    const { modeText, setMode } = await import('../../app/mining/set-mode.ts')
    const change = await setMode(await this.home(flags), flags.name, 'drain')
    this.printLine(modeText(change))
    return change
  }
}
