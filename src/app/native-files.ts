/**
 * Where the native engine's addon lies, and which sources it must have been built from. Shared by who builds it
 * (scripts/build-native.ts) and who loads it (native-engine.ts).
 * @module
 */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The same path from src/app and from dist/app. */
export const NATIVE_FOLDER: string = fileURLToPath(new URL('../../native', import.meta.url))
/** Built on this machine. Git ignores the folder. */
export const NATIVE_BUILD: string = join(NATIVE_FOLDER, 'build', 'exact1.node')
/** Why the last build gave no addon, for people; there is none when it gave one. */
export const NATIVE_FAILURE: string = join(NATIVE_FOLDER, 'build', 'failure.txt')
/** With a folder for each `<platform>-<arch>`. Git ignores it; a package has it. */
export const NATIVE_PREBUILDS: string = join(NATIVE_FOLDER, 'prebuilds')
/** Built for machines like this one. */
export const NATIVE_PREBUILD: string = join(NATIVE_PREBUILDS, `${process.platform}-${process.arch}`, 'exact1.node')

/** SHA-256 over names and bytes of the C sources: an addon of other sources may compute or ask for something else. */
export function hashNativeSources(): string {
  const hash = createHash('sha256')
  const files = ['', 'cpu/'].flatMap((folder) =>
    readdirSync(join(NATIVE_FOLDER, folder), 'utf8')
      .filter((name) => /^[^.].*\.[ch]$/.test(name))
      .map((name) => `${folder}${name}`),
  )
  for (const file of files.sort()) {
    const bytes = readFileSync(join(NATIVE_FOLDER, file))
    hash.update(`${file}\n${bytes.length}\n`).update(bytes)
  }
  return hash.digest('hex')
}
