/** What an auditor does block by block, where no miner answers or none is asked: order, bounds, restarts and what it tells. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { AuditBook } from '../../../../src/app/audit/audit-book.ts'
import { openAuditShelf } from '../../../../src/app/audit/audit-shelf.ts'
import { createAuditorDuty } from '../../../../src/app/audit/auditor-duty.ts'
import { createTasks, type Tasks } from '../../../../src/app/audit/tasks.ts'
import { openVerdictStore, type VerdictStore } from '../../../../src/app/audit/verdict-store.ts'
import type { ChainCall } from '../../../../src/app/chain/calls.ts'
import type { ChainAccess, HeadView, TransactionView } from '../../../../src/app/chain/chain-access.ts'
import type { AuditView, LeaseView, MinerView } from '../../../../src/app/chain/market-access.ts'
import type { ChainSender } from '../../../../src/app/market/chain-sender.ts'
import type { Duty, MiningEvent } from '../../../../src/app/mining/duty.ts'
import { openDisk } from '../../../../src/app/store/disk.ts'
import { createSystem } from '../../../../src/app/system.ts'
import { accountId, type Hash, hash } from '../../../../src/base/brand.ts'
import { AUDIT_LIMITS } from '../../../../src/base/limits.ts'
import { addressOfAccount } from '../../../../src/core/fields.ts'
import { UNAVAILABLE } from '../../../../src/core/market/receipt.ts'
import { verdictCommitment } from '../../../../src/core/market/verdict.ts'
import { TransactionError } from '../../../../src/core/transaction/contract.ts'
import type { RevealVerdict } from '../../../../src/core/transaction/reveal-verdict.ts'
import { createMemoryNetwork } from '../../../../src/net/memory-network.ts'
import { until } from '../../../fake-clock.ts'

const SYSTEM = createSystem({ level: 'silent' })
const SELF = accountId('11'.repeat(20))
const MODEL = hash('ab'.repeat(32))
const NEVER = new AbortController().signal
const address = addressOfAccount(SELF, 'local')
const hashOf = (number: number): Hash => hash(number.toString(16).padStart(64, '0'))
const headAt = (height: number): HeadView => ({ height, hash: hashOf(height) }) as HeadView

type Part = Partial<AuditView['auditors'][number]>

function audit(number: number, change: Partial<AuditView> = {}, part: Part = {}): AuditView {
  return {
    ...{ lease: hashOf(number), lot: 0, window: 1, round: 'first', commitHeight: 40, dueHeight: 60 },
    ...{
      row: 5,
      standsFor: 256,
      stake: '100',
      auditors: [{ operator: address, votes: '0', committed: false, ...part }],
    },
    ...change,
  }
}

let folder: string
let asked: AuditView[]
let sent: ChainCall[]
let refusal: TransactionError | undefined
let events: MiningEvent[]
let miner: Pick<MinerView, 'deposit' | 'locked' | 'peerKey'>
/** Leases whose miners were looked for. */
let located: number
let hangs: boolean
let tasks: Tasks
let verdicts: VerdictStore

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dllm-auditor-'))
  ;[asked, sent, events, refusal, located, hangs] = [[], [], [], undefined, 0, false]
  miner = { deposit: '1000', locked: '0', peerKey: '33'.repeat(32) }
})
afterEach(async () => {
  await verdicts.close()
  await rm(folder, { recursive: true, force: true })
})

async function start({ audits = true } = {}): Promise<Duty> {
  tasks = createTasks(SYSTEM.log)
  verdicts = await openVerdictStore(await openDisk(folder))
  const lease = (id: Hash) =>
    ({
      ...{ id, model: MODEL, terms: { decodeWeight: '4', receiptRows: '256' } },
      lots: [{ first: 0, end: 1, peerKey: '22'.repeat(32), root: hashOf(1) }],
    }) as unknown as LeaseView
  const market = { lease: async (id: Hash) => lease(id), miner: async () => miner }
  const chain = { network: { kind: 'local' }, market } as unknown as ChainAccess
  const sender = {
    id: SELF,
    async send(call: ChainCall) {
      if (refusal !== undefined) throw refusal
      sent.push(call)
      return {} as TransactionView
    },
  } as unknown as ChainSender
  const book: AuditBook = { at: async () => ({ asked, ofOurs: [] }) }
  const segments = [{ firstLayer: 0, lastLayer: 1, hasEmbedding: true, hasHead: true }]
  const served = [{ model: MODEL, config: {}, segments, firstSegment: 0, lastSegment: 1, host: {} }] as never
  const locate = (_peer: unknown, signal: AbortSignal): Promise<readonly string[]> => {
    located++
    if (!hangs) return Promise.resolve([])
    return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
  }
  const shelf = await openAuditShelf(join(folder, 'inputs'))
  const wire = createMemoryNetwork().createMemoryWire({ listen: false })
  return createAuditorDuty(
    { chain, sender, book, verdicts, shelf, tasks, audits, served, locate, isBusy: () => false },
    { ...SYSTEM, wire, notes: { say: (event) => void events.push(event) } },
  )
}

const names = (): string[] => sent.map(({ contract }) => contract.name)
const texts = (): string[] => events.map(({ text }) => text)

