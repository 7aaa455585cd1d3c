/**
 * Miner processes that take leases, and a client of their ring.
 * @module
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { OpenLease } from '../../src/app/market/lease-source.ts'
import { publicKeyOfPeer } from '../../src/app/node-identity.ts'
import type { Route } from '../../src/app/ring/route.ts'
import { accountId, hash, milliseconds } from '../../src/base/brand.ts'
import type { SegmentWork } from '../../src/core/market/work.ts'
import { splitEvenly } from '../../src/ml/segments.ts'
import { createLibp2pWire } from '../../src/net/libp2p-wire.ts'
import type { Wire } from '../../src/net/wire.ts'
import type { Bench, BenchModel } from '../bench.ts'
import { addCpu, type CpuTime, cpuTime, type MinerOrder, type MinerTold } from './messages.ts'

export interface LeaseMiners {
  readonly client: Wire
  readonly route: Route
  /** Tells all miners of a lease. */
  announce(lease: OpenLease): Promise<void>
  /** Of the miners and of this process together. */
  cpuTime(): Promise<CpuTime>
  close(): Promise<void>
}

const SCRIPT = fileURLToPath(import.meta.resolve('./lease-miner.ts'))

/** `count` processes, each with about as many segments. */
export async function startLeaseMiners(bench: Bench, model: BenchModel, count: number): Promise<LeaseMiners> {
  const home = await bench.newHome({ sharesModels: true })
  const { manifest, hash: modelHash } = model.stored
  const children: ChildProcess[] = []
  const stages = []
  for (const [index, part] of splitEvenly(manifest.segments, count).entries()) {
    const child = fork(SCRIPT, { serialization: 'advanced' })
    children.push(child)
    const folder = join(home.path, `lots-${index}`)
    const threads = availableParallelism()
    const told = await ask(child, { type: 'serve', home: home.path, model: manifest.name, part, threads, folder })
    if (told.type !== 'serving') throw new Error('a miner did not start')
    stages.push({ peer: told.peer, addresses: told.addresses, ...part })
  }
  const wireOptions = { networkId: 'bench-leases', listen: [], mdns: false, dht: false }
  const client = await createLibp2pWire(wireOptions, bench.system)
  return {
    client,
    route: { model: modelHash, stages, expectedStepMs: milliseconds(1) },
    announce: async (lease) => {
      for (const child of children) await ask(child, { type: 'lease', lease })
    },
    cpuTime: async () => {
      const told = await Promise.all(children.map((child) => ask(child, { type: 'cpu' })))
      return told.reduce((sum, each) => (each.type === 'cpu' ? addCpu(sum, each.cpu) : sum), cpuTime())
    },
    close: async () => {
      await client.stop()
      for (const child of children) {
        const ended = once(child, 'exit')
        child.disconnect()
        await ended
      }
    },
  }
}

/** A lease for these miners that nobody can spend. `work`: of each segment of the model. */
export function leaseOf(
  { model, stages }: Route,
  work: readonly SegmentWork[],
  { number, voucherKey }: { readonly number: number; readonly voucherKey: Uint8Array },
): OpenLease {
  const lots = stages.map(({ peer, firstSegment, lastSegment }, index) => ({
    operator: accountId((index + 1).toString(16).padStart(40, '0')),
    peerKey: publicKeyOfPeer(peer)!,
    firstSegment,
    lastSegment,
    work: sumOf(work.slice(firstSegment, lastSegment)),
    rate: 1n,
  }))
  return {
    id: hash(number.toString(16).padStart(64, '0')),
    networkId: hash('11'.repeat(32)),
    model,
    payer: accountId('ee'.repeat(20)),
    terms: { price: 1n, decodeWeight: 4n, treasuryShare: 100n, stakerShare: 70n, receiptRows: 256n },
    lots,
    cap: 10n ** 15n,
    voucherKey,
    openUntilMs: milliseconds(Number.MAX_SAFE_INTEGER),
  }
}

function sumOf(work: readonly SegmentWork[]): SegmentWork {
  return work.reduce((sum, { linear, attention }) => ({
    linear: sum.linear + linear,
    attention: sum.attention + attention,
  }))
}

async function ask(child: ChildProcess, order: MinerOrder): Promise<MinerTold> {
  const done = new AbortController()
  const { signal } = done
  const exit = once(child, 'exit', { signal }).then(() => {
    throw new Error('a miner process has ended')
  })
  exit.catch(() => undefined)
  child.send(order)
  try {
    const [told] = await Promise.race([once(child, 'message', { signal }), exit])
    return told as MinerTold
  } finally {
    done.abort()
  }
}
