/**
 * Before a package is made: says for which platforms it has the native engine, and refuses one of other sources than these, which nobody would load.
 *
 *   node scripts/check-prebuilds.ts
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { hashNativeSources, NATIVE_PREBUILDS } from '../src/app/native-files.ts'

const sources = hashNativeSources()
const platforms = existsSync(NATIVE_PREBUILDS) ? readdirSync(NATIVE_PREBUILDS) : []
// An addon says itself what it is of; those of other systems can be read, not loaded.
const isOfThese = (platform: string): boolean => {
  const path = join(NATIVE_PREBUILDS, platform, 'exact1.node')
  return existsSync(path) && readFileSync(path).includes(sources)
}
const stale = platforms.filter((platform) => !isOfThese(platform))
if (stale.length > 0) {
  console.error(`Native engine: of other sources or missing in native/prebuilds: ${stale.join(', ')}.`)
  console.error('Build it there again (node scripts/build-native.ts --prebuild), or remove the folder.')
  process.exitCode = 1
} else {
  const which = platforms.length > 0 ? platforms.join(', ') : 'no platform; users need a C compiler'
  console.error(`Native engine delivered for: ${which}.`)
}
