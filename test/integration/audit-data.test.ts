/** Auditors and miners of audited lots on real wires: who gets what went into a lot, and what it shows. */
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { attemptAudit, outOfTime } from '../../src/app/audit/attempt.ts'
import { fetchInputs } from '../../src/app/audit/audit-client.ts'
import { auditsOf } from '../../src/app/audit/audit-pages.ts'
import { serveAudits } from '../../src/app/audit/audit-server.ts'
import { type AuditShelf, openAuditShelf } from '../../src/app/audit/audit-shelf.ts'
import { createClaimedReceipts } from '../../src/app/audit/claimed-receipts.ts'
import type { AuditView } from '../../src/app/chain/market-access.ts'
import type { BatchRunner } from '../../src/app/engine-host.ts'
import { createInlineRunner } from '../../src/app/inline-runner.ts'
import type { KeptReceipt } from '../../src/app/market/lot-entry.ts'
import { openLotFolder } from '../../src/app/market/lot-folder.ts'
import { createSystem } from '../../src/app/system.ts'
import { AUDIT_LIMITS, DEADLINES } from '../../src/base/limits.ts'
import { accountOfAddress } from '../../src/core/fields.ts'
import { weightedRows } from '../../src/core/market/charge.ts'
import { findingOf } from '../../src/core/market/receipt.ts'
import type { StepOutput } from '../../src/ml/engine/engine.ts'
import { createReferenceEngine } from '../../src/ml/engine/reference.ts'
import { createLibp2pWire } from '../../src/net/libp2p-wire.ts'
import {
  AUDIT_PROTOCOL,
  AUDIT_PROTOCOL_OPTIONS,
  decodeAuditAnswer,
  encodeAuditAnswer,
  encodeAuditQuestion,
} from '../../src/net/protocols/audit.ts'
import type { Channel, PeerAddress, Wire } from '../../src/net/wire.ts'
import { randomWeights } from '../contract/random-model.ts'
import { createFakeClock, until } from '../fake-clock.ts'
import {
  type AuditLab,
  CONFIG,
  createAuditLab,
  type LabMiner,
  type LabOptions,
  memoryWiring,
  type Wiring,
} from './audit-lab.ts'
import { minerKeys } from './lease-world.ts'
import { collect, GREEDY, silent } from './ring-world.ts'

const { clock, random } = createSystem()
const NEVER = new AbortController().signal
const PROMPT = Array.from({ length: 40 }, (_, index) => (index * 7) % CONFIG.vocabularySize)
const GENERATION = { ...GREEDY, temperature: 0.8, topK: 20, seed: 9n, maxTokens: 12 }

/** Of who has fetched nothing. */
const NOTHING: Pick<AuditShelf, 'has' | 'messages'> = {
  has: () => false,
  async *messages() {
    // Nothing is there.
  },
}

let lab: AuditLab
let receipts: KeptReceipt[][]
afterEach(() => lab.close())

/** A lease that was served and drawn for audits. */
async function start(options: LabOptions = {}): Promise<void> {
  lab = await createAuditLab(options)
  const session = await lab.session()
  await collect(session, PROMPT, { generation: GENERATION })
  await session.close()
  receipts = await lab.claim()
  lab.draw()
}

async function serve(lots: readonly number[] = [0, 1, 2]): Promise<void> {
  for (const lot of lots) {
    const { wire, peerKey } = lab.miners[lot]!
    const folder = lab.market.lots[lot]!
    const shelf = await shelfOf(lab.miners[lot]!)
    const options = { chain: lab.chain, lots: folder, receipts: createClaimedReceipts(folder), shelf, peerKey }
    await serveAudits(wire, options, { clock, log: silent })
  }
}

const shelfOf = ({ who }: LabMiner): Promise<AuditShelf> => openAuditShelf(join(lab.market.root, `shelf-${who.id}`))

