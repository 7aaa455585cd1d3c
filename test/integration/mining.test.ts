/** A miner from its first deposit to its last: over a real node, with a client that pays. */
import { afterEach, expect, test } from 'vitest'
import type { ChainCall } from '../../src/app/chain/calls.ts'
import { payWith } from '../../src/app/mining/claim-rule.ts'
import { writeMode } from '../../src/app/mining/mode.ts'
import { openRing } from '../../src/app/ring/ring-client.ts'
import { milliseconds } from '../../src/base/brand.ts'
import { closeLease } from '../../src/core/transaction/close-lease.ts'
import { MODEL } from './mining-models.ts'
import { createMiningWorld, type MiningWorld, SYSTEM } from './mining-world.ts'
import { balanceOf, DLLM } from './one-node.ts'
import { collect, GREEDY } from './ring-world.ts'

const PARAMETERS = { disputeBlocks: 8n, placementBlocks: 60n, epochBlocks: 600n }
const PRICE = 100n
const PROMPT = Array.from({ length: 20 }, (_, index) => index % 50)

let world: MiningWorld
afterEach(async () => world.close())

function closing(lease: string): ChainCall {
  return { contract: closeLease as ChainCall['contract'], body: { lease }, spends: 0n, lines: [] }
}

async function settled(id: string): Promise<void> {
  for await (const _head of world.one.chain.watch(new AbortController().signal)) {
    const { entries } = await world.one.chain.market.leases({ limit: 128 })
    if (entries.every((lease) => lease.id !== id)) return
  }
}

test('a miner without money says what to send where, and registers when it has come', async () => {
  world = await createMiningWorld(PARAMETERS, PRICE)
  const life = await world.start({ account: 5 })
  const { text } = await life.said('state')
  expect(text).toContain('too little for the deposit of a miner: send ')
  const [, amount, address] = /dllm wallet send ([\d.]+) (\w+) --network one/.exec(text)!
  expect(address).toMatch(/^ldllm1/)
  await world.fund(5, amount!)
  await life.said('state', (event) => event.text.startsWith('Registered as a miner with a deposit of '))
  await life.said('state', (event) => event.text.startsWith('Offers segments 1 to 3, 2 leases at once'))
  const [placed] = await world.one.chain.market.placements(MODEL.hash)
  expect(placed).toMatchObject({ first: 0, end: 3, slots: 2, used: 0, bid: '0', live: true })
})

test('a lease is won, served, claimed and paid to the grain, also over a restart', async () => {
  world = await createMiningWorld(PARAMETERS, PRICE)
  const { one } = world
  await world.fund(5, '50')
  const first = await world.start({ account: 5 })
  await first.said('state', (event) => event.text.startsWith('Offers'))
  const lease = await world.openLease()
  expect(await first.said('job-won')).toMatchObject({ details: { lease: lease.id, lot: 0, first: 0, end: 3 } })
  const paid = await world.open(lease)
  const { tokens } = await collect(paid.session, PROMPT, { generation: { ...GREEDY, maxTokens: 40 } })
  expect(tokens.length).toBeGreaterThan(0)
  await paid.close()
  // It goes away with the pay in its journal, and comes back.
  await first.end()
  const second = await world.start({ account: 5 })
  await second.said('state', (event) => event.text.startsWith('Offers'))
  await world.payer.send(closing(lease.id), new AbortController().signal)
  const claimed = await second.said('claimed')
  const view = await one.chain.market.lease(lease.id)
  const promptRows = BigInt(view.counters.promptRows)
  expect(promptRows).toBe(BigInt(PROMPT.length))
  const counters = {
    promptRows,
    promptPositions: BigInt(view.counters.promptPositions),
    decodeRows: BigInt(view.counters.decodeRows),
    decodePositions: BigInt(view.counters.decodePositions),
  }
  const pay = payWith(view, view.lots[0]!, counters)
  expect(claimed.details).toMatchObject({ gain: String(pay) })
  await settled(lease.id)
  expect(await balanceOf(one.chain, world.payout(5))).toBe(pay)
  expect(await second.said('paid')).toMatchObject({ details: { lease: lease.id, grains: String(pay) } })
})

