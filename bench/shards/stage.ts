/**
 * A miner process with one stage, which is all of a model, and the shard service of a miner: the cap of its uploads is the default one.
 * @module
 */
import { createEngineHost } from '../../src/app/engine-host.ts'
import { openModelStore } from '../../src/app/model-store.ts'
import { createNodeIdentity } from '../../src/app/node-identity.ts'
import { createStageServer } from '../../src/app/ring/stage-server.ts'
import { openShardStore } from '../../src/app/shards/shard-store.ts'
import { openShardService } from '../../src/app/swarm/shard-service.ts'
import { createSystem } from '../../src/app/system.ts'
import { createWorkerRunner } from '../../src/app/worker-runner.ts'
import { createLibp2pWire } from '../../src/net/libp2p-wire.ts'
import { NETWORK_ID, type StageOrder, type StageTold } from './messages.ts'

const CACHE_BYTES = 1 << 28
const LISTEN = '/ip4/127.0.0.1/tcp/0'

process.on('message', (order: StageOrder) => void serve(order))
process.on('disconnect', () => process.exit())

async function serve({ home, model: name, threads }: StageOrder): Promise<void> {
  const system = createSystem({ level: 'error' })
  const model = openModelStore({ home }).find(name)
  const { config, segments } = model.manifest
  const part = { firstSegment: 0, lastSegment: segments.length }
  const identity = await createNodeIdentity(system.random)
  const wireOptions = {
    networkId: NETWORK_ID,
    privateKey: identity.privateKey,
    listen: [LISTEN],
    mdns: false,
    dht: false,
  }
  const wire = await createLibp2pWire(wireOptions, system)
  const service = await openShardService(wire, { home, store: openShardStore({ home }), listen: LISTEN }, system)
  const engine = { home, model, ...part, engine: 'auto' as const, threads, cacheBytesMax: CACHE_BYTES }
  const runner = await createWorkerRunner(engine)
  // As a miner does with each batch (src/app/run-miner.ts).
  const run: typeof runner.run = (batch) => {
    service.noteStep()
    return runner.run(batch)
  }
  const host = createEngineHost({ ...runner, run }, system)
  await createStageServer([{ model: model.hash, config, segments, ...part, host }], { wire, ...system })
  process.send?.({ peer: wire.peer, addresses: wire.addresses() } satisfies StageTold)
}