async function auditsIn(lot: number): Promise<AuditView[]> {
  const found: AuditView[] = []
  for await (const audit of auditsOf(lab.chain.market, lab.lease.id)) if (audit.lot === lot) found.push(audit)
  return found
}

const isAsked = (audit: AuditView, { who }: LabMiner): boolean =>
  audit.auditors.some(({ operator }) => accountOfAddress(operator, 'local') === who.id)

type Attempted = Parameters<typeof attemptAudit>

async function attempt(audit: AuditView, by: LabMiner, more: Partial<Attempted[1] & Attempted[2]> = {}) {
  const { chain, served, addressesOf } = lab
  const shelf = await shelfOf(by)
  const all = { chain, served: [served], shelf, locate: addressesOf, isBusy: () => false, wire: by.wire, clock, random }
  return attemptAudit(audit, { ...all, ...more }, { ...all, signal: NEVER, ...more })
}

const addressOf = (wire: Wire): PeerAddress => ({ peer: wire.peer, addresses: wire.addresses() })

function coverOf({ lot, row }: AuditView): KeptReceipt {
  return receipts[lot]!.find(({ receipt }) => weightedRows(receipt.after, 4n) > BigInt(row))!
}

function tcpWiring(): Wiring {
  return (listen, index) => {
    const options = { networkId: 'audits', listen: listen ? ['/ip4/127.0.0.1/tcp/0'] : [], mdns: false, dht: false }
    const key = index === undefined ? {} : { privateKey: minerKeys(index).privateKey }
    return createLibp2pWire({ ...options, ...key }, { clock, log: silent })
  }
}

describe.each<[string, () => Wiring]>([
  ['memory', memoryWiring],
  ['TCP', tcpWiring],
])('over %s', (_name, wiring) => {
  test('each auditor finds in each lot of honest miners what its receipt says', async () => {
    await start({ wiring: wiring() })
    await serve()
    for (const lot of [0, 1, 2]) {
      const audits = await auditsIn(lot)
      expect(audits).toHaveLength(3)
      for (const audit of audits) {
        const { receipt, outDigest } = coverOf(audit)
        const finding = findingOf(receipt, outDigest)
        const by = lab.auditors.filter((auditor) => isAsked(audit, auditor))
        expect(by).toHaveLength(3)
        expect(await Promise.all(by.map((one) => attempt(audit, one)))).toEqual(
          by.map(() => ({ type: 'found', finding })),
        )
      }
    }
  })
})

/** Changes what comes out of a miner's engine; the logits of warm-ups and the like are left alone. */
function lying(change: (output: Float32Array<ArrayBuffer>, before: Float32Array | undefined) => Float32Array) {
  return (runner: BatchRunner): BatchRunner => {
    let before: Float32Array | undefined
    return {
      ...runner,
      async run(batch) {
        const { outputs, computeMs } = await runner.run(batch)
        const changed = outputs.map((output): StepOutput => {
          if (output.type !== 'hidden') return output
          const values = change(output.values.slice(), before)
          before = output.values
          return { ...output, values }
        })
        return { outputs: changed, computeMs }
      },
    }
  }
}

/** What came in goes out, as if the layer were not there. */
function skipping(runner: BatchRunner): BatchRunner {
  return {
    ...runner,
    async run(batch) {
      const { outputs, computeMs } = await runner.run(batch)
      const skipped = outputs.map((output, index): StepOutput => {
        const { input } = batch[index]!
        return output.type === 'hidden' && input.type === 'hidden'
          ? { ...output, values: input.values.slice() }
          : output
      })
      return { outputs: skipped, computeMs }
    },
  }
}

function otherFormat(_runner: BatchRunner): BatchRunner {
  const engine = createReferenceEngine()
  const range = { firstLayer: 1, lastLayer: 2, hasEmbedding: false, hasHead: false }
  const weights = randomWeights({ config: CONFIG, format: 'q4', seed: 3 })
  return createInlineRunner(
    engine.name,
    engine.createStage({ config: CONFIG, range, weights, cacheBytesMax: 1 << 26 }),
    {
      clock,
    },
  )
}

