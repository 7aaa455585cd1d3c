/** A miner for pay that changes what it serves: its leases run to their end where they began, and no moment is without a placement. */
import { afterEach, expect, test, vi } from 'vitest'
import type { ChainCall } from '../../src/app/chain/calls.ts'
import type { PlacementView } from '../../src/app/chain/market-access.ts'
import { writeMode } from '../../src/app/mining/mode.ts'
import type { CheckPost } from '../../src/app/posts/post-keeper.ts'
import type { Hash } from '../../src/base/brand.ts'
import { closeLease } from '../../src/core/transaction/close-lease.ts'
import { MODEL, OTHER } from './mining-models.ts'
import { createMiningWorld, type MinerLife, type MiningWorld } from './mining-world.ts'
import { collect, GREEDY } from './ring-world.ts'

const PARAMETERS = { disputeBlocks: 8n, placementBlocks: 60n, epochBlocks: 600n }
const PRICE = 100n
const PROMPT = Array.from({ length: 20 }, (_, index) => index % 50)
const NEVER = new AbortController().signal
const TURN = { generation: { ...GREEDY, maxTokens: 8 } }

let world: MiningWorld
afterEach(async () => world.close())

async function offering(account: number, run?: { first: number; end: number }): Promise<MinerLife> {
  await world.fund(account, '50')
  const life = await world.start({ account, ...run })
  await life.said('state', ({ text }) => text.startsWith('Offers'))
  return life
}

async function close(lease: string): Promise<void> {
  const contract = closeLease as ChainCall['contract']
  await world.payer.send({ contract, body: { lease }, spends: 0n, lines: [] }, NEVER)
}

async function placementOf(account: number, model: Hash): Promise<PlacementView | undefined> {
  const all = await world.one.chain.market.placements(model)
  const { address } = await world.one.chain.market.miner(world.operator(account))
  return all.find(({ operator }) => operator === address)
}

function runs({ keeper }: MinerLife): string[] {
  return keeper.posts.map(
    ({ model, firstSegment, lastSegment }) => `${model.manifest.name} ${firstSegment}-${lastSegment}`,
  )
}

test('it moves with a lease open: new leases go to the new run, the old one is served, claimed and paid to its end', async () => {
  world = await createMiningWorld(PARAMETERS, PRICE)
  const mover = await offering(5)
  const old = await world.openLease()
  const before = await world.open(old)
  const first = await collect(before.session, PROMPT, TURN)
  const rest = await offering(6, { first: 0, end: 1 })
  await mover.mining.moves().moveTo(MODEL.hash, { first: 1, end: 3 }, NEVER)
  expect(await placementOf(5, MODEL.hash)).toMatchObject({ first: 1, end: 3, live: true })
  expect(runs(mover)).toEqual(['genesis 0-3', 'genesis 1-3'])

  const fresh = await world.openLease(undefined, { cuts: [1] })
  const after = await world.open(fresh)
  expect(await collect(after.session, PROMPT, TURN)).toEqual(first)
  const second = await collect(before.session, PROMPT, TURN)
  await before.close()
  // Who has a lease may come again at any time.
  const again = await world.open(old)
  expect(await collect(again.session, PROMPT, TURN)).toEqual(first)
  await again.close()
  expect(second.tokens.length).toBeGreaterThan(0)
  expect(runs(mover)).toEqual(['genesis 0-3', 'genesis 1-3'])

  await close(old.id)
  expect(await mover.said('paid')).toMatchObject({ details: { lease: old.id } })
  await vi.waitFor(() => expect(runs(mover)).toEqual(['genesis 1-3']), { timeout: 10_000, interval: 20 })
  expect(await collect(after.session, PROMPT, TURN)).toMatchObject({ reason: 'max-tokens' })
  await after.close()
  expect([...mover.events, ...rest.events].filter(({ type }) => type === 'problem')).toEqual([])
})

test('what the chain refuses leaves the miner where it was', async () => {
  world = await createMiningWorld(PARAMETERS, PRICE)
  const life = await offering(5)
  const moving = life.mining.moves().moveTo(MODEL.hash, { first: 0, end: 2 }, AbortSignal.abort())
  await expect(moving).rejects.toThrow()
  expect(await placementOf(5, MODEL.hash)).toMatchObject({ first: 0, end: 3, live: true })
  expect(life.keeper.find(MODEL.hash)).toMatchObject({ firstSegment: 0, lastSegment: 3 })
  expect((await world.openLease()).lots).toHaveLength(1)
})

test('it begins with another model, and ends with the first, one deposit and one sender for both', async () => {
  world = await createMiningWorld(PARAMETERS, PRICE)
  const life = await offering(5)
  const checked: string[] = []
  const wish = { model: OTHER, firstSegment: 0, lastSegment: 3 }
  const check: CheckPost = async ({ model }) => void checked.push(model.manifest.name, ...runs(life))
  await life.mining.moves().begin(wish, check, NEVER)
  // What is checked is loaded, and not offered yet.
  expect(checked).toEqual(['other', 'genesis 0-3'])
  expect(runs(life)).toEqual(['genesis 0-3', 'other 0-3'])
  await life.said('state', ({ text }) => text.startsWith('Offers segments 1 to 3 of other, '))
  const leases = [await world.openLease(), await world.openLease(undefined, { model: OTHER.hash })]
  for (const lease of leases) {
    await life.said('job-won', ({ details }) => details?.['lease'] === lease.id)
    const { session, close: leave } = await world.open(lease)
    await collect(session, PROMPT, TURN)
    await leave()
  }
  const ending = life.mining.moves().end(MODEL.hash, NEVER)
  await vi.waitFor(async () => expect(await placementOf(5, MODEL.hash)).toBeUndefined(), { interval: 50 })
  await close(leases[0]!.id)
  await ending
  expect(runs(life)).toEqual(['other 0-3'])
  expect(await life.said('paid')).toMatchObject({ details: { lease: leases[0]!.id } })

  await writeMode(world.folder(5), 'drain')
  await close(leases[1]!.id)
  await life.mining.drained
  await expect(world.one.chain.market.miner(world.operator(5))).rejects.toMatchObject({ code: 'NO_SUCH_MINER' })
})
