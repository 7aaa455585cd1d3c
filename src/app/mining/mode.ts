/**
 * Whether a miner takes new jobs: one small file that `dllm mine pause|resume|drain` write and the miner looks at, so that it holds over
 * restarts. Spec: docs/spec/cli.md §10.
 * @module
 */
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { writeFileAtomic } from '../home.ts'

/** Paused: no new jobs, open ones go on. Draining: so too, and at the end of the last one the miner leaves the market. */
export type MiningMode = 'run' | 'pause' | 'drain'

const FILE = 'mode.json'
const MODES: readonly unknown[] = ['run', 'pause', 'drain'] satisfies MiningMode[]

/** `folder`: `mining/NAME/`. A file that is missing or not ours counts as `run`. */
export async function readMode(folder: string): Promise<MiningMode> {
  const text = await readFile(join(folder, FILE), 'utf8').catch(() => undefined)
  return text === undefined ? 'run' : modeIn(text)
}

export async function writeMode(folder: string, mode: MiningMode): Promise<void> {
  if (mode === 'run') await rm(join(folder, FILE), { force: true })
  else await writeFileAtomic(join(folder, FILE), `${JSON.stringify({ mode })}\n`)
}

function modeIn(text: string): MiningMode {
  try {
    const { mode } = JSON.parse(text) as { mode?: unknown }
    return MODES.includes(mode) ? (mode as MiningMode) : 'run'
  } catch {
    return 'run'
  }
}
