/**
 * Settings: defaults, then `config.json` in the data folder, then the environment, then flags; the last one wins.
 * Everything is validated where it enters. Knows nothing of what the settings do.
 * Spec: docs/spec/home.md §2.
 * @module
 */
import { readFile, stat } from 'node:fs/promises'
import { HouseError, shown } from '../base/error.ts'
import { INPUT_LIMITS } from '../base/limits.ts'
import { type Home, writeFileAtomic } from './home.ts'
import { SETTINGS, type SettingKey, type Settings, type SettingValue } from './settings.ts'

export class ConfigError extends HouseError<'CONFIG_UNKNOWN_KEY' | 'CONFIG_BAD_VALUE' | 'CONFIG_BAD_FILE'> {}

export type SettingSource = 'default' | 'file' | 'environment' | 'flag'

export interface Config {
  readonly settings: Settings
  readonly sources: Readonly<Record<SettingKey, SettingSource>>
}

export interface ConfigInputs {
  readonly home: Home
  /** `process.env`; variables without a setting are ignored. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** Values of flags; undefined means not given. */
  readonly flags?: { readonly [Key in SettingKey]?: Settings[Key] | undefined }
}

const KEYS = Object.keys(SETTINGS) as SettingKey[]

/** Path of the settings file. */
export function configPath(home: Home): string {
  return home.file('config.json')
}

/** Reads and merges all sources. @throws ConfigError that names the key. */
export async function loadConfig(inputs: ConfigInputs): Promise<Config> {
  const file = await readConfigFile(inputs.home)
  const settings: Partial<Record<SettingKey, SettingValue>> = {}
  const sources: Partial<Record<SettingKey, SettingSource>> = {}
  for (const key of KEYS) {
    const [value, source] = resolveSetting(key, file, inputs)
    settings[key] = value
    sources[key] = source
  }
  return { settings: settings as Settings, sources: sources as Config['sources'] }
}

/** The key, when there is such a setting. @throws ConfigError CONFIG_UNKNOWN_KEY with the keys there are. */
export function settingKey(text: string, from = 'the command line'): SettingKey {
  const key = KEYS.find((candidate) => candidate === text)
  if (key === undefined) {
    const message = `There is no setting "${text}", named in ${from}. The settings are ${KEYS.join(', ')}.`
    throw new ConfigError('CONFIG_UNKNOWN_KEY', message, { details: { key: text, from } })
  }
  return key
}

/** Checks `text` as a value of `key` and stores it in the settings file. Returns the value stored. */
export async function storeSetting(home: Home, key: SettingKey, text: string): Promise<SettingValue> {
  const value = checked(key, fromText(key, text), 'the command line')
  await replaceConfigFile(home, { ...(await readConfigFile(home)), [key]: value })
  return value
}

/** Removes `key` from the settings file, so that its default holds again. */
export async function removeSetting(home: Home, key: SettingKey): Promise<void> {
  const { [key]: _removed, ...rest } = await readConfigFile(home)
  await replaceConfigFile(home, rest)
}

function resolveSetting(key: SettingKey, file: ConfigFile, inputs: ConfigInputs): [SettingValue, SettingSource] {
  const { variable, initial } = SETTINGS[key]
  const flag = inputs.flags?.[key]
  if (flag !== undefined) return [checked(key, flag, 'the command line'), 'flag']
  const text = inputs.env[variable]
  if (text !== undefined && text !== '') return [checked(key, fromText(key, text), variable), 'environment']
  const stored = file[key]
  return stored === undefined ? [initial, 'default'] : [stored, 'file']
}

type ConfigFile = Partial<Record<SettingKey, SettingValue>>

async function readConfigFile(home: Home): Promise<ConfigFile> {
  const path = configPath(home)
  const text = await readBounded(path)
  if (text === undefined) return {}
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch (cause) {
    throw badFile(path, 'is not valid JSON', cause)
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
    throw badFile(path, 'is not a JSON object')
  const file: ConfigFile = {}
  for (const [name, value] of Object.entries(parsed)) {
    const key = settingKey(name, path)
    file[key] = checked(key, value, path)
  }
  return file
}

async function readBounded(path: string): Promise<string | undefined> {
  const size = await stat(path).then(
    (found) => found.size,
    () => undefined,
  )
  if (size === undefined) return undefined
  if (size > INPUT_LIMITS.configFileBytesMax) throw badFile(path, 'is too large')
  return readFile(path, 'utf8')
}

function replaceConfigFile(home: Home, file: ConfigFile): Promise<void> {
  return writeFileAtomic(configPath(home), `${JSON.stringify(file, undefined, 2)}\n`)
}

/** Numbers come from the environment and the command line as text. */
function fromText(key: SettingKey, text: string): unknown {
  if (typeof SETTINGS[key].initial !== 'number') return text
  return /^-?\d+$/.test(text) ? Number(text) : text
}

function checked(key: SettingKey, value: unknown, from: string): SettingValue {
  const setting = SETTINGS[key]
  if (setting.accepts(value)) return value
  const message = `The setting ${key} from ${from} must be ${setting.expected}, not ${shown(value)}.`
  throw new ConfigError('CONFIG_BAD_VALUE', message, { details: { key, from } })
}

function badFile(path: string, what: string, cause?: unknown): ConfigError {
  const message = `The settings file ${path} ${what}. Repair it, or delete it to start with the defaults.`
  return new ConfigError('CONFIG_BAD_FILE', message, { details: { path }, cause })
}
