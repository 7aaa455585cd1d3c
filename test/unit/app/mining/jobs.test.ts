/** The leases that blocks open, as a miner sees them: each once, a bounded number of them one by one. */
import { expect, test } from 'vitest'
import type { BlockView, ChainAccess, TransactionView } from '../../../../src/app/chain/chain-access.ts'
import type { ChainSender } from '../../../../src/app/market/chain-sender.ts'
import type { MiningEvent } from '../../../../src/app/mining/duty.ts'
import { createJobs } from '../../../../src/app/mining/jobs.ts'
import type { Survey } from '../../../../src/app/mining/survey.ts'
import { MINING_LIMITS } from '../../../../src/base/chain-limits.ts'
import { addressOfAccount } from '../../../../src/core/fields.ts'
import { TransactionError } from '../../../../src/core/transaction/contract.ts'
import { person } from '../../../chain-accounts.ts'
import { head, lease, lot, MODEL, miner, model, placement, sight } from './views.ts'

const own = person(1).id
const address = addressOfAccount(own, 'local')
const other = addressOfAccount(person(2).id, 'local')
const payer = addressOfAccount(person(3).id, 'local')
const NEVER = new AbortController().signal

/** Numbers of the openings of each block; those of even numbers are ours. */
function world(blocks: Readonly<Record<number, readonly number[]>>) {
  const events: MiningEvent[] = []
  const read: number[] = []
  let asked: number[] = []
  const openings = (height: number): TransactionView[] =>
    (blocks[height] ?? []).map((nonce) => ({
      ...{ id: head(height).hash, type: 'open-lease', sender: payer, nonce: String(nonce), maxFee: '1', tip: '1' },
      body: { model: nonce === 99 ? 'cd'.repeat(32) : MODEL },
    }))
  const chain: Partial<ChainAccess> = {
    network: head(0),
    async block(height) {
      read.push(Number(height))
      asked = [...(blocks[Number(height)] ?? [])].filter((nonce) => nonce !== 99)
      const transfer = { ...openings(0)[0], type: 'transfer' }
      return { transactions: [...openings(Number(height)), transfer] } as unknown as BlockView
    },
    market: {
      async lease() {
        const nonce = asked.shift()!
        if (nonce === 98) throw new TransactionError('NO_SUCH_LEASE', 'It is gone.')
        return lease({ lots: [lot({ operator: nonce % 2 === 0 ? address : other })] })
      },
      miner: async () => miner({ address: other }),
    } as unknown as ChainAccess['market'],
  }
  const survey: Survey = {
    at: async (at) => sight({ head: at, model: model() }),
    latest: undefined,
    placement: async () => placement({ operator: address }),
    forget: () => undefined,
  }
  const jobs = createJobs({
    ...{ chain: chain as ChainAccess, survey, sender: { id: own } as ChainSender, model: MODEL },
    notes: { say: (event) => void events.push(event) },
  })
  return { jobs, events, read, look: (height: number) => jobs.duty.look(head(height), NEVER) }
}

test('each lease of the model is won or lost once, and what is gone already is passed by', async () => {
  const { events, look, jobs, read } = world({ 5: [2, 1, 99, 98], 6: [3] })
  for (const height of [5, 5, 6]) await look(height)
  expect(read).toEqual([5, 6])
  expect(events.map(({ type }) => type)).toEqual(['job-won', 'job-lost', 'job-lost'])
  expect(events[1]!.details).toMatchObject({ reason: 'drawn', payer: lease().payer })
  expect(jobs.demand(6)).toEqual({ opened: 3, won: 1 })
})

test('of a block with more leases than are explained the rest is counted', async () => {
  const many = Array.from({ length: MINING_LIMITS.jobsPerBlock + 3 }, () => 1)
  const { events, look, jobs } = world({ 5: many })
  await look(5)
  expect(events.filter(({ type }) => type === 'job-lost')).toHaveLength(MINING_LIMITS.jobsPerBlock)
  expect(events.at(-1)).toMatchObject({ type: 'state', text: '3 further leases were opened in block 5.' })
  expect(jobs.demand(5).opened).toBe(many.length)
})

test('after a pause the newest blocks are read, and no more than that', async () => {
  const { look, read } = world({})
  await look(10)
  await look(500)
  const first = 500 - MINING_LIMITS.jobBlocksBehind + 1
  expect(read).toEqual([10, ...Array.from({ length: MINING_LIMITS.jobBlocksBehind }, (_, index) => first + index)])
})

test('demand is of the last blocks', async () => {
  const { look, jobs } = world({ 5: [1] })
  await look(5)
  expect(jobs.demand(5 + MINING_LIMITS.demandBlocks - 1)).toEqual({ opened: 1, won: 0 })
  expect(jobs.demand(5 + MINING_LIMITS.demandBlocks)).toEqual({ opened: 0, won: 0 })
})