describe('a miner that lies in its lot is found, and only there:', () => {
  test.each<[string, (runner: BatchRunner) => BatchRunner]>([
    [
      'noise in the last bit',
      lying((values) => values.map((value, at) => (at === 3 ? value * (1 + 2 ** -20) : value))),
    ],
    ['a layer that is skipped', skipping],
    ['old activations', lying((values, before) => (before?.length === values.length ? before : values))],
    ['weights in another format', otherFormat],
  ])('%s', async (_case, around) => {
    await start({ around: (runner, index) => (index === 1 ? around(runner) : runner) })
    await serve()
    for (const lot of [0, 1, 2]) {
      const [audit] = (await auditsIn(lot)).slice(-1) as [AuditView]
      const { receipt, outDigest } = coverOf(audit)
      const by = lab.auditors.filter((auditor) => isAsked(audit, auditor))
      const found = await Promise.all(by.map((one) => attempt(audit, one)))
      expect(new Set(found.map((one) => one.type === 'found' && one.finding)).size).toBe(1)
      expect(found[0]).toMatchObject({ type: 'found' })
      const isSame = found[0]!.type === 'found' && found[0]!.finding === findingOf(receipt, outDigest)
      expect(isSame, `lot ${lot}`).toBe(lot !== 1)
    }
  })
})

describe('who gets nothing:', () => {
  let audit: AuditView
  beforeEach(async () => {
    await start()
    await serve()
    audit = (await auditsIn(1))[0]!
  })

  async function refusal(by: LabMiner | undefined, id = audit): Promise<string> {
    const wire = by?.wire ?? (await memoryStranger())
    const to = addressOf(lab.miners[1]!.wire)
    return fetchInputs(to, id, { wire, clock, signal: NEVER }).then(
      () => 'served',
      (error: Error) => error.message,
    )
  }
  const memoryStranger = async () => lab.ring.client

  test('strangers, miners that were not drawn, and auditors of what is not audited', async () => {
    const unknown = expect.stringContaining('(AUDIT_UNKNOWN)')
    expect(await refusal(undefined)).toEqual(unknown)
    const drawn = lab.auditors.filter((one) => isAsked(audit, one))
    const [other] = lab.auditors.filter((one) => !isAsked(audit, one))
    expect(await refusal(other)).toEqual(unknown)
    expect(await refusal(lab.miners[0])).toEqual(unknown)
    expect(await refusal(drawn[0])).toBe('served')
    expect(await refusal(drawn[0], { ...audit, window: 99 })).toEqual(unknown)
    expect(await refusal(drawn[0], { ...audit, lot: 0 })).toEqual(unknown)
    expect(await refusal(drawn[0], { ...audit, lot: 9 })).toEqual(unknown)
    expect(await refusal(drawn[0], { ...audit, lease: audit.lease.replaceAll(/./g, 'f') as never })).toEqual(unknown)
  })

  test('who does not ask as it is asked for', async () => {
    const { wire } = lab.auditors.find((one) => isAsked(audit, one))!
    const to = addressOf(lab.miners[1]!.wire)
    for (const message of [Uint8Array.of(7), new Uint8Array(0), encodeAuditQuestion({ type: 'next' })]) {
      const channel = await wire.open(to, AUDIT_PROTOCOL, AUDIT_PROTOCOL_OPTIONS)
      channel.send(message)
      expect(decodeAuditAnswer((await channel.receive())!)).toMatchObject({ type: 'refused' })
      expect(await channel.receive()).toBeUndefined()
    }
  })

  test('the covering receipt, its proof, inputs and no more: nothing tells what came out', async () => {
    const by = lab.auditors.find((one) => isAsked(audit, one))!
    const to = addressOf(lab.miners[1]!.wire)
    const inputs = await fetchInputs(to, audit, { wire: by.wire, clock, signal: NEVER })
    const bytes: Uint8Array[] = [encodeAuditAnswer(inputs.cover)]
    for await (const item of inputs.items) bytes.push(encodeAuditAnswer({ type: 'part', items: [item] }))
    inputs.close()
    const { outDigest, salt } = coverOf(audit)
    const all = Buffer.concat(bytes).toString('hex')
    expect(all).not.toContain(outDigest)
    expect(all).not.toContain(salt)
  })
})

