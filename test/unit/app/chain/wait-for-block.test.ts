/** Waiting for a transaction's block on a chain that goes on, stands still, or takes up again. */
import { expect, test } from 'vitest'
import type { ChainAccess, HeadView, TransactionView } from '../../../../src/app/chain/chain-access.ts'
import { stalledText, waitForBlock } from '../../../../src/app/chain/wait-for-block.ts'
import { LightAccessError } from '../../../../src/app/light/light-access.ts'
import { AskError } from '../../../../src/app/node/ask.ts'
import { hash } from '../../../../src/base/brand.ts'
import type { HouseError } from '../../../../src/base/error.ts'
import { MempoolError } from '../../../../src/core/mempool-error.ts'
import { TransactionError } from '../../../../src/core/transaction/contract.ts'
import { createFakeClock } from '../../../fake-clock.ts'

const ID = hash('ab'.repeat(32))
const GONE = new LightAccessError('CHAIN_TRANSACTION_UNKNOWN', 'It is not here.')
const LAST_BLOCK_MS = Date.UTC(2026, 10, 21, 9, 4, 33)

interface World {
  /** Block numbers that are told, one per look; the last one stays. */
  readonly heights: readonly number[]
  /** The look at which the transaction is in a block; never if left out. */
  readonly finalAtLook?: number
  readonly commitMs?: string
  /** What the chain says when it is handed in again, time after time; the last one stays. Default: that it waits. */
  readonly again?: readonly HouseError[]
  /** The node has thrown it away. */
  readonly isGone?: boolean
}

const KNOWN = new MempoolError('MEMPOOL_KNOWN', 'It waits.')
const BEHIND = new TransactionError('NONCE_TOO_LOW', 'It was applied.')
const SUPERSEDED = new TransactionError('MODEL_SUPERSEDED', 'Another took its place.')

async function wait(world: World): Promise<{ told: number[]; end: unknown }> {
  const { heights, finalAtLook, commitMs = '1000', again = [KNOWN], isGone = false } = world
  const told: number[] = []
  const settled = Promise.withResolvers<TransactionView>()
  let looks = 0
  let times = 0
  const chain = {
    parameters: async () => ({ values: { commitMs }, proposals: [] }),
    head: async () => {
      const height = heights[Math.min(looks++, heights.length - 1)]!
      if (looks === finalAtLook) settled.resolve({ id: ID, height } as TransactionView)
      return { height, timeMs: LAST_BLOCK_MS } as HeadView
    },
    waitFor: () => (isGone ? Promise.reject(GONE) : settled.promise),
    submit: () => Promise.reject(again[Math.min(times++, again.length - 1)]!),
  } as unknown as ChainAccess
  const clock = createFakeClock()
  const { signal } = new AbortController()
  let isOver = false
  const waiting = waitForBlock(
    { id: ID, bytes: new Uint8Array(1) },
    { chain, clock, signal, onStalled: ({ height }) => told.push(height) },
  )
  const ending = waiting.catch((error: unknown) => error).finally(() => (isOver = true))
  while (!isOver) {
    clock.advance(1_000)
    await new Promise((resolve) => setImmediate(resolve))
  }
  const end = await ending
  return { told, end }
}

test('says nothing while blocks become final', async () => {
  const { told, end } = await wait({ heights: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], finalAtLook: 12 })
  expect(end).toMatchObject({ id: ID, height: 12 })
  expect(told).toEqual([])
})

test('says once that none does, and goes on waiting', async () => {
  const { told, end } = await wait({ heights: [6, 7] })
  expect(told).toEqual([7])
  expect(end).toMatchObject({ code: 'CHAIN_STILL_WAITING' })
  expect((end as Error).message).toMatch(/no block has become final since 2026-11-21 09:04:33 UTC.*`dllm chain tx /)
})

test('says nothing of a pause', async () => {
  const { told, end } = await wait({ heights: [7], finalAtLook: 4 })
  expect(end).toMatchObject({ id: ID })
  expect(told).toEqual([])
})

test('a chain that takes its time between blocks does not stand still', async () => {
  const { told, end } = await wait({ heights: [1, 1, 1, 1, 1, 1, 2], finalAtLook: 8, commitMs: '20000' })
  expect(end).toMatchObject({ id: ID })
  expect(told).toEqual([])
})

test('a transaction that blocks pass by is told to be sent again with a higher fee', async () => {
  const { told, end } = await wait({ heights: Array.from({ length: 200 }, (_, height) => height) })
  expect(told).toEqual([])
  expect((end as Error).message).toMatch(/higher --tip/)
})

test.each([
  ['with a light client', { heights: [1, 2, 3, 4, 5, 6, 7, 8, 9], again: [KNOWN, KNOWN, SUPERSEDED] }, SUPERSEDED],
  ['with a node that threw it away', { heights: [1], isGone: true, again: [SUPERSEDED] }, SUPERSEDED],
  [
    'with a node that threw it away, and another one stands in its place',
    { heights: [1], isGone: true, again: [BEHIND] },
    GONE,
  ],
])('what others make impossible is told at once, %s', async (_case, world, expected) => {
  expect((await wait(world)).end).toBe(expected)
})

test('what is handed in again when it is in a block, or where nobody answers, goes on waiting', async () => {
  const silent = new AskError('CHAIN_NO_ANSWER', 'Nobody answers.')
  const { end } = await wait({
    heights: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12],
    finalAtLook: 12,
    again: [silent, BEHIND],
  })
  expect(end).toMatchObject({ id: ID, height: 12 })
})

test('the person who waits learns since when, what waits, and how to look later', () => {
  const head = { height: 1_204, timeMs: LAST_BLOCK_MS } as HeadView
  const look = `dllm chain tx ${ID}`
  const text = stalledText({ head, nowMs: LAST_BLOCK_MS + 32_000, title: 'Send 12.5 DLLM', look })
  for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(80)
  expect(text.replace(/\s+/g, ' ')).toBe(
    'No block has become final since 2026-11-21 09:04:33 UTC (block 1204, 32 s ago): too few of the validators vote, ' +
      'or they cannot be reached. What was sent (Send 12.5 DLLM) waits for them. It is safe to press Ctrl-C: that ends ' +
      `only this waiting. To look later: ${look}`,
  )
})
