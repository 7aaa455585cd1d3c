/** What an auditor computes is what an honest miner has in its receipts, whatever went through the lease, and nothing else is. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { createClaimedReceipts } from '../../src/app/audit/claimed-receipts.ts'
import { coverAnswer, lotInputs } from '../../src/app/audit/lot-inputs.ts'
import { type LotInputs, recompute } from '../../src/app/audit/recompute.ts'
import type { RingSession } from '../../src/app/ring/ring-session.ts'
import { createSystem } from '../../src/app/system.ts'
import { type Hash, milliseconds } from '../../src/base/brand.ts'
import { AUDIT_LIMITS } from '../../src/base/limits.ts'
import { weightedRows } from '../../src/core/market/charge.ts'
import { findingOf } from '../../src/core/market/receipt.ts'
import type { StepInput } from '../../src/ml/engine/engine.ts'
import { rowsOf } from '../../src/ml/engine/step-check.ts'
import { rangeOf } from '../../src/ml/manifest.ts'
import type { AuditItem } from '../../src/net/protocols/audit.ts'
import { decodeStageMessage, encodeStageMessage, type StageMessageOf } from '../../src/net/protocols/stage.ts'
import { type AuditLab, CONFIG, createAuditLab } from './audit-lab.ts'
import { collect, GREEDY } from './ring-world.ts'

const { clock } = createSystem()
const NEVER = new AbortController().signal
const tokens = (count: number, seed = 7): number[] =>
  Array.from({ length: count }, (_, index) => (index * seed + 3) % CONFIG.vocabularySize)
const SAMPLED = { ...GREEDY, temperature: 0.9, topK: 20, topP: 0.9, seed: 9n, repetitionPenalty: 1.2, maxTokens: 20 }

let lab: AuditLab

/** One session with one turn, claimed. */
async function served(): Promise<void> {
  lab = await createAuditLab()
  const session = await lab.session()
  await collect(session, tokens(70), { generation: SAMPLED, chunkTokens: 16 })
  await session.close()
  await lab.claim()
}

/** What the miner of a lot sends to who audits a row. */
async function inputsFor(lot: number, row: number): Promise<LotInputs> {
  const lots = lab.market.lots[lot]!
  const lease = await lab.chain.market.lease(lab.lease.id)
  const cover = await createClaimedReceipts(lots).covering(lease, { lot, row })
  return { cover: coverAnswer(cover!), items: lotInputs(lots, lease.id, cover!.upTo) }
}

async function findingFor(lot: number, row: number, change: (inputs: LotInputs) => LotInputs = same): Promise<Hash> {
  const { root } = (await lab.chain.market.lease(lab.lease.id)).lots[lot]!
  const { config, host } = lab.served
  const engine = { config, host, part: rangeOf(lab.served, lot, lot + 1) }
  const audited = { lease: lab.lease.id, lot, rows: [row], root, terms: lab.lease.terms }
  const inputs = change(await inputsFor(lot, row))
  const findings = await recompute(inputs, { audited, engine, isBusy: () => false, signal: NEVER }, { clock })
  return findings.get(row)!
}
const same = (inputs: LotInputs): LotInputs => inputs

/** Turns that are broken off, and such that begin in the middle of what is held. */
async function rewinds(session: RingSession): Promise<void> {
  for (let turn = 0; turn < 5; turn++) {
    let left = turn % 2 === 1 ? 6 + turn : 1_000
    for await (const event of session.generate(tokens(20), { generation: { ...SAMPLED, seed: BigInt(turn) } })) {
      if (event.type === 'token' && --left === 0) break
    }
    session.rewind(session.tokens.length - 9)
  }
}