test('more questions at once than the chain is asked are refused, and asked again they are answered', async () => {
  await start()
  const [audit] = (await auditsIn(1)) as [AuditView]
  const gate = Promise.withResolvers<void>()
  const { wire, peerKey } = lab.miners[1]!
  const lots = lab.market.lots[1]!
  let waiting = 0
  const market = {
    ...lab.chain.market,
    audits: async (...wish: Parameters<typeof lab.chain.market.audits>) => {
      waiting++
      await gate.promise
      return lab.chain.market.audits(...wish)
    },
  }
  const options = {
    chain: { ...lab.chain, market },
    lots,
    receipts: createClaimedReceipts(lots),
    shelf: NOTHING,
    peerKey,
  }
  await serveAudits(wire, options, { clock, log: silent })
  const [one, other] = lab.auditors.filter((auditor) => isAsked(audit, auditor)) as [LabMiner, LabMiner]
  const fetch = ({ wire: by }: LabMiner) => fetchInputs(addressOf(wire), audit, { wire: by, clock, signal: NEVER })
  const first = Array.from({ length: AUDIT_LIMITS.checksMax }, () => fetch(one))
  await until(() => waiting === AUDIT_LIMITS.checksMax, 'as many are checked as may be')
  await expect(fetch(other)).rejects.toThrow('(AUDIT_BUSY)')
  gate.resolve()
  for (const inputs of await Promise.all(first)) inputs.close()
  const again = await fetch(other)
  expect(again.cover.type).toBe('cover')
  again.close()
})

