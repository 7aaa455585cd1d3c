import { expect, test } from 'vitest'
import type { ChainLook, Looker, MinersLook } from '../../../../src/app/dashboard/looks.ts'
import { createDashboardStore } from '../../../../src/app/dashboard/store.ts'
import { createFakeClock, until } from '../../../fake-clock.ts'
import { chain, miners, SUBJECT } from './dashboard-looks.ts'

/** A looker that counts, and finds what `find` says at each look. */
function counted<Found>(find: (looks: number, signal: AbortSignal) => Found | Promise<Found>) {
  let looks = 0
  let closed = 0
  const looker: Looker<Found> = {
    look: async (signal) => find(++looks, signal),
    close: async () => {
      closed++
    },
  }
  return { looker, looks: () => looks, closed: () => closed }
}

const never = (signal: AbortSignal): Promise<never> =>
  new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)))

test('looks once a second until the signal, however long the other looker takes', async () => {
  const clock = createFakeClock()
  const chains = counted<ChainLook>((looks) => chain({ height: looks }))
  const slow = counted<MinersLook>((_looks, signal) => never(signal))
  const store = createDashboardStore(SUBJECT, { chain: chains.looker, miners: slow.looker }, clock)
  const stop = new AbortController()
  const running = store.run(stop.signal)
  for (const height of [1, 2, 3]) {
    await until(() => chains.looks() === height, `look ${height}`)
    await until(() => store.view().chain.type === 'seen', 'a view')
    expect(store.view().chain).toMatchObject({ height })
    // Both loops sleep by now.
    await new Promise((resolve) => setImmediate(resolve))
    clock.advance(1_000)
  }
  expect(store.view().ring).toMatchObject({ code: 'LOOKING' })
  stop.abort()
  await running
  await store.close()
  expect([chains.closed(), slow.closed()]).toEqual([1, 1])
})

test('gives the same view until something changes, and tells its listeners when it does', async () => {
  const sources = {
    chain: counted<ChainLook>(() => chain()).looker,
    miners: counted<MinersLook>(() => miners(1)).looker,
  }
  const store = createDashboardStore(SUBJECT, sources, createFakeClock())
  let told = 0
  const unsubscribe = store.subscribe(() => told++)
  const before = store.view()
  expect(store.view()).toBe(before)
  const view = await store.lookOnce(new AbortController().signal)
  expect(told).toBe(2)
  expect(view).toBe(store.view())
  expect([view.chain.type, view.ring.type]).toEqual(['seen', 'seen'])
  unsubscribe()
  await store.lookOnce(new AbortController().signal)
  expect(told).toBe(2)
})

test('a bug of one looker ends the others', async () => {
  const bug = counted<ChainLook>(() => Promise.reject(new TypeError('a bug')))
  const slow = counted<MinersLook>((_looks, signal) => never(signal))
  const store = createDashboardStore(SUBJECT, { chain: bug.looker, miners: slow.looker }, createFakeClock())
  await expect(store.run(new AbortController().signal)).rejects.toThrow('a bug')
})
