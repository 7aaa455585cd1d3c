/** Who leaves a download where others wait for a place. */
import { expect, test } from 'vitest'
import { whoMakesRoom } from '../../../../src/app/swarm/make-room.ts'
import { peerId } from '../../../../src/base/brand.ts'

type Rate = readonly [name: string, bytesPerSecond: number | undefined, underWay: number]

test.each<[string, Rate[], string | undefined]>([
  ['nobody where nobody is', [], undefined],
  [
    'the slowest',
    [
      ['a', 500, 1],
      ['b', 200, 1],
      ['c', 900, 1],
    ],
    'b',
  ],
  [
    'who has nothing to give, before anybody who brings something',
    [
      ['a', 500, 1],
      ['idle', undefined, 0],
    ],
    'idle',
  ],
  [
    'not who is at its first chunk',
    [
      ['new', undefined, 1],
      ['a', 500, 1],
    ],
    'a',
  ],
  [
    'nobody where all are at their first chunk',
    [
      ['new', undefined, 1],
      ['other', undefined, 2],
    ],
    undefined,
  ],
])('%s', (_who, rates, expected) => {
  const peers = rates.map(([name, bytesPerSecond, underWay]) => ({ peer: peerId(name), bytesPerSecond, underWay }))
  expect(whoMakesRoom(peers)).toBe(expected)
})
