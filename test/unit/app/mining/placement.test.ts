/** A placement block by block: what of it is sent, and that a miner which ends is not placed again. */
import { expect, test } from 'vitest'
import type { ChainCall } from '../../../../src/app/chain/calls.ts'
import type { ChainSender } from '../../../../src/app/market/chain-sender.ts'
import type { MiningMode } from '../../../../src/app/mining/mode.ts'
import { createPlacement } from '../../../../src/app/mining/placement.ts'
import type { Survey } from '../../../../src/app/mining/survey.ts'
import { HouseError } from '../../../../src/base/error.ts'
import { head, MODEL, placement as placementView, sight } from './views.ts'

const NEVER = new AbortController().signal

function world() {
  const sent: number[] = []
  const state = { isThere: false, first: 0, isLate: false, mode: 'run' as MiningMode }
  const survey: Partial<Survey> = {
    latest: sight({ head: head(10) }),
    at: async (at) => sight({ head: at }),
    placement: async () => (state.isThere ? placementView({ first: state.first }) : undefined),
    forget: () => undefined,
  }
  const sender = {
    async send({ body }: ChainCall) {
      const { slots, first } = body as { slots: number; first?: number }
      sent.push(slots)
      state.first = first ?? state.first
      if (state.isLate) throw new HouseError('CHAIN_STILL_WAITING', 'It is in no block yet.')
      state.isThere = slots > 0
    },
  } as unknown as ChainSender
  const wish = { model: MODEL, first: 0, end: 3, slots: 2, bid: 0n, incarnation: 1n }
  const notes = { say: () => undefined }
  const made = createPlacement({ survey: survey as Survey, sender, notes, wish, mode: () => state.mode })
  return { sent, state, made, look: (height: number) => made.duty.look(head(height), NEVER) }
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
