/**
 * `dllm config get [KEY]`: one setting, or all of them with where each comes from.
 * @module
 */
import { Args } from '@oclif/core'
import { BaseCommand } from '../../app/base-command.ts'
import { table } from '../../app/table.ts'

export default class ConfigGet extends BaseCommand {
  static override summary = 'Show one setting, or all of them.'
  static override description =
    'Flags win over DLLM_* environment variables, these over config.json, and that over the defaults.'
  static override examples = ['<%= config.bin %> config get', '<%= config.bin %> config get model']
  static override args = {
    key: Args.string({ ignoreStdin: true, description: 'Name of the setting; all settings if left out.' }),
  }

  async run(): Promise<Record<string, unknown>> {
    const { args, flags } = await this.parse(ConfigGet)
    const { loadConfig, settingKey } = await import('../../app/config.ts')
    const key = args.key === undefined ? undefined : settingKey(args.key)
    const home = await this.home(flags)
    const { settings, sources } = await loadConfig({ home, env: process.env, flags: { network: flags.network } })
    if (key !== undefined) {
      this.printLine(String(settings[key]))
      return { key, value: settings[key], source: sources[key] }
    }
    const rows = Object.entries(settings).map(([name, value]) => ({
      setting: name,
      value: String(value),
      from: sources[name as keyof typeof sources],
    }))
    this.print(table(rows))
    return { settings, sources }
  }
}
