/** What ends a move before it is one. */
import { expect, test } from 'vitest'
import { createMoves, type MovesParts } from '../../../../src/app/mining/moves.ts'
import { MODEL } from '../../../integration/mining-models.ts'

const NEVER = new AbortController().signal

test('a fetch for a move ends when nobody needs it there, and the miner has not moved', async () => {
  const fetching = Promise.withResolvers<AbortSignal>()
  const parts = {
    keeper: { find: () => ({ model: MODEL, firstSegment: 0, lastSegment: 1 }) },
    files: {
      ensure: (_wish: unknown, signal: AbortSignal) => {
        fetching.resolve(signal)
        return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
      },
    },
  } as unknown as MovesParts
  const moves = createMoves(parts)
  const moving = moves.moveTo(MODEL.hash, { first: 1, end: 2 }, NEVER)
  await fetching.promise
  moves.breakOff(MODEL.hash)
  expect(await moving).toBe(false)
  const stop = new AbortController()
  const stopped = moves.moveTo(MODEL.hash, { first: 1, end: 2 }, stop.signal)
  stop.abort(new Error('the miner ends'))
  await expect(stopped).rejects.toThrow('the miner ends')
})
