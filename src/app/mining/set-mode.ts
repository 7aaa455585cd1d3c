/**
 * The work of `dllm mine pause|resume|drain`: writes what a miner is to do, and says what comes of it. The miner looks at it by itself.
 * Spec: docs/spec/cli.md §10.
 * @module
 */
import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { HouseError } from '../../base/error.ts'
import { isNodeRunning } from '../background.ts'
import { UsageError } from '../base-command.ts'
import type { Home } from '../home.ts'
import { isName } from '../settings.ts'
import { type MiningMode, readMode, writeMode } from './mode.ts'

export class MinerModeError extends HouseError<'MINER_UNKNOWN'> {}

export interface ModeChange {
  readonly name: string
  readonly mode: MiningMode
  readonly before: MiningMode
  /** Whether a process of this name runs now. */
  readonly running: boolean
}

/** @throws UsageError for what is no name; MinerModeError MINER_UNKNOWN where nobody of this name mined for pay. */
export async function setMode(home: Home, name: string, mode: MiningMode): Promise<ModeChange> {
  if (!isName(name)) {
    throw new UsageError('USAGE', `--name takes letters, digits, ".", "_" and "-", not "${name}".`)
  }
  if (!existsSync(home.file('mining', name))) throw await unknown(home, name)
  const folder = home.file('mining', name)
  const before = await readMode(folder)
  if (before !== mode) await writeMode(folder, mode)
  return { name, mode, before, running: await isNodeRunning(home, name) }
}

/** What a person reads of it. */
export function modeText({ name, mode, before, running }: ModeChange): string {
  if (mode === before) return `${ALREADY[mode](name)} ${running ? '' : NOT_RUNNING[mode](name)}`.trim()
  return `${WILL[mode](name)} ${running ? 'It sees this within a second.' : NOT_RUNNING[mode](name)}`
}

type Sentence = Readonly<Record<MiningMode, (name: string) => string>>

const WILL: Sentence = {
  run: (name) => `The miner ${name} takes new jobs again.`,
  pause: (name) =>
    `The miner ${name} takes no new jobs; open ones go on. \`dllm mine resume --name ${name}\` takes new ones again.`,
  drain: (name) =>
    `The miner ${name} takes no new jobs. When the last one is settled, its deposit returns to the operator account, and it ends. Until then \`dllm mine resume --name ${name}\` takes this back.`,
}

const ALREADY: Sentence = {
  run: (name) => `The miner ${name} takes new jobs already.`,
  pause: (name) => `The miner ${name} is paused already.`,
  drain: (name) => `The miner ${name} drains already.`,
}

const NOT_RUNNING: Sentence = {
  run: (name) => `It does not run now: \`dllm mine --name ${name}\` with its wallet starts it.`,
  pause: (name) => `It does not run now, and begins so when \`dllm mine --name ${name}\` starts it.`,
  drain: (name) =>
    `It does not run now: start it with its wallet, \`dllm mine --name ${name} --wallet …\`, and it does so.`,
}

async function unknown(home: Home, name: string): Promise<MinerModeError> {
  const details = { name }
  if (existsSync(home.file('nodes', `${name}.key`))) {
    const sentence = `The miner ${name} serves for nothing, so it has no jobs that it could leave. Ctrl-C ends it.`
    return new MinerModeError('MINER_UNKNOWN', sentence, { details })
  }
  const names = await readdir(home.file('mining')).catch((): string[] => [])
  const known = names.length === 0 ? 'None did' : `Known: ${names.sort().join(', ')}`
  const sentence = `No miner called ${name} mined for pay in this data folder. ${known}; \`dllm mine --wallet NAME\` begins.`
  return new MinerModeError('MINER_UNKNOWN', sentence, { details })
}