describe('a miner whose data is not to be had:', () => {
  const step = { type: 'step', step: new Uint8Array(40) } as const
  const parts = (channel: Channel, count: number): void => {
    for (let index = 0; index < count; index++) channel.send(encodeAuditAnswer({ type: 'part', items: [step] }))
  }

  test.each<[string, boolean, (channel: Channel) => void | Promise<void>]>([
    ['an answer that is none', true, (channel) => channel.send(Uint8Array.of(9))],
    ['an end at once', true, () => undefined],
    ['parts before a receipt', true, (channel) => parts(channel, 1)],
    ['a refusal', false, (channel) => channel.send(encodeAuditAnswer({ type: 'refused', code: 'NO', message: 'no' }))],
    ['a channel that breaks', false, (channel) => channel.abort('test')],
    [
      'a receipt of somebody else',
      true,
      (channel) => {
        const receipt = new Uint8Array(201)
        channel.send(encodeAuditAnswer({ type: 'cover', receipt, index: 0, count: 1, siblings: [] }))
      },
    ],
  ])('%s', async (_case, isBad, conduct) => {
    await start()
    const [audit] = (await auditsIn(1)) as [AuditView]
    await lab.miners[1]!.wire.handle(AUDIT_PROTOCOL, AUDIT_PROTOCOL_OPTIONS, async (channel) => {
      await channel.receive()
      await conduct(channel)
    })
    const by = lab.auditors.find((one) => isAsked(audit, one))!
    expect(await attempt(audit, by)).toMatchObject({ type: 'missing', isBad })
  })

  /** Takes the real answers of the miner, and gives them on as the conduct says. */
  async function behind(
    conduct: (answer: Uint8Array, index: number) => readonly Uint8Array[] | 'silence',
  ): Promise<AuditView> {
    await start()
    const [audit] = (await auditsIn(1)) as [AuditView]
    const lots = lab.market.lots[1]!
    const { wire, peerKey } = lab.miners[1]!
    const evil = {
      ...wire,
      handle: (...[protocol, options, handler]: Parameters<typeof wire.handle>) =>
        wire.handle(protocol, options, async (channel) => {
          let index = 0
          const held = Promise.withResolvers<void>()
          const changed: Channel = {
            ...wrap(channel),
            send(message) {
              const out = conduct(message, index++)
              if (out !== 'silence') for (const one of out) channel.send(one)
            },
            drained: async () => undefined,
          }
          await handler(changed)
          if (conduct(new Uint8Array(0), -1) === 'silence') await held.promise
        }),
    }
    const options = { chain: lab.chain, lots, receipts: createClaimedReceipts(lots), shelf: NOTHING, peerKey }
    await serveAudits(evil, options, { clock, log: silent })
    return audit
  }
  const wrap = (channel: Channel): Channel => ({
    ...{ peer: channel.peer, protocol: channel.protocol, bytesSent: 0, bytesReceived: 0 },
    ...{ send: (message) => channel.send(message), drained: () => channel.drained() },
    ...{ receive: (signal) => channel.receive(signal), close: () => channel.close() },
    abort: (reason) => channel.abort(reason),
  })

  test.each<[string, (answer: Uint8Array, index: number) => readonly Uint8Array[]]>([
    [
      'parts that are empty',
      (answer, index) => [index === 0 ? answer : encodeAuditAnswer({ type: 'part', items: [] })],
    ],
    ['a part that is missing', (answer, index) => (index < 1 ? [answer] : [])],
    ['a part twice', (answer, index) => (index === 1 ? [answer, answer] : [answer])],
    ['a bit that is turned', (answer, index) => [index === 1 ? answer.with(400, answer[400]! ^ 1) : answer]],
  ])('%s', async (_case, conduct) => {
    const audit = await behind((answer, index) => (index < 0 ? [] : conduct(answer, index)))
    const by = lab.auditors.find((one) => isAsked(audit, one))!
    expect(await attempt(audit, by)).toMatchObject({ type: 'missing', isBad: true })
  })

  test('silence after the first answer ends with the deadline of a part', async () => {
    const audit = await behind((answer, index) => (index === 0 ? [answer] : 'silence'))
    const by = lab.auditors.find((one) => isAsked(audit, one))!
    const still = createFakeClock()
    let scheduled = 0
    const watched = {
      ...still,
      schedule: (...task: Parameters<typeof still.schedule>) => {
        scheduled++
        return still.schedule(...task)
      },
    }
    const outcome = attempt(audit, by, { clock: watched })
    // The opening, the first answer, the part that does not come.
    await until(() => scheduled === 3, 'a part is waited for')
    still.advance(DEADLINES.auditPartMs)
    expect(await outcome).toMatchObject({ type: 'missing', isBad: false })
  })

  test('when the time to commit is up, who was waited for is at fault', async () => {
    const audit = await behind((answer, index) => (index === 0 ? [answer] : 'silence'))
    const by = lab.auditors.find((one) => isAsked(audit, one))!
    const still = createFakeClock()
    let scheduled = 0
    const watched = {
      ...still,
      schedule: (...task: Parameters<typeof still.schedule>) => {
        scheduled++
        return still.schedule(...task)
      },
    }
    const stopping = new AbortController()
    const outcome = attempt(audit, by, { clock: watched, signal: stopping.signal })
    await until(() => scheduled === 3, 'a part is waited for')
    still.advance(1_000)
    stopping.abort(outOfTime())
    expect(await outcome).toMatchObject({ type: 'missing', isBad: false })
  })
})

test('a lot of segments that an auditor does not have is no fault of its miner', async () => {
  await start()
  await serve()
  const [audit] = (await auditsIn(2)) as [AuditView]
  const by = lab.auditors.find((one) => isAsked(audit, one))!
  const outcome = await attempt(audit, by, { served: [{ ...lab.served, lastSegment: 2 }] })
  expect(outcome).toMatchObject({ type: 'unable' })
})

