/** With two owners of each segment a miner that is lost takes nothing with it, and somebody who is one too many elsewhere comes in its place. */
import { afterEach, expect, test, vi } from 'vitest'
import type { ChainCall } from '../../src/app/chain/calls.ts'
import { closeLease } from '../../src/core/transaction/close-lease.ts'
import { MODEL } from './mining-models.ts'
import { createMiningWorld, type MinerLife, type MiningWorld } from './mining-world.ts'
import { DLLM } from './one-node.ts'
import { collect, GREEDY } from './ring-world.ts'

const PARAMETERS = { disputeBlocks: 8n, placementBlocks: 30n, epochBlocks: 600n, commitMs: 25n }
const PROMPT = [1, 2, 3, 4]
const TURN = { generation: { ...GREEDY, maxTokens: 2 } }
const NEVER = new AbortController().signal

let world: MiningWorld
afterEach(async () => world.close())

/** Owners of each segment, by live placements. */
async function owners(): Promise<number[]> {
  const live = (await world.one.chain.market.placements(MODEL.hash)).filter((placement) => placement.live)
  return MODEL.manifest.segments.map((_, segment) => {
    return live.filter(({ first, end }) => first <= segment && segment < end).length
  })
}

async function serveOne(): Promise<number[]> {
  const lease = await world.openLease(DLLM / 100n, { cuts: [1, 2] })
  const { session, close } = await world.open(lease)
  const { tokens } = await collect(session, PROMPT, TURN)
  await close()
  const body = { lease: lease.id }
  await world.payer.send({ contract: closeLease as ChainCall['contract'], body, spends: 0n, lines: [] }, NEVER)
  return tokens
}

test('a lost miner leaves every segment served, and one that is spare takes its place by itself', async () => {
  world = await createMiningWorld(PARAMETERS, 100n)
  const runs = [
    { account: 2, first: 0, end: 3 },
    ...[0, 1, 2, 0].map((first, index) => ({ account: 3 + index, first, end: first + 1, moves: 1 + 7 * index })),
  ]
  for (const { account } of runs) await world.fund(account, '20')
  const lives: MinerLife[] = []
  for (const run of runs) lives.push(await world.start(run))
  await Promise.all(lives.map((life) => life.said('state', ({ text }) => text.startsWith('Offers'))))
  expect(await owners()).toEqual([3, 2, 2])
  const tokens = await serveOne()

  // As a power cut: its placement stays until it ends, and nobody is there.
  const [, spare, lost, , other] = lives
  await lost!.crash()
  const moved = await Promise.race(
    [spare!, other!].map(async (life) => {
      await life.said('state', ({ text }) => text.startsWith('Serves segment 2 of genesis now'))
      return life
    }),
  )
  await vi.waitFor(async () => expect(await owners()).toEqual([2, 2, 2]), { timeout: 10_000, interval: 50 })
  expect(moved.events.find(({ text }) => text.startsWith('This machine should serve segment 2 '))).toBeDefined()
  expect(await serveOne()).toEqual(tokens)
  expect([spare!, other!].flatMap(({ events }) => events.filter(({ type }) => type === 'problem'))).toEqual([])
})
