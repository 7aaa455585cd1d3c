/** From the draw to the tally: miners and auditors as they act by themselves, over the contracts of the chain. */
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type AuditDuties, createAuditDuties } from '../../src/app/audit/audit-duties.ts'
import type { TransactionView } from '../../src/app/chain/chain-access.ts'
import type { BatchRunner } from '../../src/app/engine-host.ts'
import type { ChainSender } from '../../src/app/market/chain-sender.ts'
import { openLotFolder } from '../../src/app/market/lot-folder.ts'
import type { MiningEvent } from '../../src/app/mining/duty.ts'
import { createSystem } from '../../src/app/system.ts'
import { UNAVAILABLE } from '../../src/core/market/receipt.ts'
import { type AuditRecord, audits } from '../../src/core/state/audits.ts'
import { getMiner } from '../../src/core/state/miners.ts'
import type { StepOutput } from '../../src/ml/engine/engine.ts'
import { until } from '../fake-clock.ts'
import { call, endBlocks } from '../lease-world.ts'
import { type AuditLab, CONFIG, createAuditLab, type LabMiner, type LabOptions } from './audit-lab.ts'
import { collect, GREEDY, silent } from './ring-world.ts'

const { clock, random } = createSystem()
const PROMPT = Array.from({ length: 20 }, (_, index) => (index * 7) % CONFIG.vocabularySize)
const GENERATION = { ...GREEDY, temperature: 0.8, topK: 20, seed: 9n, maxTokens: 6 }

interface Life {
  readonly who: LabMiner
  readonly duties: AuditDuties
  /** Ends what it has begun. */
  readonly stopping: AbortController
}

let lab: AuditLab
let lives: Life[]
let events: MiningEvent[]

beforeEach(() => {
  lives = []
  events = []
})
afterEach(async () => {
  await endAll()
  await lab.close()
})

/** A lease of two receipts for each lot, drawn for audits. */
async function start(options: LabOptions = {}): Promise<void> {
  lab = await createAuditLab({ ...options, parameters: { auditCommitBlocks: 30n, ...options.parameters } })
  const session = await lab.session()
  await collect(session, PROMPT, { generation: GENERATION })
  await session.close()
  await lab.claim()
  lab.draw()
}

function senderOf({ who }: LabMiner): ChainSender {
  return {
    id: who.id,
    nextNonce: async () => 0n,
    async send(wish, signal) {
      signal.throwIfAborted()
      const { contract, body } = typeof wish === 'function' ? await wish(0n) : wish
      call(lab.core, who, { type: contract.type, body })
      return {} as TransactionView
    },
  }
}

/** `lot`: of a miner; who has none is an auditor. */
async function live(who: LabMiner, lot?: number, isAuditing = lot === undefined): Promise<void> {
  const name = who.who.id.slice(0, 12)
  const lots =
    lot === undefined ? await openLotFolder(join(lab.market.root, `lots-${name}`), 1e6) : lab.market.lots[lot]!
  const options = {
    ...{ chain: lab.chain, sender: senderOf(who), peerKey: who.peerKey, lots, locate: lab.addressesOf },
    ...{ served: isAuditing ? [lab.served] : [], folder: join(lab.market.root, `verdicts-${name}`) },
    ...{ audits: isAuditing, isBusy: () => false },
  }
  const notes = { say: (event: MiningEvent) => void events.push(event) }
  const duties = await createAuditDuties(options, { wire: who.wire, clock, log: silent, random, notes })
  lives.push({ who, duties, stopping: new AbortController() })
}

async function endAll(): Promise<void> {
  for (const { duties, stopping } of lives) {
    stopping.abort()
    await duties.close()
  }
  lives = []
}

const records = (): AuditRecord[] => [...audits(lab.core.state)].map(([, record]) => record)
const words = (): number =>
  records().reduce((sum, { opening, auditors }) => {
    const said = auditors.flatMap(({ commitment, finding }) => [commitment, finding])
    return sum + said.filter((word) => word !== undefined).length + (opening === undefined ? 0 : 1)
  }, 0)

/** A block, a look of every duty at it, and what comes of it: at least one word more, if one is `due`. */
async function block(due: () => boolean): Promise<void> {
  endBlocks(lab.core)
  const before = words()
  const head = lab.head()
  for (const { duties, stopping } of lives) {
    for (const duty of duties.duties) await duty.look(head, stopping.signal)
  }
  await until(() => words() > before || !due(), `a word at block ${head.height}`)
}

/** Somebody may commit to something in one of these lots. */
const uncommitted = (lots: readonly number[] = [0, 1, 2]): boolean =>
  [...audits(lab.core.state)].some(([{ lot }, { auditors, commitHeight }]) => {
    const isOpen = lots.includes(lot) && lab.head().height < commitHeight
    return isOpen && auditors.some(({ commitment }) => commitment === undefined)
  })
const unrevealed = (): boolean =>
  records().some(({ auditors, commitHeight, dueHeight }) => {
    const { height } = lab.head()
    if (height < commitHeight || height >= dueHeight) return false
    return auditors.some(({ commitment, finding }) => commitment !== undefined && finding === undefined)
  })

