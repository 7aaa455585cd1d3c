/**
 * Loaded before the program (`node --import`) it makes a miner that damages what others fetch from it: where ours compares a chunk before it goes out, this one
 * changes a bit of it.
 */
import { registerHooks } from 'node:module'

const CHECK = `export const createServedCheck = () => ({
  isKnown: () => false,
  isRight: async (root, file, { bytes }) => {
    bytes[bytes.length >> 1] ^= 1
    return true
  },
})`

/** In the bundle no module can be replaced. */
const NO_BUNDLE = 'export const freshBundle = () => undefined'

const replaced: readonly (readonly [ending: string, source: string])[] = [
  ['/app/shards/served-check.js', CHECK],
  ['/bin/bundle.js', NO_BUNDLE],
]

// In threads of the program as well: chunks go out in one of their own.
registerHooks({
  load: (url, context, next) => {
    const source = replaced.find(([ending]) => url.endsWith(ending))?.[1]
    return source === undefined ? next(url, context) : { format: 'module', source, shortCircuit: true }
  },
})