async function cancelled(session: RingSession): Promise<void> {
  for (let turn = 0; turn < 3; turn++) {
    const stopping = new AbortController()
    const turnEnds = collect(session, tokens(120), { generation: SAMPLED, chunkTokens: 16, signal: stopping.signal })
    for (let wait = 0; wait < 4 * turn; wait++) await new Promise((resolve) => setImmediate(resolve))
    stopping.abort(new Error('enough'))
    await turnEnds.catch(() => undefined)
    session.rewind(0)
  }
  await collect(session, tokens(30), { generation: SAMPLED })
}

const turn =
  (count: number, generation = SAMPLED) =>
  async (session: RingSession): Promise<void> =>
    void (await collect(session, tokens(count), { generation }))

describe('an auditor finds what an honest miner has in its receipts', () => {
  afterEach(() => lab.close())

  test.each<[string, ((session: RingSession) => Promise<void>)[]]>([
    ['a prompt and its answer', [turn(45)]],
    ['a prompt of chunks with one row left', [turn(33)]],
    ['one token for one token', [turn(1, { ...SAMPLED, maxTokens: 1 })]],
    ['a greedy answer', [turn(5, { ...GREEDY, maxTokens: 30 })]],
    ['turns that were broken off and rewound', [rewinds]],
    ['prompts that were cancelled', [cancelled]],
    ['several sessions', [turn(10), rewinds, turn(40), turn(3)]],
    ['prompts that the stages had computed before', [turn(40), turn(70), turn(40)]],
  ])('%s', async (_case, sessions) => {
    lab = await createAuditLab()
    for (const talk of sessions) {
      const session = await lab.session()
      await talk(session)
      await session.close()
    }
    const lots = await lab.claim()
    expect(lots[0]!.length).toBeGreaterThan(0)
    for (const [lot, receipts] of lots.entries()) {
      const some = new Set([receipts[0]!, receipts[receipts.length >> 1]!, receipts.at(-1)!])
      for (const { receipt, outDigest } of some) {
        const first = Number(weightedRows(receipt.before, 4n))
        const last = Number(weightedRows(receipt.after, 4n)) - 1
        const row = receipt.window % 2 === 0 ? first : last
        expect(await findingFor(lot, row), `lot ${lot}, row ${row}`).toBe(findingOf(receipt, outDigest))
      }
    }
  })
})

type Change = (items: AsyncIterable<AuditItem>) => AsyncIterable<AuditItem>

const each = (change: (item: AuditItem, index: number) => readonly AuditItem[]): Change =>
  async function* changed(items) {
    let index = 0
    for await (const item of items) yield* change(item, index++)
  }
/** Changes the step that is the third item. */
const step = (change: (step: StageMessageOf<'step'>) => StageMessageOf<'step'>): Change =>
  each((item, index) => {
    if (index !== 2 || item.type !== 'step') return [item]
    const message = decodeStageMessage(item.step) as StageMessageOf<'step'>
    return [{ type: 'step', step: encodeStageMessage(change(message)) }]
  })
/** Changes the second receipt. */
const receipt = (change: (bytes: Uint8Array) => Uint8Array): Change => {
  let count = 0
  return each((item) => {
    if (item.type !== 'receipt') return [item]
    count++
    return count === 2 ? [{ type: 'receipt', receipt: change(item.receipt) }] : [item]
  })
}

