/**
 * What every Wire must do with news. `wire.test.ts` runs it over memory and TCP.
 * @module
 */
import { describe, expect, test } from 'vitest'
import type { PeerId } from '../../src/base/brand.ts'
import { WIRE_LIMITS } from '../../src/base/limits.ts'
import type { NewsHandler, Topic, Verdict, Wire } from '../../src/net/wire.ts'
import { addressOf, codeFrom, ECHO, echo, OPTIONS, useWires, type WireWorld } from './wire-world.ts'

const TOPIC = 'dllm/test-news/1'
const POLL = { timeout: 10_000 }

/** What one wire hears of a topic, as text. */
interface Ear {
  readonly heard: string[]
  readonly from: PeerId[]
}

function listen(wire: Wire, verdictOn: (text: string) => Verdict | Promise<Verdict> = () => 'accept'): Ear {
  const ear: Ear = { heard: [], from: [] }
  const handler: NewsHandler = (message, from) => {
    const text = new TextDecoder().decode(message)
    ear.heard.push(text)
    ear.from.push(from)
    return verdictOn(text)
  }
  wire.subscribe(TOPIC, { messageBytesMax: WIRE_LIMITS.newsMessageBytesMax }, handler)
  return ear
}

function tell(wire: Wire, text: string, topic: Topic = TOPIC): Promise<number> {
  return wire.publish(topic, new TextEncoder().encode(text))
}

/** Tells until the other end of a line hears it: from then on everybody knows who listens. */
async function warmUp(wire: Wire, ear: Ear): Promise<void> {
  let count = 0
  await expect
    .poll(async () => {
      if (ear.heard.length === 0) await tell(wire, `warm-up ${count++}`)
      return ear.heard.length
    }, POLL)
    .toBeGreaterThan(0)
}

function told(ear: Ear): string[] {
  return ear.heard.filter((text) => !text.startsWith('warm-up'))
}

