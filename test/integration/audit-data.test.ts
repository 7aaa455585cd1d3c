/** Auditors and miners of audited lots on real wires: who gets what went into a lot, and what it shows. */

import { bytesToHex } from '@noble/hashes/utils.js'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type FetchedInputs, fetchInputs } from '../../src/app/audit/audit-client.ts'
import type { AuditView } from '../../src/app/chain/market-access.ts'
import type { BatchRunner } from '../../src/app/engine-host.ts'
import { createInlineRunner } from '../../src/app/inline-runner.ts'
import { publicKeyOfPeer } from '../../src/app/node-identity.ts'
import { createSystem } from '../../src/app/system.ts'
import type { AccountId, Hash } from '../../src/base/brand.ts'
import { AUDIT_LIMITS } from '../../src/base/limits.ts'
import { addressOfAccount } from '../../src/core/fields.ts'
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
import type { Wire } from '../../src/net/wire.ts'
import { person } from '../chain-accounts.ts'
import { randomWeights } from '../contract/random-model.ts'
import { until } from '../fake-clock.ts'
import { CONFIG, type LabMiner, memoryWiring, type Wiring } from './audit-lab.ts'
import { type AuditedLease, addressOf, auditedLease } from './audited-lease.ts'
import { minerKeys } from './lease-world.ts'
import { silent } from './ring-world.ts'

const { clock } = createSystem()
const NEVER = new AbortController().signal

let world: AuditedLease
afterEach(() => world.lab.close())

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
  test('each auditor finds in each lot of honest miners what its receipts say, for all of its audits at once', async () => {
    world = await auditedLease({ wiring: wiring() })
    for (const lot of [0, 1, 2]) {
      await world.serve(lot)
      const audits = await world.auditsIn(lot)
      expect(audits).toHaveLength(3)
      for (const auditor of world.lab.auditors) {
        const own = audits.filter((audit) => world.askedFor(audit).includes(auditor))
        if (own.length === 0) continue
        const findings = new Map(own.map((audit) => [audit.row, honest(audit)]))
        expect(await world.attempt(own, auditor)).toEqual({ type: 'found', findings })
      }
    }
  })
})

function honest(audit: AuditView): Hash {
  const { receipt, outDigest } = world.coverOf(audit)
  return findingOf(receipt, outDigest)
}

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
    world = await auditedLease({ around: (runner, index) => (index === 1 ? around(runner) : runner) })
    for (const lot of [0, 1, 2]) await world.serve(lot)
    for (const lot of [0, 1, 2]) {
      const [audit] = (await world.auditsIn(lot)).slice(-1) as [AuditView]
      const by = world.askedFor(audit)
      const found = await Promise.all(by.map((one) => world.attempt(audit, one)))
      const findings = new Set(found.map((one) => (one.type === 'found' ? one.findings.get(audit.row) : one.why)))
      expect(findings.size).toBe(1)
      const isSame = findings.has(honest(audit))
      expect(isSame, `lot ${lot}`).toBe(lot !== 1)
    }
  })
})
describe('who gets nothing:', () => {
  let audit: AuditView
  beforeEach(async () => {
    world = await auditedLease()
    for (const lot of [0, 1, 2]) await world.serve(lot)
    audit = (await world.auditsIn(1))[0]!
  })

  async function refusal(by: LabMiner | undefined, id = audit): Promise<string> {
    const wire = by?.wire ?? (await memoryStranger())
    const to = addressOf(world.lab.miners[1]!.wire)
    return fetchInputs(to, id, { wire, clock, signal: NEVER }).then(
      () => 'served',
      (error: Error) => error.message,
    )
  }
  const memoryStranger = async () => world.lab.ring.client

  test('strangers, miners that were not drawn, and auditors of what is not audited', async () => {
    const unknown = expect.stringContaining('(AUDIT_UNKNOWN)')
    expect(await refusal(undefined)).toEqual(unknown)
    const drawn = world.askedFor(audit)
    const [other] = world.lab.auditors.filter((one) => !world.askedFor(audit).includes(one))
    expect(await refusal(other)).toEqual(unknown)
    expect(await refusal(world.lab.miners[0])).toEqual(unknown)
    expect(await refusal(drawn[0])).toBe('served')
    expect(await refusal(drawn[0], { ...audit, window: 99 })).toEqual(unknown)
    expect(await refusal(drawn[0], { ...audit, lot: 0 })).toEqual(unknown)
    expect(await refusal(drawn[0], { ...audit, lot: 9 })).toEqual(unknown)
    expect(await refusal(drawn[0], { ...audit, lease: audit.lease.replaceAll(/./g, 'f') as never })).toEqual(unknown)
  })

  test('who does not ask as it is asked for', async () => {
    const { wire } = world.askedFor(audit)[0]!
    const to = addressOf(world.lab.miners[1]!.wire)
    for (const message of [Uint8Array.of(7), new Uint8Array(0), encodeAuditQuestion({ type: 'next' })]) {
      const channel = await wire.open(to, AUDIT_PROTOCOL, AUDIT_PROTOCOL_OPTIONS)
      channel.send(message)
      expect(decodeAuditAnswer((await channel.receive())!)).toMatchObject({ type: 'refused' })
      expect(await channel.receive()).toBeUndefined()
    }
  })

  test('the covering receipt, its proof, inputs and no more: nothing tells what came out', async () => {
    const by = world.askedFor(audit)[0]!
    const to = addressOf(world.lab.miners[1]!.wire)
    const inputs = await fetchInputs(to, audit, { wire: by.wire, clock, signal: NEVER })
    const bytes: Uint8Array[] = [encodeAuditAnswer(inputs.cover)]
    for await (const item of inputs.items) bytes.push(encodeAuditAnswer({ type: 'part', items: [item] }))
    inputs.close()
    const { outDigest, salt } = world.coverOf(audit)
    const all = Buffer.concat(bytes).toString('hex')
    expect(all).not.toContain(outDigest)
    expect(all).not.toContain(salt)
  })
})

