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

// In threads of the program as well: chunks go out in one of their own.
registerHooks({
  load: (url, context, next) =>
    url.endsWith('/app/shards/served-check.js')
      ? { format: 'module', source: CHECK, shortCircuit: true }
      : next(url, context),
})
