import { expect, test } from 'vitest'
import { milliseconds, peerId } from '../../../src/base/brand.ts'
import type { Clock } from '../../../src/base/ports.ts'
import { createMemoryNetwork, type MemoryNetwork } from '../../../src/net/memory-network.ts'
import type { Channel, Wire } from '../../../src/net/wire.ts'
import { codeFrom } from '../../contract/wire-world.ts'

const PROTOCOL = '/dllm/test/1'
const OPTIONS = { messageBytesMax: 100, channelsPerPeerMax: 10 }
const A = peerId('a')
const B = peerId('b')

/** Time that moves when the test says so. */
function createManualClock(): { clock: Clock; advance: (byMs: number) => Promise<void> } {
  let now = 0
  const tasks: { atMs: number; task: () => void }[] = []
  const schedule: Clock['schedule'] = (delayMs, task) => {
    const entry = { atMs: now + delayMs, task }
    tasks.push(entry)
    return () => {
      const index = tasks.indexOf(entry)
      if (index >= 0) tasks.splice(index, 1)
    }
  }
  const clock: Clock = {
    now: () => milliseconds(now),
    wallMs: () => milliseconds(now),
    sleep: (delayMs) => new Promise((resolve) => schedule(delayMs, resolve)),
    schedule,
  }
  const advance = async (byMs: number): Promise<void> => {
    const until = now + byMs
    for (;;) {
      await settled()
      const next = tasks.filter(({ atMs }) => atMs <= until).sort((one, other) => one.atMs - other.atMs)[0]
      if (!next) break
      tasks.splice(tasks.indexOf(next), 1)
      now = next.atMs
      next.task()
    }
    now = until
  }
  return { clock, advance }
}

/** After all microtasks. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

interface Scene {
  readonly network: MemoryNetwork
  readonly a: Wire
  readonly b: Wire
  readonly ours: Channel
  readonly theirs: Channel
}

async function createScene(clock?: Clock): Promise<Scene> {
  const network = createMemoryNetwork(clock ? { clock } : {})
  const a = network.createMemoryWire({ peer: A, listen: true })
  const b = network.createMemoryWire({ peer: B, listen: true })
  const caught = Promise.withResolvers<Channel>()
  await b.handle(PROTOCOL, OPTIONS, async (channel) => {
    caught.resolve(channel)
    await new Promise(() => undefined)
  })
  const ours = await a.open({ peer: B, addresses: b.addresses() }, PROTOCOL, OPTIONS)
  return { network, a, b, ours, theirs: await caught.promise }
}

function open(a: Wire, b: Wire): Promise<unknown> {
  return a.open({ peer: b.peer, addresses: ['/memory/b'] }, PROTOCOL, OPTIONS)
}

test('a cut drops the channels and refuses dialling until it is healed', async () => {
  const { network, a, b, ours, theirs } = await createScene()
  network.cut(A, B)
  expect(await codeFrom(ours.receive())).toBe('WIRE_CHANNEL_CUT')
  expect(await codeFrom(theirs.receive())).toBe('WIRE_CHANNEL_CUT')
  expect(a.connectedPeers()).toEqual([])
  expect(await codeFrom(open(a, b))).toBe('WIRE_PEER_UNREACHABLE')
  network.heal(B, A)
  expect(await codeFrom(open(a, b))).toBe('no error')
})

test('a killed peer is cut off without an end marker, and its own calls say that it has stopped', async () => {
  const { network, a, b, ours, theirs } = await createScene()
  network.kill(B)
  expect(await codeFrom(ours.receive())).toBe('WIRE_CHANNEL_CUT')
  expect(await codeFrom(theirs.receive())).toBe('WIRE_CHANNEL_CUT')
  expect(await codeFrom(open(a, b))).toBe('WIRE_PEER_UNREACHABLE')
  expect(await codeFrom(b.ping(A))).toBe('WIRE_STOPPED')
})

test('a held pair delivers nothing and tells nobody until it is released', async () => {
  const { network, ours, theirs } = await createScene()
  network.hold(A, B)
  let arrived = false
  const waiting = theirs.receive().then((message) => {
    arrived = true
    return message
  })
  ours.send(new Uint8Array([1]))
  await settled()
  expect(arrived).toBe(false)
  network.release(A, B)
  expect(await waiting).toEqual(new Uint8Array([1]))
})

test('a delay holds every message back by its time, and keeps the order when it shrinks', async () => {
  const { clock, advance } = createManualClock()
  const { network, a, ours, theirs } = await createScene(clock)
  const arrivals: [number, number][] = []
  const reading = (async () => {
    for (let message = await theirs.receive(); message; message = await theirs.receive()) {
      arrivals.push([message[0]!, clock.now()])
    }
  })()
  network.delay(A, B, milliseconds(50))
  ours.send(new Uint8Array([1]))
  await advance(20)
  ours.send(new Uint8Array([2]))
  await advance(100)
  expect(arrivals).toEqual([
    [1, 50],
    [2, 70],
  ])
  const ping = a.ping(B)
  await advance(100)
  expect(await ping).toBe(100)
  const closing = ours.close()
  await advance(50)
  await Promise.all([closing, reading])
})

test('the same calls give the same order every time', async () => {
  async function trace(): Promise<string> {
    const { ours, theirs } = await createScene()
    const events: string[] = []
    let ended = 0
    const read = async (name: string, channel: Channel): Promise<void> => {
      for (let message = await channel.receive(); message; message = await channel.receive()) {
        events.push(`${name}${message[0]}`)
        if (message[0]! < 20) channel.send(new Uint8Array([message[0]! + 1]))
        else if (++ended === 3) await Promise.all([ours.close(), theirs.close()])
      }
    }
    const reading = [read('a', ours), read('b', theirs)]
    ours.send(new Uint8Array([0]))
    ours.send(new Uint8Array([10]))
    theirs.send(new Uint8Array([5]))
    await Promise.all(reading)
    return events.join(' ')
  }
  const first = await trace()
  expect(first.length).toBeGreaterThan(40)
  expect(await trace()).toBe(first)
})
