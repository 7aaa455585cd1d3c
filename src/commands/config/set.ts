/**
 * `dllm config set KEY VALUE`: store one setting in config.json.
 * @module
 */
import { Args, Flags } from '@oclif/core'
import { BaseCommand, UsageError } from '../../app/base-command.ts'

export default class ConfigSet extends BaseCommand {
  static override summary = 'Change a setting.'
  static override examples = [
    '<%= config.bin %> config set model genesis',
    '<%= config.bin %> config set threads 8',
    '<%= config.bin %> config set threads --default',
  ]
  static override args = {
    key: Args.string({ ignoreStdin: true, description: 'Name of the setting.', required: true }),
    value: Args.string({ ignoreStdin: true, description: 'New value.' }),
  }
  static override flags = { default: Flags.boolean({ description: 'Go back to the default value.' }) }

  async run(): Promise<Record<string, unknown>> {
    const { args, flags } = await this.parse(ConfigSet)
    const { removeSetting, settingKey, storeSetting } = await import('../../app/config.ts')
    const { SETTINGS } = await import('../../app/settings.ts')
    const key = settingKey(args.key)
    if ((args.value === undefined) !== Boolean(flags.default)) {
      throw new UsageError('USAGE', `Give a value for ${key}, or --default, and not both.`)
    }
    const home = await this.home(flags)
    if (args.value === undefined) {
      await removeSetting(home, key)
      this.printLine(`${key} is ${SETTINGS[key].initial} again, its default.`)
      return { key, value: SETTINGS[key].initial, source: 'default' }
    }
    const value = await storeSetting(home, key, args.value)
    this.printLine(`${key} is ${value}.`)
    return { key, value, source: 'file' }
  }
}