describe('what is not what was claimed gives no finding', () => {
  beforeAll(served)
  afterAll(() => lab.close())

  test.each<[string, number, Change]>([
    ['another token', 0, step((one) => ({ ...one, tokens: one.tokens.map((token) => (token + 1) % 50) }))],
    [
      'another activation',
      1,
      step((one) => ({ ...one, rows: one.rows.map((byte, at) => (at === 5 ? byte ^ 1 : byte)) })),
    ],
    ['a row less', 1, step((one) => ({ ...one, tokens: one.tokens.slice(1), rows: one.rows.slice(160) }))],
    ['activations without ids', 1, step((one) => ({ ...one, tokens: new Int32Array(0) }))],
    ['activations for the first lot', 0, step((one) => ({ ...one, rows: new Uint8Array(160) }))],
    ['other positions', 0, step((one) => ({ ...one, position: one.position + 1 }))],
    ['decoding in the place of a prompt', 2, step((one) => ({ ...one, acknowledge: false }))],
    ['a turn', 2, step((one) => ({ ...one, turn: 1 }))],
    ['other settings', 2, step((one) => ({ ...one, generation: { ...SAMPLED, seed: 8n } }))],
    ['a step less', 0, each((item, index) => (index === 2 ? [] : [item]))],
    ['a step twice', 0, each((item, index) => (index === 2 ? [item, item] : [item]))],
    ['no end', 0, each((item, index) => (index < 4 ? [item] : []))],
    ['nothing', 0, each(() => [])],
    ['a receipt less', 0, each((item, index) => (index === 0 ? [] : [item]))],
    ['a receipt twice', 0, each((item, index) => (index === 0 ? [item, item] : [item]))],
    ['another receipt', 0, receipt((bytes) => bytes.map((byte, at) => (at === 150 ? byte ^ 1 : byte)))],
    ['a receipt that is none', 0, receipt((bytes) => bytes.slice(1))],
    [
      'steps behind the end',
      0,
      async function* longer(items) {
        let last: AuditItem | undefined
        for await (const item of items) {
          last = item
          yield item
        }
        if (last !== undefined) yield last
      },
    ],
    ['steps that are none', 0, each((item) => (item.type === 'step' ? [{ ...item, step: Uint8Array.of(1) }] : [item]))],
    [
      'another message',
      0,
      each((item) =>
        item.type === 'step' ? [{ ...item, step: encodeStageMessage({ type: 'cancel', turn: 0 }) }] : [item],
      ),
    ],
  ])('%s', async (_case, lot, change) => {
    await expect(findingFor(lot, 100, (inputs) => ({ ...inputs, items: change(inputs.items) }))).rejects.toMatchObject({
      code: 'AUDIT_BAD_DATA',
    })
  })

  test('a receipt that ends before the row, of another lot, or under another root', async () => {
    const earlier = await inputsFor(0, 1)
    const bad = { code: 'AUDIT_BAD_DATA' }
    await expect(findingFor(0, 100, () => earlier)).rejects.toMatchObject(bad)
    const foreign = await inputsFor(1, 100)
    await expect(findingFor(0, 100, () => foreign)).rejects.toMatchObject(bad)
    const siblings = (inputs: LotInputs): LotInputs => ({ ...inputs, cover: { ...inputs.cover, siblings: [] } })
    await expect(findingFor(0, 100, siblings)).rejects.toMatchObject(bad)
  })
})

test('while others pay the engine is left to them half of the time, and never holds many rows', async () => {
  await served()
  const lot = 0
  const { root } = (await lab.chain.market.lease(lab.lease.id)).lots[lot]!
  const { config, host } = lab.served
  const rows: number[] = []
  let slept = 0
  const watched = {
    ...host,
    run: async (input: StepInput) => {
      rows.push(rowsOf(input, config))
      const run = await host.run(input)
      return { ...run, computeMs: milliseconds(7) }
    },
  }
  const sleep = async (delayMs: number): Promise<void> => {
    slept += delayMs
  }
  const sleeping = { ...clock, sleep }
  const audited = { lease: lab.lease.id, lot, rows: [100], root, terms: lab.lease.terms }
  const engine = { config, host: watched, part: rangeOf(lab.served, lot, lot + 1) }
  const options = { audited, engine, isBusy: () => true, signal: NEVER }
  const findings = await recompute(await inputsFor(lot, 100), options, { clock: sleeping })
  expect(findings.get(100)).toBe(await findingFor(lot, 100))
  expect(slept).toBe(7 * rows.length)
  expect(Math.max(...rows)).toBeLessThanOrEqual(AUDIT_LIMITS.rowsAtOnceMax)
  await lab.close()
})