test('what is not to be had is asked for again, and committed to in the last blocks alone', async () => {
  const duty = await start()
  asked = [audit(1)]
  for (let height = 20; height < 35; height++) {
    await duty.look(headAt(height), NEVER)
    await tasks.idle()
  }
  // The miner and an auditor, at 20, 22, 26 and 34.
  expect(located).toBe(8)
  expect(sent).toEqual([])
  expect(texts()).toEqual([
    expect.stringContaining('Cannot audit lot 1 of lease 000000000000… yet: The miner cannot be'),
  ])
  await duty.look(headAt(35), NEVER)
  await tasks.idle()
  expect(names()).toEqual(['commit-verdict'])
  const kept = verdicts.find(asked[0]!)!
  expect(kept.finding).toBe(UNAVAILABLE)
  expect(sent[0]!.body).toMatchObject({ commitment: verdictCommitment(kept.audit, SELF, kept) })
})

test('a few at once, and those that end first', async () => {
  const duty = await start()
  hangs = true
  asked = [audit(1), audit(2), audit(3)]
  for (const height of [20, 21, 22]) await duty.look(headAt(height), NEVER)
  await until(() => located === AUDIT_LIMITS.recomputedMax, 'as many are tried as may be')
  expect([1, 2, 3].map((number) => tasks.isRunning(`${hashOf(number)} 0 1`))).toEqual([true, true, false])
  // The last call ends them: their miners were not there. The third one had no turn.
  await duty.look(headAt(35), NEVER)
  await until(() => names().length === 2, 'those who were waited for are named')
  expect(texts().filter((text) => text.startsWith('Passed by'))).toHaveLength(1)
  await tasks.idle()
})

test('with too little of the deposit free it passes by, and says so once', async () => {
  const duty = await start()
  miner = { ...miner, deposit: '1000', locked: '850' }
  asked = [audit(1), audit(2)]
  for (const height of [20, 21]) {
    await duty.look(headAt(height), NEVER)
    await tasks.idle()
  }
  expect(texts().filter((text) => text.startsWith('Passes by an audit of lot 1'))).toHaveLength(1)
  // The second one has its turn while the first one waits.
  expect(located).toBe(4)
})

test('what was kept before a restart is committed to with the same salt, and revealed', async () => {
  const kept = { audit: { lease: hashOf(1), lot: 0, window: 1 }, finding: hashOf(8), salt: hashOf(9), dueHeight: 60 }
  const first = await start()
  await verdicts.keep(kept)
  asked = [audit(1)]
  refusal = new TransactionError('INSUFFICIENT_FUNDS', 'The balance is too small.')
  await first.look(headAt(21), NEVER)
  await tasks.idle()
  expect(texts()).toEqual([expect.stringContaining('has to wait: The balance is too small.')])
  await verdicts.close()
  refusal = undefined
  const second = await start({ audits: false })
  await second.look(headAt(22), NEVER)
  await tasks.idle()
  expect(sent[0]!.body).toMatchObject({ commitment: verdictCommitment(kept.audit, SELF, kept) })
  asked = [audit(1, {}, { committed: true })]
  await second.look(headAt(39), NEVER)
  await tasks.idle()
  expect(names()).toEqual(['commit-verdict'])
  await second.look(headAt(40), NEVER)
  await tasks.idle()
  expect(names()).toEqual(['commit-verdict', 'reveal-verdict'])
  expect(sent[1]!.body as RevealVerdict).toEqual({ audit: kept.audit, finding: kept.finding, salt: kept.salt })
  asked = [audit(1, {}, { committed: true, finding: kept.finding })]
  await second.look(headAt(41), NEVER)
  expect(verdicts.all()).toEqual([])
})

test('a verdict stays while its audit may still ask for it, wherever the node stands', async () => {
  const duty = await start()
  await verdicts.keep({
    audit: { lease: hashOf(1), lot: 0, window: 1 },
    finding: hashOf(8),
    salt: hashOf(9),
    dueHeight: 60,
  })
  await duty.look(headAt(10), NEVER)
  await duty.look(headAt(60), NEVER)
  expect(verdicts.all()).toHaveLength(1)
  await duty.look(headAt(61), NEVER)
  expect(verdicts.all()).toEqual([])
})

test('data that was not to be had in one round is asked for again in the next', async () => {
  const duty = await start()
  const id = { lease: hashOf(1), lot: 0, window: 1 }
  await verdicts.keep({ audit: id, finding: UNAVAILABLE, salt: hashOf(9), dueHeight: 60 })
  asked = [audit(1, { round: 'redrawn', commitHeight: 100, dueHeight: 120 })]
  await duty.look(headAt(61), NEVER)
  await tasks.idle()
  expect([sent, located]).toEqual([[], 2])
})

test('a commitment whose verdict is lost is told once', async () => {
  const duty = await start()
  asked = [audit(1, {}, { committed: true })]
  for (const height of [40, 41, 42]) await duty.look(headAt(height), NEVER)
  expect(texts()).toEqual([expect.stringContaining('is not on this disk: its stake is lost.')])
})

test('who audits nobody, and what is over, is left alone', async () => {
  const duty = await start({ audits: false })
  asked = [audit(1), audit(2, { commitHeight: 10 })]
  await duty.look(headAt(20), NEVER)
  await duty.look(headAt(39), NEVER)
  await tasks.idle()
  expect([sent, located, events]).toEqual([[], 0, []])
})
