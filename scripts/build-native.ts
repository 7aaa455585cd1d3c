/**
 * Builds the native engine's addon from native/ (src/app/native-build/): native/build/exact1.node. Runs when a clone is installed.
 *
 *   node scripts/build-native.ts [--if-changed] [--if-possible] [--prebuild]
 *
 * --if-changed: nothing to do when the addon is of these sources. --if-possible: the same, and exit 0 whatever happens. --prebuild: to
 * native/prebuilds/<platform>-<arch>/, where a published package has it.
 */
import { buildNative } from '../src/app/native-build/build.ts'

const has = (flag: string): boolean => process.argv.includes(flag)
const when = has('--if-changed') || has('--if-possible') ? 'changed' : 'always'
const { isThere, told } = await buildNative({ when, isPrebuild: has('--prebuild') })
if (told !== '') console.log(`native engine: ${has('--if-possible') ? told.split('\n', 1)[0] : told}`)
process.exitCode = isThere || has('--if-possible') ? 0 : 1
