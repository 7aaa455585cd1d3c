import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { hash, peerId } from '../../src/base/brand.ts'
import { DEADLINES, WIRE_LIMITS } from '../../src/base/limits.ts'
import type { StageMessage, StageMessageOf } from '../../src/net/protocols/stage.ts'
import type { Channel, Wire } from '../../src/net/wire.ts'
import { until } from '../fake-clock.ts'
import {
  CONFIG,
  createFaultWorld,
  dial,
  type FaultWorld,
  hear,
  joinAs,
  openFor,
  promptWith,
  randomBytes,
  SETTINGS,
  say,
  stepWith,
} from './fault-world.ts'

let world: FaultWorld
let stranger: Wire

beforeAll(async () => {
  world = await createFaultWorld()
})
beforeEach(() => {
  stranger = world.network.createMemoryWire({ listen: true })
})
afterAll(() => world.close())

/** The other side ends the channel, politely or not. */
async function ended(channel: Channel): Promise<void> {
  for (;;) if ((await channel.receive().catch(() => undefined)) === undefined) return
}

type Change = Partial<StageMessageOf<'open'>>

describe('a session is not opened', () => {
  const stages = () => world.route.stages
  test.each<[string, number, () => Change, string]>([
    ['with no positions', 0, () => ({ capacity: 0 }), 'RING_BAD_MESSAGE'],
    ['with more positions than the model has', 0, () => ({ capacity: CONFIG.contextLength + 1 }), 'RING_BAD_MESSAGE'],
    ['of a model that nobody serves', 0, () => ({ model: hash('cd'.repeat(32)) }), 'RING_MODEL_NOT_SERVED'],
    [
      'of segments that the miner does not serve',
      0,
      () => ({ stages: [{ ...stages()[0]!, lastSegment: 3 }] }),
      'RING_MODEL_NOT_SERVED',
    ],
    [
      'of a run that begins before what the miner serves',
      1,
      () => ({ stages: [{ ...stages()[1]!, firstSegment: 0, lastSegment: 2 }, stages()[2]!], stageIndex: 0 }),
      'RING_MODEL_NOT_SERVED',
    ],
    [
      'of no segment inside what the miner serves',
      1,
      () => ({ stages: [stages()[0]!, { ...stages()[1]!, lastSegment: 1 }, stages()[2]!] }),
      'RING_BAD_MESSAGE',
    ],
    ['at a stage that is not in the route', 0, () => ({ stageIndex: 3 }), 'RING_BAD_MESSAGE'],
    ['at the stage of another miner', 0, () => ({ stageIndex: 1 }), 'RING_BAD_MESSAGE'],
    ['over no stages', 0, () => ({ stages: [] }), 'RING_BAD_MESSAGE'],
    ['over a miner twice', 0, () => ({ stages: [...stages(), stages()[0]!] }), 'RING_BAD_MESSAGE'],
    ['over a route that ends too early', 0, () => ({ stages: stages().slice(0, 2) }), 'RING_BAD_MESSAGE'],
    ['over a route that goes on', 2, () => ({ stages: [...stages(), other(3, 4)] }), 'RING_BAD_MESSAGE'],
    ['over a route that begins too late', 1, () => ({ stages: stages().slice(1), stageIndex: 0 }), 'RING_BAD_MESSAGE'],
    [
      'over a route in the wrong order',
      0,
      () => ({ stages: [stages()[1]!, stages()[0]!, stages()[2]!], stageIndex: 1 }),
      'RING_BAD_MESSAGE',
    ],
    [
      'over an empty stage',
      0,
      () => ({ stages: [...stages().slice(0, 2), other(2, 2), stages()[2]!] }),
      'RING_BAD_MESSAGE',
    ],
  ])('%s', async (_case, miner, change, code) => {
    const control = await dial(stranger, world.miners[miner]!.wire)
    say(control, openFor(world, miner, change()))
    expect(await hear(control, 'failed')).toMatchObject({ code })
    await ended(control)
    expect(world.sessions()).toEqual([0, 0, 0])
    await world.stillServes()
  })

  const other = (firstSegment: number, lastSegment: number) => {
    return { peer: peerId('memory-nobody'), addresses: [], firstSegment, lastSegment }
  }

  test('twice with one id, even at the same moment', async () => {
    const controls = await Promise.all([1, 2].map(() => dial(stranger, world.miners[0]!.wire)))
    const open = openFor(world, 0)
    for (const control of controls) say(control, open)
    const failed = await Promise.race(controls.map((control) => hear(control, 'failed')))
    expect(failed).toMatchObject({ code: 'RING_SESSION_EXISTS' })
    expect(world.sessions()).toEqual([1, 0, 0])
    for (const control of controls) await control.close()
    await world.allFree()
    await world.stillServes()
  })

  test('when a neighbour cannot be reached, which the client is told', async () => {
    const control = await dial(stranger, world.miners[0]!.wire)
    const stages = world.route.stages.map((stage, index) =>
      index === 1 ? { ...stage, peer: peerId('memory-nobody') } : stage,
    )
    say(control, openFor(world, 0, { stages }))
    expect(await hear(control, 'failed')).toMatchObject({ code: 'WIRE_PEER_UNREACHABLE' })
    await world.allFree()
    await world.stillServes()
  })

  test('when the stage before never links, once the deadline has passed', async () => {
    const control = await dial(stranger, world.miners[1]!.wire)
    say(control, openFor(world, 1))
    const failed = hear(control, 'failed')
    await until(() => world.sessions()[1] === 1, 'the session stands')
    world.clock.advance(DEADLINES.openSessionMs)
    expect(await failed).toMatchObject({ code: 'RING_STEP_DEADLINE' })
    await world.allFree()
    await world.stillServes()
  })
})