describe('auditors pass on what a miner sends to some of them:', () => {
  let audit: AuditView
  let asked: LabMiner[]
  let refused: Set<string>

  /** The miner of lot 2 sends nothing to some. */
  async function startWith(change: (message: Uint8Array) => Uint8Array = (message) => message): Promise<void> {
    await start()
    ;[audit] = (await auditsIn(1)) as [AuditView]
    asked = lab.auditors.filter((one) => isAsked(audit, one))
    refused = new Set()
    const { wire, peerKey } = lab.miners[1]!
    const lots = lab.market.lots[1]!
    const picky = {
      ...wire,
      handle: (...[protocol, options, handler]: Parameters<typeof wire.handle>) =>
        wire.handle(protocol, options, async (channel) => {
          if (!refused.has(channel.peer)) await handler(channel)
        }),
    }
    const options = { chain: lab.chain, lots, receipts: createClaimedReceipts(lots), shelf: NOTHING, peerKey }
    await serveAudits(picky, options, { clock, log: silent })
    for (const { wire: own, peerKey: key, who } of asked) {
      const empty = await openLotFolder(join(lab.market.root, `lots-${who.id}`), 1e6)
      const shelf = await openAuditShelf(join(lab.market.root, `shelf-${who.id}`))
      const changed = { ...shelf, messages: (id: AuditView) => changing(shelf.messages(id), change) }
      shelves.set(who.id, shelf)
      const parts = {
        chain: lab.chain,
        lots: empty,
        receipts: createClaimedReceipts(empty),
        shelf: changed,
        peerKey: key,
      }
      await serveAudits(own, parts, { clock, log: silent })
    }
  }
  const shelves = new Map<string, AuditShelf>()
  async function* changing(
    messages: AsyncGenerator<Uint8Array, unknown, void>,
    change: (message: Uint8Array) => Uint8Array,
  ) {
    for await (const message of messages) yield change(message)
  }
  const attemptOf = (by: LabMiner) => attempt(audit, by, { shelf: shelves.get(by.who.id)! })

  test('who got nothing from the miner gets it from another auditor, with the same finding', async () => {
    await startWith()
    const [one, other, third] = asked as [LabMiner, LabMiner, LabMiner]
    refused = new Set([other.wire.peer, third.wire.peer])
    expect(await attemptOf(other)).toMatchObject({ type: 'missing' })
    const first = await attemptOf(one)
    expect(first).toMatchObject({ type: 'found' })
    expect(await attemptOf(other)).toEqual(first)
    expect(await attemptOf(third)).toEqual(first)
  })

  test('what another auditor changed is not believed, and not passed on', async () => {
    await startWith((message) => (message.length > 500 ? message.with(400, message[400]! ^ 1) : message))
    const [one, other] = asked as [LabMiner, LabMiner]
    refused = new Set([other.wire.peer])
    expect(await attemptOf(one)).toMatchObject({ type: 'found' })
    expect(await attemptOf(other)).toMatchObject({ type: 'missing' })
    expect(shelves.get(other.who.id)!.has(audit)).toBe(false)
  })

  test('only auditors of the audit get it, and only until it ends', async () => {
    await startWith()
    const [one, other] = asked as [LabMiner, LabMiner]
    await attemptOf(one)
    const [stranger] = lab.auditors.filter((auditor) => !isAsked(audit, auditor)) as [LabMiner]
    const from = (by: LabMiner) => fetchInputs(addressOf(one.wire), audit, { wire: by.wire, clock, signal: NEVER })
    await expect(from(stranger)).rejects.toThrow('(AUDIT_UNKNOWN)')
    const inputs = await from(other)
    inputs.close()
    await shelves.get(one.who.id)!.keepOnly([])
    await expect(from(other)).rejects.toThrow('(AUDIT_UNKNOWN)')
  })
})
