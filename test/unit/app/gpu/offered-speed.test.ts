import { expect, test } from 'vitest'
import { createEngineHost } from '../../../../src/app/engine-host.ts'
import { createInlineRunner } from '../../../../src/app/inline-runner.ts'
import { createMiner } from '../../../../src/app/miner.ts'
import { createNodeIdentity } from '../../../../src/app/node-identity.ts'
import { createSystem } from '../../../../src/app/system.ts'
import { milliseconds } from '../../../../src/base/brand.ts'
import { createReferenceEngine } from '../../../../src/ml/engine/reference.ts'
import { createMemoryNetwork } from '../../../../src/net/memory-network.ts'
import { randomWeights, wholeRange } from '../../../contract/random-model.ts'
import { createFakeClock, until } from '../../../fake-clock.ts'
import { ONE } from '../../../integration/posts-world.ts'

test('a miner whose engine was replaced by a slower one offers the speed of that', async () => {
  const clock = createFakeClock()
  const { random, log } = createSystem()
  const { config } = ONE.manifest
  const weights = randomWeights({ config, format: 'q8', seed: 1 })
  const options = { config, range: wholeRange(config), weights, cacheBytesMax: 1 << 24 }
  const runner = createInlineRunner('reference', createReferenceEngine().createStage(options), { clock })
  const moved = Promise.withResolvers<'wasm'>()
  let stepMs = 2
  const timed = {
    ...runner,
    moved: moved.promise,
    run: async (batch: Parameters<typeof runner.run>[0]) => ({
      ...(await runner.run(batch)),
      computeMs: milliseconds(stepMs),
    }),
  }
  const host = createEngineHost(timed, { clock })
  const identity = await createNodeIdentity(random)
  const wire = createMemoryNetwork().createMemoryWire({ listen: true, peer: identity.peer })
  const post = { model: ONE, firstSegment: 0, lastSegment: 3, host, device: 'webgpu' }
  const miner = await createMiner(
    { identity, networkId: 'testnet', bootstrap: [], posts: [post] },
    { wire, clock, log },
  )
  const offered = (): number => miner.status().offers[0]!.offer.stepMicros
  expect(offered()).toBe(2_000)
  stepMs = 30
  moved.resolve('wasm')
  await until(() => offered() === 30_000, 'the new speed is offered')
  expect(miner.status().offers[0]!.offer.device).toBe('wasm')
  await miner.close()
})
