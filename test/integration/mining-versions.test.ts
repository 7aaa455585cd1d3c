/** A model is handed over to its next version by a vote, with a miner that follows by itself and a client that asks all the time. */
import { afterEach, expect, test, vi } from 'vitest'
import type { ChainCall } from '../../src/app/chain/calls.ts'
import type { LeaseView, ModelView } from '../../src/app/chain/market-access.ts'
import { modelWork } from '../../src/app/model-work.ts'
import { hash } from '../../src/base/brand.ts'
import { codeOf } from '../../src/base/error.ts'
import { closeLease } from '../../src/core/transaction/close-lease.ts'
import type { Contract } from '../../src/core/transaction/contract.ts'
import { proposeModel } from '../../src/core/transaction/propose-model.ts'
import { registerModel } from '../../src/core/transaction/register-model.ts'
import { voteParameters } from '../../src/core/transaction/vote-parameters.ts'
import { CONFIG, canaryOf, MODEL, NEXT } from './mining-models.ts'
import { createMiningWorld, type MinerLife, type MiningWorld } from './mining-world.ts'
import { DLLM } from './one-node.ts'
import { collect, GREEDY } from './ring-world.ts'

const PARAMETERS = {
  ...{ disputeBlocks: 8n, placementBlocks: 60n, epochBlocks: 10n, proposalBlocks: 5n, leaseBlocksMax: 160n },
  ...{ readyOwners: 1n, activationNotice: 4n, activationRetryBlocks: 10n, rollbackBlocks: 170n },
}
const PRICE = 100n
const PROMPT = Array.from({ length: 20 }, (_, index) => index % 50)
const NEVER = new AbortController().signal
const TURN = { generation: { ...GREEDY, maxTokens: 4 } }
const WAIT = { timeout: 80_000, interval: 20 }

let world: MiningWorld
afterEach(async () => world.close())

async function send<Body>(contract: Contract<Body>, body: Body, spends = 0n): Promise<void> {
  await world.payer.send({ contract, body, spends, lines: [] } as unknown as ChainCall, NEVER)
}

/** Published, proposed, and voted for by all the stake there is. */
async function publishNext(): Promise<void> {
  const { manifest } = NEXT
  const canary = { root: hash('cc'.repeat(32)), bytes: 1_000 }
  const terms = { name: 'next', context: CONFIG.contextLength, price: PRICE, segments: modelWork(manifest) }
  await send(registerModel, { model: NEXT.hash, ...terms, predecessor: MODEL.hash, canary }, 100n * DLLM)
  await voteFor(NEXT)
}

async function voteFor({ hash: model }: typeof MODEL): Promise<void> {
  await send(proposeModel, { model, activationHeight: 0 }, 100n * DLLM)
  const { proposals } = await world.one.chain.parameters()
  await send(voteParameters, { proposal: proposals![0]!.number, yes: true })
}

async function statusOf(model: typeof MODEL): Promise<ModelView['status'] | undefined> {
  return (await world.one.chain.market.models()).find((view) => view.model === model.hash)?.status
}

async function serve(lease: LeaseView): Promise<number[]> {
  const { session, close } = await world.open(lease)
  const { tokens } = await collect(session, PROMPT, TURN)
  await close()
  return tokens
}

function runs({ keeper }: MinerLife): string[] {
  return keeper.posts.map(
    ({ model, firstSegment, lastSegment }) => `${model.manifest.name} ${firstSegment}-${lastSegment}`,
  )
}