/** Blocks until no audit is left. */
async function holdAll(): Promise<void> {
  while (records().length > 0) await block(() => uncommitted() || unrevealed())
}

const results = (): [string, string][] =>
  lab.core.events.flatMap((event) => (event.type === 'audited' ? [[event.operator, event.result.type]] : []))
const operators = (): string[] => lab.miners.map(({ who }) => who.id)

test('honest miners pass, honest auditors lose nothing, and the lease is settled', async () => {
  await start()
  const count = records().length
  expect(count).toBeGreaterThanOrEqual(3)
  for (const [lot, miner] of lab.miners.entries()) await live(miner, lot)
  for (const auditor of lab.auditors) await live(auditor)
  await holdAll()
  expect(results()).toHaveLength(count)
  expect(results().every(([, result]) => result === 'pass')).toBe(true)
  for (const { who } of [...lab.miners, ...lab.auditors]) {
    const { deposit, locked } = getMiner(lab.core.state, who.id)!
    expect([deposit, locked]).toEqual([1_000_000_000n, 0n])
  }
  expect(lab.core.events.some(({ type }) => type === 'settled')).toBe(true)
  expect(events.filter(({ type }) => type === 'audited').length).toBe(2 * count)
})

/** The last bit of what comes out is not what it should be. */
function lying(runner: BatchRunner): BatchRunner {
  const lie = (output: StepOutput): StepOutput => {
    if (output.type !== 'hidden') return output
    return { ...output, values: output.values.map((value, at) => (at === 0 ? value * (1 + 2 ** -20) : value)) }
  }
  return {
    ...runner,
    async run(batch) {
      const { outputs, computeMs } = await runner.run(batch)
      return { outputs: outputs.map(lie), computeMs }
    },
  }
}

test('a miner that lies in its lot is found by the votes of all, slashed and named; its neighbours pass', async () => {
  await start({ around: (runner, index) => (index === 1 ? lying(runner) : runner) })
  for (const [lot, miner] of lab.miners.entries()) await live(miner, lot)
  for (const auditor of lab.auditors) await live(auditor)
  await holdAll()
  const [first, liar, last] = operators()
  for (const [operator, result] of results())
    expect([operator, result]).toEqual([operator, operator === liar ? 'fault' : 'pass'])
  expect(new Set(results().map(([operator]) => operator))).toEqual(new Set([first, liar, last]))
  const settled = lab.core.events.find((event) => event.type === 'settled')!
  expect(settled.type === 'settled' && settled.lots.map(({ pay }) => pay > 0n)).toEqual([true, false, true])
  expect(getMiner(lab.core.state, lab.miners[1]!.who.id)!.deposit).toBeLessThan(1_000_000_000n)
  for (const { who } of lab.auditors) expect(getMiner(lab.core.state, who.id)!.deposit).toBe(1_000_000_000n)
})

test('who was restarted between commitment and reveal reveals what it committed to', async () => {
  await start()
  for (const [lot, miner] of lab.miners.entries()) await live(miner, lot)
  for (const auditor of lab.auditors) await live(auditor)
  while (uncommitted()) await block(() => uncommitted())
  await endAll()
  for (const auditor of lab.auditors) await live(again(auditor), undefined, false)
  for (const [lot, miner] of lab.miners.entries()) await live(again(miner), lot)
  await holdAll()
  expect(results().every(([, result]) => result === 'pass')).toBe(true)
})

/** The same miner on a wire that serves nothing: what it serves it served in its first life. */
function again(miner: LabMiner): LabMiner {
  return { ...miner, wire: { ...miner.wire, handle: async () => undefined } }
}

test('a miner that sends nothing and opens nothing is found at fault: its data was not to be had', async () => {
  await start()
  for (const lot of [0, 2]) await live(lab.miners[lot]!, lot)
  for (const auditor of lab.auditors) await live(auditor)
  let found = new Set<string | undefined>()
  while (records().length > 0) {
    const isLast = records().some(({ commitHeight }) => lab.head().height >= commitHeight - 6)
    await block(() => uncommitted(isLast ? [0, 1, 2] : [0, 2]) || unrevealed())
    await until(() => !isLast || !uncommitted(), 'what is not to be had is committed to')
    const said = [...audits(lab.core.state)].flatMap(([{ lot }, { auditors }]) => (lot === 1 ? auditors : []))
    found = new Set([...found, ...said.map(({ finding }) => finding)])
  }
  expect(found).toEqual(new Set([undefined, UNAVAILABLE]))
  for (const [operator, result] of results()) {
    expect([operator, result]).toEqual([operator, operator === operators()[1] ? 'fault' : 'pass'])
  }
  expect(events.some(({ text }) => text.startsWith('Cannot audit lot 2 of lease'))).toBe(true)
})

test('who does not audit says nothing of others, and still serves and opens', async () => {
  await start()
  for (const [lot, miner] of lab.miners.entries()) await live(miner, lot)
  for (const auditor of lab.auditors) await live(auditor, undefined, false)
  for (let count = 0; count < 40; count++) await block(() => false)
  expect(words()).toBe(0)
  expect(events.filter(({ type }) => type === 'audit-duty')).toEqual([])
})
