/**
 * A miner process that takes leases from a table which its parent gives it: the product's engine, stage server and desk over TCP on loopback, without a
 * chain. Speaks with its parent by messages.
 * @module
 */
import { createEngineHost } from '../../src/app/engine-host.ts'
import { createLeaseDesk } from '../../src/app/market/lease-desk.ts'
import type { LeaseLookup } from '../../src/app/market/lease-source.ts'
import { openLotFolder } from '../../src/app/market/lot-folder.ts'
import { openModelStore } from '../../src/app/model-store.ts'
import { createNodeIdentity } from '../../src/app/node-identity.ts'
import { createStageServer } from '../../src/app/ring/stage-server.ts'
import { createSystem } from '../../src/app/system.ts'
import { createWorkerRunner } from '../../src/app/worker-runner.ts'
import type { Hash } from '../../src/base/brand.ts'
import { createLibp2pWire } from '../../src/net/libp2p-wire.ts'
import { cpuTime, type MinerOrder, type MinerTold } from './messages.ts'

const CACHE_BYTES = 1 << 28

process.on('message', (order: MinerOrder) => void obey(order))
process.on('disconnect', () => process.exit())

const system = createSystem({ level: 'error' })
const leases = new Map<Hash, LeaseLookup>()

async function obey(order: MinerOrder): Promise<void> {
  switch (order.type) {
    case 'serve':
      return serve(order)
    case 'lease':
      leases.set(order.lease.id, { ok: true, lease: order.lease })
      return tell({ type: 'known' })
    case 'cpu':
      return tell({ type: 'cpu', cpu: cpuTime() })
  }
}

async function serve({
  home,
  model: name,
  part,
  threads,
  folder,
}: Extract<MinerOrder, { type: 'serve' }>): Promise<void> {
  const model = openModelStore({ home }).find(name)
  const identity = await createNodeIdentity(system.random)
  const engine = { home, model, ...part, engine: 'auto' as const, threads, cacheBytesMax: CACHE_BYTES }
  const host = createEngineHost(await createWorkerRunner(engine), system)
  const wire = await createLibp2pWire(
    {
      networkId: 'bench-leases',
      privateKey: identity.privateKey,
      listen: ['/ip4/127.0.0.1/tcp/0'],
      mdns: false,
      dht: false,
    },
    system,
  )
  const source = { find: async (id: Hash): Promise<LeaseLookup> => leases.get(id) ?? { ok: false, why: 'unknown' } }
  const lots = await openLotFolder(folder, 1e9)
  const desk = createLeaseDesk({ source, lots, peerSecret: identity.secretKey, isRequired: () => false }, system)
  const { config, segments } = model.manifest
  await createStageServer(
    [{ model: model.hash, config, segments, ...part, host }],
    { wire, ...system },
    { market: desk },
  )
  tell({ type: 'serving', peer: wire.peer, addresses: wire.addresses() })
}

function tell(told: MinerTold): void {
  process.send?.(told)
}
