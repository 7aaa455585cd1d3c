/**
 * Miners with room for one segment, and for another while they move, choose by themselves: each segment has two owners, and again after any one miner is
 * lost, whichever segment it served; nothing is without anybody meanwhile.
 */
import { afterEach, expect, test, vi } from 'vitest'
import type { ChainCall } from '../../src/app/chain/calls.ts'
import { chooseAtStart } from '../../src/app/mining/choose-segments.ts'
import type { SegmentRange } from '../../src/app/mining/rebalance.ts'
import { sightOnChain } from '../../src/app/mining/sighting.ts'
import { addressOfAccount } from '../../src/core/fields.ts'
import { closeLease } from '../../src/core/transaction/close-lease.ts'
import { MODEL } from './mining-models.ts'
import { createMiningWorld, type MinerLife, type MiningWorld } from './mining-world.ts'
import { DLLM } from './one-node.ts'
import { collect, GREEDY } from './ring-world.ts'

const TIMEOUT_MS = 240_000
const PARAMETERS = { disputeBlocks: 8n, placementBlocks: 80n, epochBlocks: 600n, commitMs: 25n }
/** As `--memory-mib` would give it. */
const WEIGHT_BYTES = 2 * MODEL.manifest.segments[0]!.shard.bytes
/** One more than two of each segment. */
const MINERS = 2 * MODEL.manifest.segments.length + 1
const NEVER = new AbortController().signal

let world: MiningWorld
/** By account. */
const lives = new Map<number, MinerLife>()
let lost: readonly number[] = []
afterEach(async () => world.close())

const operatorOf = (account: number): string => addressOfAccount(world.operator(account), 'local')

/** As `dllm mine` without --segments, or with them. */
async function join(account: number, told?: SegmentRange): Promise<void> {
  await world.fund(account, '20')
  const own = { operator: operatorOf(account), payout: addressOfAccount(world.payout(account), 'local') }
  const sighting = await sightOnChain(MODEL, { chain: world.one.chain, own }, NEVER)
  const { first, end } = told ?? chooseAtStart(MODEL, sighting, WEIGHT_BYTES).decision.chosen!
  const life = await world.start({ account, first, end, moves: 1 + 4 * account })
  lives.set(account, life)
  await life.said('state', ({ text }) => text.startsWith('Offers'))
}

/** Accounts of miners that are there, for each segment, by live placements. */
async function owners(): Promise<number[][]> {
  const placements = await world.one.chain.market.placements(MODEL.hash)
  const present = [...lives.keys()].filter((account) => !lost.includes(account))
  return MODEL.manifest.segments.map((_, segment) => {
    const there = placements.filter(({ live, first, end }) => live && first <= segment && segment < end)
    return present.filter((account) => there.some(({ operator }) => operator === operatorOf(account)))
  })
}

/** A lease for an answer, of miners that are there. */
async function answer(): Promise<number[]> {
  const avoid = lost.map((account) => world.operator(account)).toSorted()
  const lease = await world.openLease(DLLM / 100n, { cuts: [1, 2], avoid })
  const { session, close } = await world.open(lease)
  const { tokens } = await collect(session, [1, 2, 3, 4], { generation: { ...GREEDY, maxTokens: 2 } })
  await close()
  const contract = closeLease as ChainCall['contract']
  await world.payer.send({ contract, body: { lease: lease.id }, spends: 0n, lines: [] }, NEVER)
  return tokens
}

test('whichever miner is lost, every segment stays served, and has two owners again', {
  timeout: TIMEOUT_MS,
}, async () => {
  world = await createMiningWorld(PARAMETERS, 100n)
  for (let account = 2; account < 2 + MINERS; account++) await join(account)
  const atFirst = (await owners()).map(({ length }) => length)
  expect(atFirst.toSorted()).toEqual([2, 2, 3])
  const tokens = await answer()
  // The segment with an owner too many comes last: by then somebody has left it for another.
  for (const segment of [...atFirst.keys()].sort((one, other) => atFirst[one]! - atFirst[other]!)) {
    const served = (await owners())[segment]!
    expect(served).toHaveLength(2)
    const [victim] = served
    await lives.get(victim!)!.crash()
    lost = [...lost, victim!]
    expect(await answer()).toEqual(tokens)
    await vi.waitUntil(
      async () => {
        const counts = (await owners()).map(({ length }) => length)
        expect(Math.min(...counts)).toBeGreaterThan(0)
        return Math.min(...counts) === 2
      },
      { timeout: TIMEOUT_MS, interval: 50 },
    )
    expect(await answer()).toEqual(tokens)
    // Somebody new is one more than needed again, there.
    await join(2 + MINERS + segment, { first: segment, end: segment + 1 })
    expect((await owners()).flat()).toHaveLength(MINERS)
  }
  const problems = [...lives].filter(([account]) => !lost.includes(account)).flatMap(([, { events }]) => events)
  expect(problems.filter(({ type }) => type === 'problem')).toEqual([])
})
