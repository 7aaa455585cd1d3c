import { expect, test } from 'vitest'
import { milliseconds, type PeerId, peerId } from '../../../src/base/brand.ts'
import { createMemoryNetwork, type MemoryNetwork } from '../../../src/net/memory-network.ts'
import type { MemoryNetworkConditions } from '../../../src/net/memory-transit.ts'
import type { Wire } from '../../../src/net/wire.ts'
import { codeFrom } from '../../contract/wire-world.ts'
import { createFakeClock, type FakeClock } from '../../fake-clock.ts'

const TOPIC = 'dllm/test/1'
const PROTOCOL = '/dllm/test/1'
const OPTIONS = { messageBytesMax: 100, channelsPerPeerMax: 10 }
const CALM: MemoryNetworkConditions = {
  seed: 1n,
  delayMs: { least: 0, most: 0 },
  newsLoss: 0,
  newsDuplication: 0,
  channelCut: 0,
}

interface Scene {
  readonly network: MemoryNetwork
  readonly clock: FakeClock
  readonly wires: readonly Wire[]
  /** `receiver sender first-byte time` of each piece of news heard. */
  readonly heard: string[]
  /** Moves the clock a millisecond at a time, and lets everything that is ready happen in between. */
  run(forMs: number): Promise<void>
}

async function createScene(conditions: Partial<MemoryNetworkConditions>, peers = 5): Promise<Scene> {
  const clock = createFakeClock()
  const network = createMemoryNetwork({ clock }, { ...CALM, ...conditions })
  const heard: string[] = []
  const wires = Array.from({ length: peers }, (_, index) => {
    const wire = network.createMemoryWire({ peer: peerId(`p${index}`), listen: true })
    wire.subscribe(TOPIC, { messageBytesMax: 100 }, (message, from) => {
      heard.push(`${wire.peer} ${from} ${message[0]} ${clock.now()}`)
      return 'accept'
    })
    return wire
  })
  const run = async (forMs: number): Promise<void> => {
    for (let passed = 0; passed < forMs; passed++) {
      await settled()
      clock.advance(1)
    }
    await settled()
  }
  const connecting = connectAll(wires)
  await run(conditions.delayMs?.most ?? 0)
  await connecting
  return { network, clock, wires, heard, run }
}

async function connectAll(wires: readonly Wire[]): Promise<void> {
  const pairs = wires.flatMap((wire, index) => wires.slice(0, index).map((other) => [wire, other] as const))
  await Promise.allSettled(pairs.map(([wire, other]) => wire.connect(`/memory/${other.peer}`)))
}

/** After all microtasks. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

function tell(wire: Wire, value: number): Promise<number> {
  return wire.publish(TOPIC, new Uint8Array([value]))
}

const ROUGH = { seed: 42n, delayMs: { least: 1, most: 90 }, newsLoss: 0.2, newsDuplication: 0.3, channelCut: 0.01 }

/** Everything that happens among five peers under rough conditions, with a partition and a crash. */
async function story(seed: bigint): Promise<string> {
  const { network, clock, wires, heard, run } = await createScene({ ...ROUGH, seed })
  for (const wire of wires) {
    await wire.handle(PROTOCOL, OPTIONS, async (channel) => {
      for (let message = await channel.receive(); message; message = await channel.receive()) channel.send(message)
    })
  }
  const channels: Promise<void>[] = []
  const talk = async (from: Wire, to: Wire): Promise<void> => {
    try {
      const channel = await from.open({ peer: to.peer, addresses: to.addresses() }, PROTOCOL, OPTIONS)
      for (let value = 0; value < 30; value++) {
        channel.send(new Uint8Array([value]))
        heard.push(`${from.peer} echo ${(await channel.receive())?.[0]} ${clock.now()}`)
      }
      await channel.close()
    } catch (error) {
      heard.push(`${from.peer} ${await codeFrom(Promise.reject(error))} ${clock.now()}`)
    }
  }
  for (let value = 0; value < 40; value++) {
    const teller = wires[value % 4]!
    await codeFrom(tell(teller, value))
    if (value % 8 === 0) channels.push(talk(teller, wires[(value + 1) % 4]!))
    if (value === 10) network.partition([wires.slice(0, 2).map(({ peer }) => peer)])
    if (value === 20) network.heal()
    if (value === 21) void connectAll(wires)
    if (value === 30) network.kill(wires[4]!.peer)
    await run(20)
  }
  await run(5_000)
  await Promise.all(channels)
  return heard.join('\n')
}

test('the same seed tells the same story to the letter, and another seed another one', async () => {
  const first = await story(7n)
  expect(first.split('\n').length).toBeGreaterThan(80)
  expect(await story(7n)).toBe(first)
  expect(await story(8n)).not.toBe(first)
})

test('delays stay within their range, and news overtakes news', async () => {
  const { clock, wires, heard, run } = await createScene({ delayMs: { least: 10, most: 50 } }, 2)
  const start = clock.now()
  for (let value = 0; value < 100; value++) await tell(wires[0]!, value)
  await run(60)
  const arrivals = heard.map((line) => line.split(' ').map(Number).slice(2)) as [number, number][]
  expect(arrivals).toHaveLength(100)
  for (const [, atMs] of arrivals) {
    expect(atMs - start).toBeGreaterThanOrEqual(10)
    expect(atMs - start).toBeLessThanOrEqual(50)
  }
  const order = arrivals.map(([value]) => value)
  expect(order).not.toEqual(order.toSorted((a, b) => a - b))
})