export function describeNews(name: string, createWorld: () => Promise<WireWorld>): void {
  describe(`${name} wire, news`, () => {
    const wires = useWires(createWorld)

    /** Three wires in a line; the middle one knows the other two, which do not know each other. */
    async function createLine(): Promise<[Wire, Wire, Wire]> {
      const last = await wires.world.createWire({ listen: false })
      await wires.client.connect(wires.server.addresses()[0]!)
      await last.connect(wires.server.addresses()[0]!)
      return [wires.client, wires.server, last]
    }

    test('told right after connecting reaches the peer, and not the teller', async () => {
      const [ours, theirs] = [listen(wires.client), listen(wires.server)]
      await wires.client.connect(wires.server.addresses()[0]!)
      expect(await tell(wires.client, 'first')).toBe(1)
      await expect.poll(() => theirs.heard, POLL).toEqual(['first'])
      expect(theirs.from).toEqual([wires.client.peer])
      expect(ours.heard).toEqual([])
    })

    test('goes along a line, from peer to peer, each once', async () => {
      const [a, b, c] = await createLine()
      const ears = [listen(a), listen(b), listen(c)] as const
      await warmUp(a, ears[2])
      await tell(a, 'news')
      await expect.poll(() => told(ears[2]), POLL).toEqual(['news'])
      expect(new Set(ears[2].from)).toEqual(new Set([b.peer]))
      await tell(c, 'back')
      await expect.poll(() => told(ears[0]), POLL).toEqual(['back'])
      expect([told(ears[1]), told(ears[2])]).toEqual([['news', 'back'], ['news']])
    })

    test('can be told by a peer that does not listen', async () => {
      const ear = listen(wires.server)
      await wires.client.connect(wires.server.addresses()[0]!)
      expect(await tell(wires.client, 'a word')).toBe(1)
      await expect.poll(() => ear.heard, POLL).toEqual(['a word'])
    })

    test('told twice, or by two peers, is heard once', async () => {
      const [a, b, c] = await createLine()
      const ears = [listen(a), listen(b), listen(c)] as const
      await warmUp(a, ears[2])
      await Promise.all([tell(a, 'same'), tell(c, 'same')])
      expect(await tell(a, 'same')).toBe(0)
      await expect.poll(() => told(ears[1]), POLL).toEqual(['same'])
      expect(await tell(b, 'same')).toBe(0)
      await tell(a, 'end')
      await expect.poll(() => told(ears[2]).at(-1), POLL).toBe('end')
      expect([told(ears[0]), told(ears[1]), told(ears[2])]).toEqual([[], ['same', 'end'], ['end']])
    })

    test('of another topic is other news, even with the same words', async () => {
      const other: string[] = []
      wires.server.subscribe('dllm/other-news/1', { messageBytesMax: 100 }, (message) => {
        other.push(new TextDecoder().decode(message))
        return 'accept'
      })
      const ear = listen(wires.server)
      await wires.client.connect(wires.server.addresses()[0]!)
      expect(await tell(wires.client, 'words')).toBe(1)
      expect(await tell(wires.client, 'words', 'dllm/other-news/1')).toBe(1)
      await expect.poll(() => [ear.heard, other], POLL).toEqual([['words'], ['words']])
    })

    test('is neither heard nor passed on by peers that do not listen', async () => {
      const [a, , c] = await createLine()
      const ear = listen(c)
      expect(await tell(a, 'nobody listens')).toBe(0)
      expect(ear.heard).toEqual([])
    })

    test('of 1 MiB passes along a line', async () => {
      const [a, b, c] = await createLine()
      const ears = [listen(b), listen(c)] as const
      await warmUp(a, ears[1])
      const long = 'x'.repeat(WIRE_LIMITS.newsMessageBytesMax)
      await tell(a, long)
      await expect.poll(() => told(ears[1]).map(({ length }) => length), POLL).toEqual([long.length])
    })

    test('over the limit is refused by the teller and by the listener', async () => {
      const heard: number[] = []
      wires.server.subscribe(TOPIC, { messageBytesMax: 100 }, ({ length }) => {
        heard.push(length)
        return 'accept'
      })
      wires.client.subscribe(TOPIC, { messageBytesMax: 200 }, () => 'accept')
      await wires.client.connect(wires.server.addresses()[0]!)
      expect(await codeFrom(wires.client.publish(TOPIC, new Uint8Array(201)))).toBe('WIRE_MESSAGE_TOO_LONG')
      const tooLong = new Uint8Array(WIRE_LIMITS.newsMessageBytesMax + 1)
      expect(await codeFrom(wires.client.publish('dllm/unheard-of/1', tooLong))).toBe('WIRE_MESSAGE_TOO_LONG')
      expect(await wires.client.publish(TOPIC, new Uint8Array(200))).toBe(1)
      expect(await wires.client.publish(TOPIC, new Uint8Array(100))).toBe(1)
      await expect.poll(() => heard, POLL).toEqual([100])
    })

    test('waits for its verdict before it goes on, and holds nothing else up', async () => {
      const verdict = Promise.withResolvers<Verdict>()
      const [a, b, c] = await createLine()
      const ears = [listen(b, (text) => (text === 'slow' ? verdict.promise : 'accept')), listen(c)] as const
      await warmUp(a, ears[1])
      await tell(a, 'slow')
      await tell(a, 'quick')
      await expect.poll(() => told(ears[1]), POLL).toEqual(['quick'])
      expect(told(ears[0])).toEqual(['slow', 'quick'])
      verdict.resolve('accept')
      await expect.poll(() => told(ears[1]), POLL).toEqual(['quick', 'slow'])
    })

    test.each([
      ['ignored', () => 'ignore' as const, []],
      ['rejected', () => 'reject' as const, []],
      [
        'met with an exception',
        () => {
          throw new Error('this handler is broken')
        },
        ['wire.news_failed'],
      ],
    ])('that is %s does not go on', async (_what, verdictOnBad, events) => {
      const [a, b, c] = await createLine()
      const ears = [listen(b, (text) => (text === 'bad' ? verdictOnBad() : 'accept')), listen(c)] as const
      await warmUp(a, ears[1])
      await tell(a, 'bad')
      await tell(a, 'good')
      await expect.poll(() => told(ears[1]), POLL).toEqual(['good'])
      expect(told(ears[0])).toEqual(['bad', 'good'])
      expect(wires.world.logged.filter((event) => event.startsWith('wire.news_'))).toEqual(events)
      expect(b.connectedPeers()).toContain(a.peer)
    })

    test('that is rejected too often gets its teller banned, but not who passes nothing bad on', async () => {
      const [a, b, c] = await createLine()
      const ears = [listen(b, (text) => (text.startsWith('bad') ? 'reject' : 'accept')), listen(c)] as const
      await b.handle(ECHO, OPTIONS, echo)
      await warmUp(a, ears[1])
      for (let count = 0; count < 7; count++) await tell(a, `bad ${count}`)
      await expect.poll(() => b.connectedPeers(), POLL).toEqual([c.peer])
      expect(await codeFrom(a.open(addressOf(b), ECHO, OPTIONS))).toBe('WIRE_PEER_UNREACHABLE')
      expect(told(ears[1])).toEqual([])
      wires.world.advance(60 * 60_000)
      expect(await codeFrom(a.open(addressOf(b), ECHO, OPTIONS))).toBe('no error')
    })

    test('ends with its wire', async () => {
      const ear = listen(wires.server)
      listen(wires.client)
      await wires.client.connect(wires.server.addresses()[0]!)
      expect(await tell(wires.client, 'before')).toBe(1)
      await expect.poll(() => ear.heard, POLL).toEqual(['before'])
      await wires.server.stop()
      await expect.poll(() => wires.client.connectedPeers(), POLL).toEqual([])
      expect(await tell(wires.client, 'after')).toBe(0)
      expect(ear.heard).toEqual(['before'])
      expect(await codeFrom(tell(wires.server, 'late'))).toBe('WIRE_STOPPED')
      expect(await codeFrom(() => listen(wires.server))).toBe('WIRE_STOPPED')
    })

    test('told just before the wire stops still arrives', async () => {
      const ear = listen(wires.server)
      await wires.client.connect(wires.server.addresses()[0]!)
      await tell(wires.client, 'last words')
      await wires.client.stop()
      await expect.poll(() => ear.heard, POLL).toEqual(['last words'])
    })
  })
}