test('more questions at once than the chain is asked are refused, and asked again they are answered', async () => {
  world = await auditedLease()
  const [audit] = (await world.auditsIn(1)) as [AuditView]
  const gate = Promise.withResolvers<void>()
  const { wire } = world.lab.miners[1]!
  let waiting = 0
  const market = {
    ...world.lab.chain.market,
    audits: async (...wish: Parameters<typeof world.lab.chain.market.audits>) => {
      waiting++
      await gate.promise
      return world.lab.chain.market.audits(...wish)
    },
  }
  await world.serve(1, { chain: { ...world.lab.chain, market } })
  const [one, other] = world.askedFor(audit) as [LabMiner, LabMiner]
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
test('as many auditors at once as may be, and the next one when one has gone', async () => {
  const wiring = memoryWiring()
  world = await auditedLease({ wiring })
  const [audit] = (await world.auditsIn(1)) as [AuditView]
  const count = AUDIT_LIMITS.servedMax / AUDIT_LIMITS.channelsPerPeerMax
  const wires = await Promise.all(Array.from({ length: count + 1 }, (_, index) => wiring(false, 40 + index)))
  // All of them are auditors, to whom the chain is asked.
  const operators = wires.map((_wire, index) => person(60 + index).id)
  const auditors = operators.map((id) => ({ ...audit.auditors[0]!, operator: addressOfAccount(id, 'local') }))
  const { market } = world.lab.chain
  const crowded = {
    ...market,
    audits: async (...wish: Parameters<typeof market.audits>) => ({
      ...(await market.audits(...wish)),
      entries: [{ ...audit, auditors }],
    }),
    miner: async (id: AccountId) => {
      const publicKey = publicKeyOfPeer(wires[operators.indexOf(id)]!.peer)!
      return { ...(await market.miner(world.lab.miners[1]!.who.id)), peerKey: bytesToHex(publicKey) }
    },
  }
  await world.serve(1, { chain: { ...world.lab.chain, market: crowded } })
  const to = addressOf(world.lab.miners[1]!.wire)
  const fetch = (wire: Wire) => fetchInputs(to, audit, { wire, clock, signal: NEVER })
  const open: FetchedInputs[] = []
  for (const wire of wires.slice(0, count)) {
    for (let channel = 0; channel < AUDIT_LIMITS.channelsPerPeerMax; channel++) open.push(await fetch(wire))
  }
  const last = wires.at(-1)!
  await expect(fetch(last)).rejects.toThrow('(AUDIT_BUSY)')
  open.pop()!.close()
  let again: FetchedInputs | undefined
  while (again === undefined) again = await fetch(last).catch(() => undefined)
  for (const inputs of [...open, again]) inputs.close()
  for (const wire of wires) await wire.stop()
})

test('a lot of segments that an auditor does not have is no fault of its miner', async () => {
  world = await auditedLease()
  for (const lot of [0, 1, 2]) await world.serve(lot)
  const [audit] = (await world.auditsIn(2)) as [AuditView]
  const by = world.askedFor(audit)[0]!
  const outcome = await world.attempt(audit, by, { served: [{ ...world.lab.served, lastSegment: 2 }] })
  expect(outcome).toMatchObject({ type: 'unable' })
})