test('a channel keeps its order under random delays', async () => {
  const { wires, run } = await createScene({ delayMs: { least: 1, most: 50 } }, 2)
  const [a, b] = wires as [Wire, Wire]
  const received: number[] = []
  await b.handle(PROTOCOL, OPTIONS, async (channel) => {
    for (let message = await channel.receive(); message; message = await channel.receive()) received.push(message[0]!)
  })
  const opening = a.open({ peer: b.peer, addresses: [] }, PROTOCOL, OPTIONS)
  await run(150)
  const channel = await opening
  for (let value = 0; value < 100; value++) channel.send(new Uint8Array([value]))
  await run(60)
  expect(received).toEqual(Array.from({ length: 100 }, (_, value) => value))
})

test.each([
  ['loss', { newsLoss: 1 }, 0],
  ['duplication', { newsDuplication: 1 }, 1],
])('with certain %s, news is heard this often by a neighbour', async (_what, conditions, times) => {
  const { wires, heard, run } = await createScene(conditions, 2)
  expect(await tell(wires[0]!, 1)).toBe(1)
  await run(1)
  expect(heard).toHaveLength(times)
})

test('a channel that is cut by chance is cut for both sides, and its connection stays', async () => {
  const { network, wires, run } = await createScene({}, 2)
  const [a, b] = wires as [Wire, Wire]
  const codes: (string | undefined)[] = []
  await b.handle(PROTOCOL, OPTIONS, async (channel) => {
    codes.push(await codeFrom(channel.receive()))
  })
  const channel = await a.open({ peer: b.peer, addresses: [] }, PROTOCOL, OPTIONS)
  network.setConditions({ ...CALM, channelCut: 1 })
  channel.send(new Uint8Array([1]))
  codes.push(await codeFrom(channel.receive()))
  await run(1)
  expect(codes).toEqual(['WIRE_CHANNEL_CUT', 'WIRE_CHANNEL_CUT'])
  expect(a.connectedPeers()).toEqual([b.peer])
})

test('a partition parts its groups, keeps them together inside, and holds for newcomers until it is healed', async () => {
  const { network, wires, heard, run } = await createScene({})
  const [a, b, c] = wires as [Wire, Wire, Wire]
  network.partition([
    [a.peer, b.peer],
    [c.peer, peerId('late')],
  ])
  const seenBy = (wire: Wire): PeerId[] => [...wire.connectedPeers()]
  expect([seenBy(a), seenBy(b), seenBy(c)]).toEqual([[b.peer], [a.peer], []])
  expect(seenBy(wires[3]!)).toEqual([wires[4]!.peer])
  const late = network.createMemoryWire({ peer: peerId('late'), listen: true })
  expect(await codeFrom(late.connect(`/memory/${a.peer}`))).toBe('WIRE_PEER_UNREACHABLE')
  expect(await late.connect(`/memory/${c.peer}`)).toBe(c.peer)
  await tell(a, 1)
  await run(1)
  expect(heard.map((line) => line.split(' ')[0])).toEqual(['p1'])
  network.heal()
  expect(seenBy(a)).toEqual([b.peer])
  expect(await late.connect(`/memory/${a.peer}`)).toBe(a.peer)
})

test('what was on its way when a connection broke does not arrive on the next one', async () => {
  const { network, wires, heard, run } = await createScene({ delayMs: { least: 20, most: 20 } }, 2)
  const [a, b] = wires as [Wire, Wire]
  await tell(a, 1)
  network.cut(a.peer, b.peer)
  network.heal(a.peer, b.peer)
  const connecting = a.connect(`/memory/${b.peer}`)
  await run(30)
  await connecting
  await tell(a, 2)
  await run(30)
  expect(heard.map((line) => line.split(' ')[2])).toEqual(['2'])
})

test('a held pair gets its news at the release', async () => {
  const { network, wires, heard, run } = await createScene({}, 2)
  const [a, b] = wires as [Wire, Wire]
  network.hold(a.peer, b.peer)
  await tell(a, 1)
  await tell(a, 2)
  await run(5)
  expect(heard).toEqual([])
  network.release(a.peer, b.peer)
  await run(1)
  expect(heard.map((line) => line.split(' ')[2])).toEqual(['1', '2'])
})

test('a peer that crashed comes back under its name, and is dialled again by those that stay connected to it', async () => {
  const clock = createFakeClock()
  const network = createMemoryNetwork({ clock })
  const server = (): Wire => network.createMemoryWire({ peer: peerId('server'), listen: true })
  const first = server()
  const client = network.createMemoryWire({ listen: false, bootstrap: ['/memory/server'] })
  await settled()
  expect(client.connectedPeers()).toEqual([first.peer])
  network.kill(first.peer)
  expect(client.connectedPeers()).toEqual([])
  expect(await codeFrom(first.publish(TOPIC, new Uint8Array(1)))).toBe('WIRE_STOPPED')
  const second = server()
  clock.advance(milliseconds(10_000))
  await settled()
  expect(client.connectedPeers()).toEqual([second.peer])
  await client.stop()
})

test('news heard again after two minutes is news again', async () => {
  const { clock, wires, heard, run } = await createScene({}, 2)
  await tell(wires[0]!, 1)
  clock.advance(119_000)
  expect(await tell(wires[0]!, 1)).toBe(0)
  clock.advance(1_000)
  expect(await tell(wires[0]!, 1)).toBe(1)
  await run(1)
  expect(heard).toHaveLength(2)
})