test('sessions without a lease are refused where the model costs something', async () => {
  world = await createMiningWorld(PARAMETERS, PRICE)
  await world.fund(5, '50')
  const life = await world.start({ account: 5 })
  await life.said('state', (event) => event.text.startsWith('Offers'))
  const wire = world.one.memory.createMemoryWire({ listen: false })
  const { peer } = life.miner.status().offers[0]!.offer
  const stages = [{ peer, addresses: [`/memory/${peer}`], firstSegment: 0, lastSegment: 3 }]
  const route = { model: MODEL.hash, stages, expectedStepMs: milliseconds(1) }
  await expect(openRing({ route, capacity: 64 }, { wire, ...SYSTEM })).rejects.toThrow('works for leases only')
  expect(await life.said('job-refused')).toMatchObject({ details: { code: 'LEASE_REQUIRED' } })
  await wire.stop()
})

test('a paused miner takes no job, a resumed one does, and a drained one has its deposit back', async () => {
  world = await createMiningWorld(PARAMETERS, PRICE)
  const { one } = world
  await world.fund(5, '50')
  const life = await world.start({ account: 5 })
  await life.said('state', (event) => event.text.startsWith('Offers'))
  await writeMode(world.folder(5), 'pause')
  await life.said('state', (event) => event.text.startsWith('The placement has ended'))
  await expect(world.openLease()).rejects.toMatchObject({ code: 'NO_MINER' })
  await writeMode(world.folder(5), 'run')
  const offers = () => life.events.filter(({ text }) => text.startsWith('Offers')).length
  await life.said('state', () => offers() === 2)
  const lease = await world.openLease()
  await life.said('job-won')
  await writeMode(world.folder(5), 'drain')
  await life.said('state', (event) => event.text.startsWith('Draining: 1 job to be settled'))
  await world.payer.send(closing(lease.id), new AbortController().signal)
  await life.mining.drained
  await expect(one.chain.market.miner(world.operator(5))).rejects.toMatchObject({ code: 'NO_SUCH_MINER' })
  const balance = await balanceOf(one.chain, world.operator(5))
  expect(balance).toBeGreaterThan(49n * DLLM)
  expect(life.events.at(-1)!.text).toMatch(/^Drained: [\d.]+ DLLM of the deposit are back/)
})

test('a job that goes to others is explained', async () => {
  world = await createMiningWorld(PARAMETERS, PRICE)
  await world.fund(5, '50')
  await world.fund(6, '50')
  const rich = await world.start({ account: 5 })
  const dear = await world.start({ account: 6, options: { bid: 1_000n } })
  for (const life of [rich, dear]) await life.said('state', (event) => event.text.startsWith('Offers'))
  const lease = await world.openLease()
  await rich.said('job-won')
  expect(await dear.said('job-lost')).toMatchObject({ details: { lease: lease.id, reason: 'bid' } })
})

test('a second program with the same account is told apart from its ghost', async () => {
  world = await createMiningWorld({ ...PARAMETERS, placementBlocks: 12n }, PRICE)
  await world.fund(5, '50')
  const old = await world.start({ account: 5 })
  await old.said('state', (event) => event.text.startsWith('Offers'))
  // The peer comes to another machine.
  await old.miner.close()
  const young = await world.start({ account: 5 })
  await young.said('state', (event) => event.text.startsWith('Offers'))
  expect(await old.said('problem')).toMatchObject({ details: { code: 'STALE_INCARNATION' } })
  expect(young.events.filter(({ type }) => type === 'problem')).toEqual([])
})

test('a second machine with the same account takes the place of the first, which does not fight for it', async () => {
  world = await createMiningWorld(PARAMETERS, PRICE)
  await world.fund(5, '50')
  const old = await world.start({ account: 5 })
  await old.said('state', (event) => event.text.startsWith('Offers'))
  const young = await world.start({ account: 5, machine: 'b' })
  await young.said('state', (event) => event.text.startsWith('Registered again with this peer'))
  await old.said('state', (event) => event.text.startsWith('Another program has registered this account'))
  const registrations = young.events.filter(({ text }) => text.startsWith('Registered'))
  expect(registrations).toHaveLength(1)
})

test('a model that nobody registered is said to be why nothing comes', async () => {
  world = await createMiningWorld(PARAMETERS, undefined)
  await world.fund(5, '50')
  const life = await world.start({ account: 5 })
  await life.said('state', (event) => event.text.startsWith('This model is not registered on this network'))
  await expect(world.one.chain.market.miner(world.operator(5))).rejects.toMatchObject({ code: 'NO_SUCH_MINER' })
})
