/**
 * `dllm config path`: where the settings file is.
 * @module
 */
import { BaseCommand } from '../../app/base-command.ts'

export default class ConfigPath extends BaseCommand {
  static override summary = 'Show where the settings file is.'
  static override examples = ['<%= config.bin %> config path']

  async run(): Promise<{ path: string; home: string }> {
    const { flags } = await this.parse(ConfigPath)
    const { configPath } = await import('../../app/config.ts')
    const home = await this.home(flags)
    const path = configPath(home)
    this.printLine(path)
    return { path, home: home.path }
  }
}