describe('a channel may not begin with', () => {
  test.each<[string, StageMessage | Uint8Array, string]>([
    ['nothing', new Uint8Array(0), 'CODEC_TRUNCATED'],
    ['an unknown type', Uint8Array.of(200), 'CODEC_BAD_VALUE'],
    ['garbage', Uint8Array.of(0, ...randomBytes(400)), 'CODEC_'],
    ['half a message', Uint8Array.of(0, 1, 2, 3), 'CODEC_TRUNCATED'],
    ['a prompt', promptWith(), 'RING_BAD_MESSAGE'],
    ['a step', stepWith(), 'RING_BAD_MESSAGE'],
    ['what a stage says', { type: 'ready' }, 'RING_BAD_MESSAGE'],
  ])('%s', async (_case, first, code) => {
    const channel = await dial(stranger, world.miners[1]!.wire)
    say(channel, first)
    expect((await hear(channel, 'failed')).code).toContain(code)
    await ended(channel)
    await world.stillServes()
  })

  test('a message over the limit', async () => {
    const channel = await dial(stranger, world.miners[1]!.wire, WIRE_LIMITS.stageMessageBytesMax + 1)
    channel.send(new Uint8Array(WIRE_LIMITS.stageMessageBytesMax + 1))
    await expect(channel.receive()).rejects.toMatchObject({ code: 'WIRE_CHANNEL_CUT' })
    await world.stillServes()
  })

  test('silence, once the deadline has passed', async () => {
    const channel = await dial(stranger, world.miners[1]!.wire)
    world.clock.advance(DEADLINES.openSessionMs)
    expect(await hear(channel, 'failed')).toMatchObject({ code: 'RING_STEP_DEADLINE' })
    await world.stillServes()
  })

  test('a link without a session, once the deadline has passed', async () => {
    const channel = await dial(stranger, world.miners[1]!.wire)
    say(channel, { type: 'link', session: openFor(world, 0).session })
    const failed = hear(channel, 'failed')
    await world.stillServes()
    world.clock.advance(DEADLINES.openSessionMs)
    expect(await failed).toMatchObject({ code: 'RING_BAD_MESSAGE' })
    await world.stillServes()
  })

  test('too many links without sessions, and others still get through', async () => {
    const links = await Promise.all(Array.from({ length: 20 }, () => dial(stranger, world.miners[1]!.wire)))
    for (const link of links) say(link, { type: 'link', session: openFor(world, 0).session })
    expect(await Promise.race(links.map((link) => hear(link, 'failed')))).toMatchObject({ code: 'RING_BUSY' })
    await world.stillServes()
    world.clock.advance(DEADLINES.openSessionMs)
  })

  test('the link of a stranger', async () => {
    const control = await dial(stranger, world.miners[1]!.wire)
    const open = openFor(world, 1)
    say(control, open)
    await until(() => world.sessions()[1] === 1, 'the session stands')
    const link = await dial(stranger, world.miners[1]!.wire)
    say(link, { type: 'link', session: open.session })
    expect(await hear(link, 'failed')).toMatchObject({ code: 'RING_BAD_MESSAGE' })
    expect(world.sessions()[1]).toBe(1)
    await control.close()
    await world.allFree()
    await world.stillServes()
  })
})

