/** What keeps a miner from following a version, and what that keeps it from. */
import { afterEach, expect, test, vi } from 'vitest'
import { createEngineHost, type EngineHost } from '../../../../src/app/engine-host.ts'
import { createModelLife, type ModelLifeParts } from '../../../../src/app/mining/model-life.ts'
import { createSystem } from '../../../../src/app/system.ts'
import { hash } from '../../../../src/base/brand.ts'
import { HouseError } from '../../../../src/base/error.ts'
import type { Canary } from '../../../../src/ml/canary.ts'
import { canaryOf, MODEL, NEXT, runnerOf, SEGMENTS } from '../../../integration/mining-models.ts'
import { model } from './views.ts'

const { clock, log } = createSystem({ level: 'silent' })
const NEVER = new AbortController().signal
const CANARY = { root: hash('cc'.repeat(32)), bytes: 1_000 }
const GENESIS = model({ model: MODEL.hash, name: 'genesis', status: 'active' })
const MODELS = [
  model({ model: MODEL.hash, name: 'genesis', status: 'active' }),
  model({ model: NEXT.hash, name: 'next', status: 'approved', predecessor: MODEL.hash, canary: CANARY, dueHeight: 90 }),
]

const hosts: EngineHost[] = []
afterEach(async () => {
  for (const host of hosts.splice(0)) await host.close()
})

interface Given {
  readonly canary: (signal: AbortSignal) => Promise<Canary>
  readonly send?: () => Promise<unknown>
  /** Also the version is served from the start. */
  readonly servesNext?: boolean
}

function lifeWith({ canary, send = async () => undefined, servesNext = false }: Given) {
  const host = createEngineHost(runnerOf(0, SEGMENTS), { clock })
  hosts.push(host)
  const served = new Map([[MODEL.hash, MODEL]])
  if (servesNext) served.set(NEXT.hash, NEXT)
  const done: string[] = []
  const said: string[] = []
  const noted: string[] = []
  const successors = new Map<string, string>()
  const chain = { models: MODELS }
  const parts = {
    chain: { market: { models: async () => chain.models } },
    sender: {
      async send() {
        done.push('reports')
        await send()
      },
    },
    markets: { runs: () => [...served.keys()].map((of) => ({ model: of, first: 0, end: SEGMENTS, slots: 1 })) },
    keeper: {
      find: (of: string) => {
        const found = [...served.values()].find((stored) => stored.hash === of)
        return found && { model: found, firstSegment: 0, lastSegment: SEGMENTS, host, device: 'test' }
      },
    },
    moves: {
      async begin(_wish: unknown, check: (post: unknown) => Promise<void>) {
        done.push('begins')
        await check({ model: NEXT, firstSegment: 0, lastSegment: SEGMENTS, host, device: 'test' })
        served.set(NEXT.hash, NEXT)
      },
      breakOff: () => undefined,
      async end(of: string) {
        done.push(`ends ${of === NEXT.hash ? 'next' : 'another'}`)
        served.delete(hash(of))
      },
    },
    files: {
      find: async () => NEXT,
      canary: (_model: unknown, _file: unknown, signal: AbortSignal) => canary(signal),
      remove: async () => 0,
    },
    records: {
      successors,
      async note({ name, model }: { name: string; model: string }, successor: string) {
        noted.push(`${name} ${successor}`)
        successors.set(model, successor)
      },
      forget: async (model: string) => void successors.delete(model),
    },
    notes: { say: ({ text }: { text: string }) => void said.push(text) },
    mode: () => 'run',
  } as unknown as ModelLifeParts
  const life = createModelLife(parts, { log })
  const look = async (height: number): Promise<void> => {
    await life.duty.look({ height } as Parameters<typeof life.duty.look>[0], NEVER)
  }
  return { look, done, said, noted, successors, served, chain, idle: life.idle }
}

test('nothing is moved while a canary is fetched, which nobody may have', async () => {
  const asked = Promise.withResolvers<void>()
  const { look, done } = lifeWith({
    canary: () => {
      asked.resolve()
      return new Promise(() => undefined)
    },
  })
  await look(10)
  await asked.promise
  await look(20)
  expect(done).toEqual([])
})

test('a report that the chain has no place for is said, and the version is served', async () => {
  const send = async () => {
    throw new HouseError('REPORTS_FULL', 'Others have larger deposits.')
  }
  const { look, done, said, served, idle } = lifeWith({ canary: () => canaryOf(NEXT), send })
  await look(10)
  await idle()
  expect([served.has(NEXT.hash), done]).toEqual([true, ['begins', 'reports']])
  expect(said).toContain('Others have larger deposits.')
})

