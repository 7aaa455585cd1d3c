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
const MODELS = [
  model({ model: MODEL.hash, name: 'genesis', status: 'active' }),
  model({ model: NEXT.hash, name: 'next', status: 'approved', predecessor: MODEL.hash, canary: CANARY, dueHeight: 90 }),
]

const hosts: EngineHost[] = []
afterEach(async () => {
  for (const host of hosts.splice(0)) await host.close()
})

interface Given {
  readonly canary: () => Promise<Canary>
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
  const parts = {
    chain: { market: { models: async () => MODELS } },
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
      async end(of: string) {
        done.push(`ends ${of === NEXT.hash ? 'next' : 'another'}`)
        served.delete(hash(of))
      },
    },
    files: { find: async () => NEXT, canary, remove: async () => 0 },
    notes: { say: () => undefined },
    mode: () => 'run',
  } as unknown as ModelLifeParts
  const life = createModelLife(parts, { log })
  const look = async (height: number): Promise<void> => {
    await life.duty.look({ height } as Parameters<typeof life.duty.look>[0], NEVER)
  }
  return { look, done, served, idle: life.idle }
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