describe('a client loses its session for', () => {
  test.each<[string, (StageMessage | Uint8Array)[], string]>([
    ['a second open', [{ type: 'link', session: 'ab'.repeat(16) as never }], 'RING_BAD_MESSAGE'],
    ['a step', [stepWith()], 'RING_BAD_MESSAGE'],
    ['garbage', [randomBytes(300).fill(250, 0, 1)], 'CODEC_BAD_VALUE'],
    ['a prompt without tokens', [promptWith({ tokens: new Int32Array(0) })], 'RING_BAD_MESSAGE'],
    [
      'a token outside the vocabulary',
      [promptWith({ tokens: Int32Array.of(CONFIG.vocabularySize) })],
      'ENGINE_BAD_TOKEN',
    ],
    ['a prompt that continues nothing', [promptWith({ position: 3 })], 'ENGINE_BAD_POSITION'],
    ['a prompt far away', [promptWith({ position: 0xffff_ffff })], 'ENGINE_BAD_POSITION'],
    [
      'a prompt longer than the context',
      [promptWith({ tokens: new Int32Array(CONFIG.contextLength + 1) })],
      'ENGINE_BAD_POSITION',
    ],
    ['the same turn again', [promptWith(), promptWith()], 'RING_BAD_MESSAGE'],
    ['turn 0', [promptWith({ turn: 0 })], 'RING_BAD_MESSAGE'],
  ])('%s', async (_case, messages, code) => {
    const { controls } = await joinAs(world, stranger, 1)
    for (const message of messages) say(controls[0]!, message)
    expect(await hear(controls[0]!, 'failed')).toMatchObject({ code })
    await world.allFree()
    await world.stillServes()
  })

  test('a prompt before the session is ready', async () => {
    const control = await dial(stranger, world.miners[0]!.wire)
    say(control, openFor(world, 0))
    say(control, promptWith())
    expect(await hear(control, 'failed')).toMatchObject({ code: 'RING_BAD_MESSAGE' })
    await world.allFree()
    await world.stillServes()
  })

  test('a prompt to a stage that is not the first', async () => {
    const { controls } = await joinAs(world, stranger, 0)
    say(controls[1]!, promptWith())
    expect(await hear(controls[1]!, 'failed')).toMatchObject({ code: 'RING_BAD_MESSAGE' })
    await world.allFree()
    await world.stillServes()
  })

  test('sampling settings out of their range, which the tail refuses', async () => {
    const { controls, toNext } = await joinAs(world, stranger, 1)
    say(toNext, stepWith({ generation: { ...SETTINGS, temperature: Number.NaN } }))
    expect(await hear(controls[2]!, 'failed')).toMatchObject({ code: 'SAMPLING_OUT_OF_RANGE' })
    await world.allFree()
    await world.stillServes()
  })
})

test('a flood of prompts costs the newest one and the one that runs', async () => {
  const { controls } = await joinAs(world, stranger, 1)
  let runs = 0
  const gate = Promise.withResolvers<void>()
  world.onRun = () => {
    runs++
    return gate.promise
  }
  for (let round = 0; round < 4; round++) {
    // Other tokens each time: those that were computed before would not run again.
    for (let turn = round * 500 + 1; turn <= round * 500 + 500; turn++)
      say(controls[0]!, promptWith({ turn, tokens: Int32Array.of(turn % 7, 1, 2) }))
    say(controls[0]!, { type: 'ask-statistics' })
    await hear(controls[0]!, 'statistics')
  }
  gate.resolve()
  await until(() => world.miners[0]!.server.statistics().latest.steps === runs && runs > 1, 'the newest prompt ran')
  expect(runs).toBe(2)
  for (const control of controls) await control?.close()
  await world.allFree()
  await world.stillServes()
})
