import { afterAll, beforeAll, expect, test } from 'vitest'
import { milliseconds } from '../../src/base/brand.ts'
import { createReferenceEngine } from '../../src/ml/engine/reference.ts'
import { createLibp2pWire } from '../../src/net/libp2p-wire.ts'
import { decodeStageMessage } from '../../src/net/protocols/stage.ts'
import type { Channel, Wire } from '../../src/net/wire.ts'
import { randomWeights } from '../contract/random-model.ts'
import { realClock as clock } from '../contract/real-clock.ts'
import { CONFIG, dial, expectedTokens, hear, openFor, PROMPT, randomBytes, SETTINGS, say } from './fault-world.ts'
import { collect, createRingWorld, type RingWorld, silent } from './ring-world.ts'

/** The faults whose end depends on real streams: what is still read after an abort, and what a stop looks like. */
let world: RingWorld

const createWire = (listen: boolean): Promise<Wire> =>
  createLibp2pWire(
    { networkId: 'ring-tcp', listen: listen ? ['/ip4/127.0.0.1/tcp/0'] : [], mdns: false, dht: false },
    { clock, log: silent },
  )

beforeAll(async () => {
  world = await createRingWorld({
    config: CONFIG,
    weights: randomWeights({ config: CONFIG, format: 'q8', seed: 3 }),
    split: [1, 1, 1],
    createWire,
    engine: createReferenceEngine,
    clock,
  })
})
afterAll(() => world.close())

async function allFree(): Promise<void> {
  while (world.miners.some(({ server }) => server.sessionCount > 0)) await clock.sleep(milliseconds(5))
}

async function rest(channel: Channel): Promise<string[]> {
  const types: string[] = []
  for (let bytes = await channel.receive(); bytes !== undefined; bytes = await channel.receive()) {
    types.push(decodeStageMessage(bytes).type)
  }
  return types
}

test('a refusal arrives with its code and an end marker', async () => {
  const control = await dial(world.client, world.miners[0]!.wire)
  say(control, openFor(world, 0, { capacity: 0 }))
  expect(await hear(control, 'failed')).toMatchObject({ code: 'RING_BAD_MESSAGE' })
  expect(await rest(control)).toEqual([])
})

test('garbage gets a code, whatever else is on its way', async () => {
  const channel = await dial(world.client, world.miners[0]!.wire)
  say(channel, randomBytes(50_000).fill(200, 0, 1))
  for (let index = 0; index < 20; index++) say(channel, randomBytes(50_000))
  expect(await rest(channel)).toEqual(['failed'])
})

test('a stage that stops in the middle of an answer is named, and the others are free again', async () => {
  const expected = await expectedTokens()
  const session = await world.open(CONFIG.contextLength)
  expect((await collect(session, PROMPT, { generation: SETTINGS })).tokens).toEqual(expected)
  const broken = await world.open(CONFIG.contextLength)
  const turn = (async () => {
    for await (const event of broken.generate(PROMPT, { generation: { ...SETTINGS, maxTokens: 100 } })) {
      if (event.type === 'token' && event.position === PROMPT.length + 2) void world.miners[1]!.wire.stop()
    }
  })()
  await expect(turn).rejects.toMatchObject({ message: expect.stringMatching(/stage 2/i) })
  await session.close()
  await broken.close()
  await allFree()
})
