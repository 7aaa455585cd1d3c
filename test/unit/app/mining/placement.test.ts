/** A placement block by block: what of it is sent, and that a miner which ends is not placed again. */
import { expect, test } from 'vitest'
import type { ChainCall } from '../../../../src/app/chain/calls.ts'
import type { ChainSender } from '../../../../src/app/market/chain-sender.ts'
import type { MiningEvent } from '../../../../src/app/mining/duty.ts'
import type { MiningMode } from '../../../../src/app/mining/mode.ts'
import { createPlacement } from '../../../../src/app/mining/placement.ts'
import type { Survey } from '../../../../src/app/mining/survey.ts'
import { HouseError } from '../../../../src/base/error.ts'
import type { Place } from '../../../../src/core/transaction/place.ts'
import { head, MODEL, miner, placement as placementView, sight } from './views.ts'

const NEVER = new AbortController().signal

function world() {
  const sent: number[] = []
  const displacing: boolean[] = []
  const said: string[] = []
  const state = {
    ...{ isThere: false, first: 0, isLate: false, mode: 'run' as MiningMode },
    /** Of this miner, and the lowest one that gives way where there is no room. */
    ...{ deposit: 2_000_000_000n, lowest: undefined as bigint | undefined },
  }
  const survey: Partial<Survey> = {
    latest: sight({ head: head(10) }),
    at: async (at) => sight({ head: at, miner: miner({ deposit: String(state.deposit) }) }),
    placement: async () => (state.isThere ? placementView({ first: state.first }) : undefined),
    forget: () => undefined,
  }
  const sender = {
    async send({ body }: ChainCall) {
      const { slots, first, displaces } = body as Place
      const { lowest } = state
      if (lowest !== undefined) displacing.push(displaces)
      if (lowest !== undefined && !(displaces && state.deposit > lowest)) {
        const details = { lowest: String(lowest) }
        throw new HouseError('PLACEMENTS_FULL', 'Only a larger deposit takes a place.', { details })
      }
      sent.push(slots)
      state.first = first
      if (state.isLate) throw new HouseError('CHAIN_STILL_WAITING', 'It is in no block yet.')
      state.isThere = slots > 0
    },
  } as unknown as ChainSender
  const wish = { model: MODEL, first: 0, end: 3, slots: 2, bid: 0n, incarnation: 1n }
  const notes = { say: ({ text }: MiningEvent) => void said.push(text) }
  const made = createPlacement({ survey: survey as Survey, sender, notes, wish, mode: () => state.mode })
  return { sent, displacing, said, state, made, look: (height: number) => made.duty.look(head(height), NEVER) }
}

test('it is placed once, renewed in time, and ended where no jobs are wanted', async () => {
  const { sent, state, look } = world()
  for (const height of [10, 11, 300]) await look(height)
  state.mode = 'pause'
  for (const height of [301, 302]) await look(height)
  expect(sent).toEqual([2, 2, 0])
})

test('a miner that ends is not placed again when its last block comes', async () => {
  const { sent, made, look } = world()
  await look(10)
  await made.end(NEVER)
  await look(11)
  expect(sent).toEqual([2, 0])
})

test('a change that nobody waited for any more, and that came after all, is taken back', async () => {
  const { sent, state, made, look } = world()
  await look(10)
  state.isLate = true
  await expect(made.change({ first: 1, end: 3, slots: 3 }, NEVER)).rejects.toThrow('no block')
  expect(made.run).toMatchObject({ first: 0, end: 3 })
  state.isLate = false
  expect(state.first).toBe(1)
  for (const height of [11, 12]) await look(height)
  expect(state.first).toBe(0)
  expect(sent).toEqual([2, 3, 2])
})

test('where no place is left it takes that of a lower deposit, and says so', async () => {
  const { sent, displacing, said, state, made, look } = world()
  state.lowest = 1_999_999_999n
  for (const height of [10, 11]) await look(height)
  expect([sent, displacing]).toEqual([[2], [false, true]])
  expect(said[0]).toBe('No place was left: this miner took the one with the lowest deposit, 1.999999999 DLLM.')
  expect(made.noPlace).toBeUndefined()
})

test('a miner that was displaced says why once, pays for no attempt, and comes back with a larger deposit', async () => {
  const { sent, displacing, said, state, made, look } = world()
  await look(10)
  said.length = 0
  state.isThere = false
  state.lowest = 2_000_000_000n
  for (let height = 30; height < 60; height++) await look(height)
  expect([sent, displacing]).toEqual([[2], [false]])
  expect(said).toEqual([
    'Another miner with a larger deposit took the place of this one. Only a larger deposit takes a place. `dllm mine --deposit AMOUNT` deposits as much as you say.',
  ])
  expect(made.noPlace).toMatchObject({ text: said[0], lowest: 2_000_000_000n })
  expect(made.until).toBeUndefined()
  // Somebody else may have left, and the lowest deposit is another.
  state.lowest = 2_000_000_001n
  for (const height of [60, 61]) await look(height)
  expect([displacing.length, said.length, made.noPlace?.lowest]).toEqual([2, 1, 2_000_000_001n])
  state.deposit = 2_000_000_002n
  for (const height of [62, 63]) await look(height)
  expect([sent, displacing, made.noPlace]).toEqual([[2, 2], [false, false, false, true], undefined])
})

test('who never had a place says that there is none', async () => {
  const { said, state, made, look } = world()
  state.lowest = 2_000_000_000n
  await look(10)
  expect(said).toEqual([expect.stringMatching(/^There is no place\. Only a larger/)])
  state.lowest = undefined
  await look(40)
  expect(made).toMatchObject({ noPlace: undefined, until: 340 })
})