test('the network rolls from one version to the next: no lease fails, none is without a miner, and the old one is gone in the end', async () => {
  world = await createMiningWorld(PARAMETERS, PRICE)
  await world.fund(5, '50')
  const life = await world.start({ account: 5, canary: (model) => canaryOf(model) })
  await life.said('state', ({ text }) => text.startsWith('Offers'))
  const leases = [await world.openLease(DLLM / 100n, { blocks: 150 })]
  const tokens = await serve(leases[0]!)
  await publishNext()
  await life.said('state', ({ text }) => text === 'next passed its canary on this machine.')
  await life.said('state', ({ text }) => text.startsWith('Offers segments 1 to 3 of next, '))
  // Until it is active, leases are of the old one; from then on of the new one. Somebody asks all the time.
  await vi.waitFor(async () => {
    const active = (await statusOf(NEXT)) === 'active' ? NEXT : MODEL
    const lease = await world.openLease(DLLM / 100n, { model: active.hash, blocks: 150 }).catch((error: unknown) => {
      // The version changed in the block between.
      if (codeOf(error) !== 'MODEL_SUPERSEDED') throw error
      return undefined
    })
    if (lease === undefined) return expect.fail('it has changed')
    expect(await serve(lease)).toEqual(tokens)
    const before = leases.at(-1)!
    leases.push(lease)
    if (lease.model === before.model) {
      await send(closeLease, { lease: before.id })
      expect.fail('it is not active yet')
    }
  }, WAIT)
  expect(await statusOf(MODEL)).toBe('superseded')
  expect(runs(life)).toContain('genesis 0-3')
  const [last, first] = leases.slice(-2)
  expect([last!.model, first!.model]).toEqual([MODEL.hash, NEXT.hash])
  // A lease of the old version goes on to its end, with the same answers.
  expect(await serve(last!)).toEqual(tokens)
  for (const { id } of [last!, first!]) await send(closeLease, { lease: id })
  await life.said('state', ({ text }) => text === 'genesis is not served here any more.')
  expect(runs(life)).toEqual(['next 0-3'])
  expect(life.events.filter(({ type }) => type === 'problem')).toEqual([])
  // Its record goes when nothing holds it, and then its files.
  await vi.waitFor(() => expect(life.removed).toEqual(['genesis']), WAIT)
  expect(await statusOf(MODEL)).toBeUndefined()
})

test('a version whose canary fails here is reported, not served, and does not become active', async () => {
  world = await createMiningWorld({ ...PARAMETERS, activationTries: 2n }, PRICE)
  await world.fund(5, '50')
  const life = await world.start({ account: 5, canary: (model) => canaryOf(model, 4) })
  await life.said('state', ({ text }) => text.startsWith('Offers'))
  await publishNext()
  expect(await life.said('problem')).toMatchObject({ text: expect.stringContaining('(POST_CANARY_FAILED)') })
  expect(await world.one.chain.market.readiness(NEXT.hash)).toMatchObject({ passed: 0, failed: 1, lack: 'canary' })
  expect(runs(life)).toEqual(['genesis 0-3'])
  await vi.waitFor(async () => expect(await statusOf(NEXT)).toBe('published'), WAIT)
  expect(await statusOf(MODEL)).toBe('active')
  expect((await world.openLease(undefined, { blocks: 150 })).lots).toHaveLength(1)
  expect(life.events.filter(({ type }) => type === 'problem')).toHaveLength(1)
})

test('a vote brings the old version back, and the miner serves it again by itself', async () => {
  world = await createMiningWorld(PARAMETERS, PRICE)
  await world.fund(5, '50')
  const life = await world.start({ account: 5, canary: (model) => canaryOf(model) })
  await life.said('state', ({ text }) => text.startsWith('Offers'))
  const lease = await world.openLease(DLLM / 100n, { blocks: 150 })
  const tokens = await serve(lease)
  await send(closeLease, { lease: lease.id })
  await publishNext()
  await vi.waitFor(async () => expect(await statusOf(NEXT)).toBe('active'), WAIT)
  await voteFor(MODEL)
  await vi.waitFor(async () => expect(await statusOf(MODEL)).toBe('active'), WAIT)
  expect(await statusOf(NEXT)).toBe('superseded')
  await expect(world.openLease(undefined, { model: NEXT.hash })).rejects.toMatchObject({ code: 'MODEL_SUPERSEDED' })
  expect(await serve(await world.openLease(DLLM / 100n, { blocks: 150 }))).toEqual(tokens)
  expect(life.events.filter(({ type }) => type === 'problem')).toEqual([])
})
