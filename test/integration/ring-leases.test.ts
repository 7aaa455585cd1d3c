import { bytesToHex } from '@noble/hashes/utils.js'
import { afterEach, describe, expect, test } from 'vitest'
import type { LotFolder } from '../../src/app/market/lot-folder.ts'
import { createSystem } from '../../src/app/system.ts'
import { assert } from '../../src/base/assert.ts'
import { verify } from '../../src/core/ed25519.ts'
import { handoverDigest, isReceiptOf, NO_RECEIPT, outCommitmentOf, receiptHash } from '../../src/core/market/receipt.ts'
import { receiptsRoot } from '../../src/core/market/receipt-tree.ts'
import { createReferenceEngine } from '../../src/ml/engine/reference.ts'
import { createLibp2pWire } from '../../src/net/libp2p-wire.ts'
import { createMemoryNetwork } from '../../src/net/memory-network.ts'
import type { Wire } from '../../src/net/wire.ts'
import { randomWeights, smallConfig } from '../contract/random-model.ts'
import { createMarket, LEASE_ID, leaseFor, type Market, minerKeys, NETWORK_ID, openPaid } from './lease-world.ts'
import { collect, createRingWorld, GREEDY, type RingWorld, silent } from './ring-world.ts'

const CONFIG = smallConfig({ contextLength: 1_024 })
const PROMPT = Array.from({ length: 40 }, (_, index) => (index * 7) % CONFIG.vocabularySize)
const SETTINGS = { ...GREEDY, temperature: 0.8, topK: 20, seed: 9n, repetitionPenalty: 1.1 }

type Wiring = (listen: boolean, index?: number) => Promise<Wire>

function memoryWiring(): Wiring {
  const network = createMemoryNetwork()
  return async (listen, index) =>
    network.createMemoryWire(index === undefined ? { listen } : { listen, peer: minerKeys(index).peer })
}

function tcpWiring(): Wiring {
  const { clock } = createSystem()
  return (listen, index) => {
    const options = { networkId: 'leases', listen: listen ? ['/ip4/127.0.0.1/tcp/0'] : [], mdns: false, dht: false }
    const key = index === undefined ? {} : { privateKey: minerKeys(index).privateKey }
    return createLibp2pWire({ ...options, ...key }, { clock, log: silent })
  }
}

let market: Market
let world: RingWorld

async function start(createWire: Wiring, split: readonly number[] = [1, 1, 1]): Promise<void> {
  market = await createMarket()
  world = await createRingWorld({
    config: CONFIG,
    weights: randomWeights({ config: CONFIG, format: 'q8', seed: 3 }),
    split,
    createWire,
    engine: createReferenceEngine,
    desk: (index) => market.desk(index),
  })
}

afterEach(async () => {
  await world.close()
  await market.close()
})

async function journalOf(folder: LotFolder) {
  const journal = await folder.open(LEASE_ID)
  const entries = []
  for await (const entry of journal.entries()) entries.push(entry)
  const found = { entries, receipts: await journal.receipts(), countersignatures: await journal.countersignatures() }
  await journal.close()
  return found
}

async function allFree(): Promise<void> {
  while (world.miners.some(({ server }) => server.sessionCount > 0))
    await new Promise((resolve) => setImmediate(resolve))
}

describe.each<[string, () => Wiring]>([
  ['memory', memoryWiring],
  ['TCP', tcpWiring],
])('with a lease over %s', (_name, wiring) => {
  test('500 tokens are the same as without, and all of them are paid and receipted by every stage', async () => {
    await start(wiring())
    const generation = { ...SETTINGS, maxTokens: 500 }
    const free = await world.open(CONFIG.contextLength)
    const expected = await collect(free, PROMPT, { generation })
    await free.close()
    const lease = leaseFor(world)
    market.leases.set(lease.id, { ok: true, lease })
    const paid = await openPaid(world, market, { lease, capacity: CONFIG.contextLength })
    const answer = await collect(paid, PROMPT, { generation })
    await paid.close()
    await allFree()
    expect(answer).toEqual(expected)
    expect(answer.tokens).toHaveLength(500)
    const newest = await market.store.newest(lease.id)
    expect(newest?.counters).toMatchObject({ promptRows: 40n, decodeRows: 499n })

    const lots = await Promise.all(market.lots.map(journalOf))
    for (const [lot, { entries, receipts }] of lots.entries()) {
      expect(entries.at(-1)?.voucher).toEqual(newest)
      expect(receipts.length).toBe(7)
      let previous = NO_RECEIPT
      for (const [window, { receipt, outDigest, salt }] of receipts.entries()) {
        expect(receipt).toMatchObject({ lease: lease.id, lot, window, previous })
        expect(isReceiptOf(lease.lots[lot]!.peerKey, receipt, { networkId: NETWORK_ID })).toBe(true)
        expect(outCommitmentOf(outDigest, salt)).toBe(receipt.outCommitment)
        expect(receipt.before).toEqual(receipts[window - 1]?.receipt.after ?? receipts[0]!.receipt.before)
        previous = receiptHash(receipt)
        const next = lots[lot + 1]?.receipts[window]
        if (next === undefined) continue
        expect(next.receipt.inDigest).toBe(outDigest)
        expect(next.receipt.after).toEqual(receipt.after)
        const signature = lots[lot]!.countersignatures.get(window)
        // What is on its way when a session ends is lost.
        if (signature === undefined && window === receipts.length - 1) continue
        assert(signature !== undefined, `window ${window} of lot ${lot} has a countersignature`)
        const message = handoverDigest(NETWORK_ID, { lease: lease.id, lot, window, outDigest })
        expect(verify({ message, signature, publicKey: lease.lots[lot + 1]!.peerKey })).toBe(true)
      }
      expect(receiptsRoot(receipts.map(({ receipt }) => receiptHash(receipt)))).toHaveLength(64)
    }
    const inputs = lots.map(({ entries }) => entries.flatMap(({ steps }) => steps).length)
    expect(inputs).toEqual([500, 500, 500])
    expect(bytesToHex(lots[0]!.entries[0]!.steps[0]!)).not.toBe('')
  })
})
