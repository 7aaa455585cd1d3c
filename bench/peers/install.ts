/**
 * Packages of others that a measure compares with, fetched from npm into a folder that goes away; no scripts of theirs are run. Nothing
 * of them is part of this program.
 * @module
 */
import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Bench } from '../bench.ts'

const run = promisify(execFile)
const PATIENCE_MS = 300_000

export interface FetchedPeer {
  /** Of the package. */
  readonly folder: string
  /** With room for its files. */
  readonly home: string
}

/** `name` without, `version` exact. Where npm does not get it, says so, and gives nothing. */
export async function fetchPeer(
  bench: Bench,
  { name, version }: { readonly name: string; readonly version: string },
): Promise<FetchedPeer | undefined> {
  bench.progress(`fetching ${name}`)
  const { path: home } = await bench.newHome({ sharesModels: false })
  await writeFile(join(home, 'package.json'), '{ "private": true }')
  const flags = ['--ignore-scripts', '--omit=optional', '--no-audit', '--no-fund']
  const isWindows = process.platform === 'win32'
  try {
    await run(isWindows ? 'npm.cmd' : 'npm', ['install', ...flags, `${name}@${version}`], {
      cwd: home,
      timeout: PATIENCE_MS,
      shell: isWindows,
      signal: bench.signal,
    })
  } catch (error) {
    bench.signal.throwIfAborted()
    console.error(`\n${name}: left out, npm did not get it:`, error instanceof Error ? error.message : error)
    return undefined
  }
  return { folder: join(home, 'node_modules', name), home }
}
