/**
 * Packages of others that a measure compares with, fetched from npm into a folder that goes away; no scripts of theirs are run. Nothing
 * of them is part of this program.
 * @module
 */
import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const PATIENCE_MS = 120_000

/** The folder of the package; rejects where npm does not get it. `name` without, `version` exact. */
export async function installPeer(
  { name, version }: { readonly name: string; readonly version: string },
  folder: string,
): Promise<string> {
  await writeFile(join(folder, 'package.json'), '{ "private": true }')
  const flags = ['--ignore-scripts', '--omit=optional', '--no-audit', '--no-fund']
  const isWindows = process.platform === 'win32'
  await run(isWindows ? 'npm.cmd' : 'npm', ['install', ...flags, `${name}@${version}`], {
    cwd: folder,
    timeout: PATIENCE_MS,
    shell: isWindows,
  })
  return join(folder, 'node_modules', name)
}