test('a report that could not be sent is sent later', async () => {
  const send = vi.fn(async () => undefined)
  send.mockRejectedValueOnce(new HouseError('CHAIN_STILL_WAITING', 'It waits.'))
  const { look, done, served, idle } = lifeWith({ canary: () => canaryOf(NEXT), send })
  await look(10)
  await idle()
  expect(served.has(NEXT.hash)).toBe(false)
  await look(20)
  await idle()
  expect(done).toEqual(['begins', 'reports'])
  await look(110)
  await idle()
  expect(done).toEqual(['begins', 'reports', 'begins', 'reports'])
  expect(served.has(NEXT.hash)).toBe(true)
})

test('a version that is served already and fails its canary is reported, and served no more', async () => {
  const { look, done, served, idle } = lifeWith({ canary: () => canaryOf(NEXT, 4), servesNext: true })
  await look(10)
  await idle()
  expect(done).toEqual(['reports', 'ends next'])
  expect(served.has(NEXT.hash)).toBe(false)
  await look(200)
  await idle()
  expect(done).toEqual(['reports', 'ends next'])
})

test.each<[string, typeof MODELS]>([
  ['was given up', [GENESIS, { ...MODELS[1]!, status: 'published' }]],
  ['is gone', [GENESIS]],
])(
  'a version that %s while it is fetched is fetched no further, and is begun with again when it is approved again',
  async (_how, models) => {
    const asked: AbortSignal[] = []
    const { look, done, said, chain, idle } = lifeWith({
      canary: (signal) => {
        asked.push(signal)
        return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
      },
    })
    await look(10)
    await vi.waitFor(() => expect(asked).toHaveLength(1))
    chain.models = models
    await look(20)
    await idle()
    expect(asked[0]!.aborted).toBe(true)
    expect(said.at(-1)).toMatch(/^next is not to be served any more: it is fetched no further\./)
    chain.models = MODELS
    await look(30)
    await vi.waitFor(() => expect(asked).toHaveLength(2))
    expect(done).toEqual([])
  },
)

test('an active version whose canary fails here is loaded ever less often, and why is said', async () => {
  const { look, done, said, chain, idle } = lifeWith({ canary: () => canaryOf(NEXT, 4) })
  chain.models = [
    { ...GENESIS, status: 'superseded', successor: NEXT.hash },
    { ...MODELS[1]!, status: 'active' },
  ]
  const attempts: number[] = []
  for (let height = 10; height < 1_000; height += 10) {
    const before = done.filter((what) => what === 'begins').length
    await look(height)
    await idle()
    if (done.filter((what) => what === 'begins').length > before) attempts.push(height)
  }
  expect(attempts).toEqual([10, 110, 310, 710])
  expect(said.filter((text) => text.startsWith('next failed its canary'))).toEqual([
    expect.stringMatching(
      /`dllm shard verify next`.* It is tried again at block 110, and later each time\. \(POST_CANARY_FAILED\)$/,
    ),
  ])
})

test('what took the place of what is kept; what the chain has never heard of is said once', async () => {
  const { look, noted, successors, said, chain, idle } = lifeWith({ canary: () => canaryOf(NEXT) })
  chain.models = []
  await look(10)
  await look(20)
  expect(said).toEqual([expect.stringMatching(/^genesis is not on the chain, so that nobody leases it here\./)])
  chain.models = [
    { ...GENESIS, status: 'superseded', successor: NEXT.hash },
    { ...MODELS[1]!, status: 'active' },
  ]
  await look(30)
  await idle()
  expect(noted).toEqual([`genesis ${NEXT.hash}`])
  chain.models = [
    { ...GENESIS, status: 'active' },
    { ...MODELS[1]!, status: 'superseded', successor: MODEL.hash },
  ]
  await look(40)
  await idle()
  expect([...successors]).toEqual([[NEXT.hash, MODEL.hash]])
})

test('a model that the chain has forgotten is ended, where the chain names it as what a version took the place of', async () => {
  const { look, done, served, chain, idle } = lifeWith({ canary: () => canaryOf(NEXT) })
  chain.models = [{ ...MODELS[1]!, status: 'active' }]
  await look(10)
  await idle()
  expect(done).toEqual(['ends another', 'begins'].sort((one) => (done[0] === one ? -1 : 1)))
  expect([...served.keys()]).toEqual([NEXT.hash])
})
