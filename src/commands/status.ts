/**
 * `dllm status`: the route that a chat would take, how its stages work, and the chain.
 * @module
 */
import { Flags } from '@oclif/core'
import { BaseCommand } from '../app/base-command.ts'

export default class Status extends BaseCommand {
  static override summary = 'Show the route to a model, stage by stage, and the state of the chain.'
  static override description =
    'Starts nothing. A network may have miners, a chain, or both; the command ends with code 3 when it has neither.'
  static override examples = [
    '<%= config.bin %> status',
    '<%= config.bin %> status --network lab',
    '<%= config.bin %> status --model genesis --json',
  ]
  static override flags = {
    model: Flags.string({ char: 'm', description: 'Model to look for.', helpValue: 'NAME' }),
  }

  async run(): Promise<object> {
    const { flags } = await this.parse(Status)
    const { findStatus, statusText } = await import('../app/network-status.ts')
    const home = await this.home(flags)
    const system = this.system(flags)
    const note = (text: string): void => this.note(text)
    const status = await findStatus({ home, flags, signal: this.signal, note }, system)
    this.print(statusText(status, system.clock.wallMs()))
    return status
  }
}
