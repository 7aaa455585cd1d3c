/** Miners whose data is not to be had, in every way: auditors find that, and in time. */
import { afterEach, describe, expect, test } from 'vitest'
import { outOfTime } from '../../src/app/audit/attempt.ts'
import type { AuditView } from '../../src/app/chain/market-access.ts'
import { DEADLINES } from '../../src/base/limits.ts'
import { AUDIT_PROTOCOL, AUDIT_PROTOCOL_OPTIONS, encodeAuditAnswer } from '../../src/net/protocols/audit.ts'
import type { Channel } from '../../src/net/wire.ts'
import { createFakeClock, type FakeClock, until } from '../fake-clock.ts'
import { type AuditedLease, auditedLease } from './audited-lease.ts'

let world: AuditedLease
afterEach(() => world.lab.close())

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
    world = await auditedLease()
    const [audit] = (await world.auditsIn(1)) as [AuditView]
    await world.lab.miners[1]!.wire.handle(AUDIT_PROTOCOL, AUDIT_PROTOCOL_OPTIONS, async (channel) => {
      await channel.receive()
      await conduct(channel)
    })
    const by = world.askedFor(audit)[0]!
    expect(await world.attempt(audit, by)).toMatchObject({ type: 'missing', isBad })
  })

  /** Takes the real answers of the miner, and gives them on as the conduct says. */
  async function behind(
    conduct: (answer: Uint8Array, index: number) => readonly Uint8Array[] | 'silence',
  ): Promise<AuditView> {
    world = await auditedLease()
    const [audit] = (await world.auditsIn(1)) as [AuditView]
    const { wire } = world.lab.miners[1]!
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
    await world.serve(1, { wire: evil })
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
    const by = world.askedFor(audit)[0]!
    expect(await world.attempt(audit, by)).toMatchObject({ type: 'missing', isBad: true })
  })

  test.each<[string, (still: FakeClock, stopping: AbortController) => void]>([
    ['silence ends with the deadline of a part', (still) => still.advance(DEADLINES.auditPartMs)],
    [
      'when the time to commit is up, who was waited for was late',
      (still, stopping) => {
        still.advance(1_000)
        stopping.abort(outOfTime())
      },
    ],
  ])('%s', async (_case, end) => {
    const audit = await behind((answer, index) => (index === 0 ? [answer] : 'silence'))
    const still = createFakeClock()
    let scheduled = 0
    const watched: FakeClock = {
      ...still,
      schedule: (...task) => {
        scheduled++
        return still.schedule(...task)
      },
    }
    const stopping = new AbortController()
    const by = world.askedFor(audit)[0]!
    const outcome = world.attempt(audit, by, { clock: watched, signal: stopping.signal })
    // The opening, the first answer, the part that does not come.
    await until(() => scheduled === 3, 'a part is waited for')
    end(still, stopping)
    expect(await outcome).toMatchObject({ type: 'missing', isBad: false })
  })
})
