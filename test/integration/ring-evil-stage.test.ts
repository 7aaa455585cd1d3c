import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { SESSION_LIMITS } from '../../src/base/limits.ts'
import type { StageMessage, StageMessageOf } from '../../src/net/protocols/stage.ts'
import type { Channel, Wire } from '../../src/net/wire.ts'
import { until } from '../fake-clock.ts'
import {
  CONFIG,
  createFaultWorld,
  type FaultWorld,
  HIDDEN,
  hear,
  joinAs,
  promptWith,
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

const rowsOf = (count: number, value: number) => new Uint8Array(new Float32Array(count * HIDDEN).fill(value).buffer)

const WINDOW = SESSION_LIMITS.windowRowsMax

describe('an evil stage only harms its own ring:', () => {
  test.each<[string, number, (StageMessage | Uint8Array)[], string]>([
    ['NaN activations', 0, [stepWith({ rows: rowsOf(1, Number.NaN) })], 'ENGINE_NOT_FINITE'],
    ['infinite activations', 0, [stepWith({ rows: rowsOf(1, Number.POSITIVE_INFINITY) })], 'ENGINE_NOT_FINITE'],
    ['activations that overflow inside', 0, [stepWith({ rows: rowsOf(1, 3e38) })], 'ENGINE_NOT_FINITE'],
    ['a row too few', 0, [stepWith({ tokens: Int32Array.of(1, 2) })], 'RING_BAD_MESSAGE'],
    ['a row cut short', 0, [stepWith({ rows: rowsOf(1, 0.1).slice(0, -4) })], 'RING_BAD_MESSAGE'],
    ['no rows', 0, [stepWith({ rows: new Uint8Array(0), tokens: new Int32Array(0) })], 'RING_BAD_MESSAGE'],
    ['positions that do not continue', 0, [stepWith(), stepWith({ position: 2 })], 'ENGINE_BAD_POSITION'],
    ['positions past the capacity', 0, [stepWith({ position: CONFIG.contextLength })], 'ENGINE_BAD_POSITION'],
    [
      'a token where steps are due',
      0,
      [{ type: 'token', turn: 1, position: 1, tokens: Int32Array.of(1), digests: [] }],
      'RING_BAD_MESSAGE',
    ],
    ['a step of too many rows', 0, [draftsAt(0, WINDOW + 1)], 'RING_BAD_MESSAGE'],
    ['two of the largest windows, all wrong', 0, [0, 1].map((at) => draftsAt(at, WINDOW)), 'RING_BAD_MESSAGE'],
    ['drafts that are wrong again and again', 0, [0, 1, 2, 3, 4, 5].map((at) => draftsAt(at, 16)), 'RING_BAD_MESSAGE'],
    [
      'a word about drafts in a session without a lease',
      0,
      [{ type: 'keep', turn: 1, position: 1 }],
      'RING_BAD_MESSAGE',
    ],
    ['a prompt on the link', 0, [promptWith()], 'RING_BAD_MESSAGE'],
    ['garbage on the link', 0, [Uint8Array.of(8, 255, 1, 2)], 'CODEC_BAD_VALUE'],
    ['half a step', 0, [Uint8Array.of(8, 1, 2)], 'CODEC_TRUNCATED'],
    ['a step that asks for a token before its turn began', 1, [stepWith({ sample: true })], 'RING_BAD_MESSAGE'],
    ['a token outside the vocabulary', 2, [tokenAt(24, CONFIG.vocabularySize)], 'ENGINE_BAD_TOKEN'],
    ['a token of no vocabulary', 2, [tokenAt(24, 1).with(13, 0xff).with(16, 0xff)], 'CODEC_BAD_VALUE'],
    ['more tokens than rows', 2, [tokensAt(24, 1, 2)], 'RING_BAD_MESSAGE'],
    ['tokens that do not go on', 2, [tokensAt(24, 1), tokensAt(26, 1)], 'RING_BAD_MESSAGE'],
    ['a token out of order', 2, [tokenAt(26, 1)], 'ENGINE_BAD_POSITION'],
    ['a step where tokens are due', 2, [stepWith()], 'RING_BAD_MESSAGE'],
  ])('%s', async (_case, place, messages, code) => {
    const { controls, toNext } = await joinAs(world, stranger, place)
    const victim = (place + 1) % 3
    if (place === 2) {
      say(controls[0]!, promptWith())
      await until(() => world.miners[0]!.server.statistics().latest.rows === 24, 'the prompt is computed')
    }
    for (const message of messages) say(toNext, message)
    expect(await hear(controls[victim]!, 'failed')).toMatchObject({ code })
    await world.allFree()
    await world.stillServes()
  })

  test('one that takes along the largest window is answered as any other', async () => {
    const { controls, toNext, fromPrevious } = await joinAs(world, stranger, 0)
    const { generation } = promptWith()
    say(toNext, stepWith({ acknowledge: true, sample: true, generation }))
    expect(await hear(fromPrevious, 'token')).toMatchObject({ position: 1 })
    say(toNext, { ...draftsAt(1, WINDOW), sample: true })
    const { position, tokens } = await hear(fromPrevious, 'token')
    expect(position).toBe(2)
    say(toNext, { ...draftsAt(position + tokens.length - 1, 2), sample: true })
    expect(await hear(fromPrevious, 'token')).toMatchObject({ position: position + tokens.length })
    for (const control of controls) await control?.close()
    await world.allFree()
    await world.stillServes()
  })

  test('tokens of another turn are passed over', async () => {
    const { controls, toNext } = await joinAs(world, stranger, 2)
    say(controls[0]!, promptWith())
    say(toNext, { type: 'token', turn: 9, position: 24, tokens: Int32Array.of(1), digests: [] })
    say(controls[0]!, { type: 'ask-statistics' })
    await hear(controls[0]!, 'statistics')
    expect(world.sessions()[0]).toBe(1)
    for (const control of controls) await control?.close()
    await world.allFree()
    await world.stillServes()
  })

  test('acknowledgements that nobody waits for', async () => {
    const { controls, fromPrevious } = await joinAs(world, stranger, 1)
    say(fromPrevious, { type: 'acknowledge', turn: 1 })
    expect(await hear(controls[0]!, 'failed')).toMatchObject({ code: 'RING_BAD_MESSAGE' })
    await world.allFree()
    await world.stillServes()
  })

  test.each<[string, (link: Channel) => void]>([
    ['a link that ends politely', (link) => void link.close()],
    ['a link that breaks', (link) => link.abort('test')],
  ])('%s', async (_case, act) => {
    const { controls, toNext } = await joinAs(world, stranger, 0)
    act(toNext)
    const failed = await hear(controls[1]!, 'failed')
    expect(failed).toMatchObject({ code: 'RING_LINK_LOST' })
    expect(failed.message).toContain('stage 1')
    await world.allFree()
    await world.stillServes()
  })
})

function draftsAt(position: number, rows: number): StageMessageOf<'step'> {
  return stepWith({ position, tokens: new Int32Array(rows), rows: rowsOf(rows, 0.1) })
}

function tokensAt(position: number, ...tokens: number[]): StageMessage {
  return { type: 'token', turn: 1, position, tokens: Int32Array.from(tokens), digests: [] }
}

/** A token message as bytes, so that a test can write what the encoder would not. */
function tokenAt(position: number, token: number): Uint8Array {
  const bytes = new Uint8Array(21)
  const view = new DataView(bytes.buffer)
  view.setUint8(0, 10)
  view.setUint32(1, 1, true)
  view.setUint32(5, position, true)
  view.setUint32(9, 1, true)
  view.setUint32(13, token, true)
  return bytes
}
