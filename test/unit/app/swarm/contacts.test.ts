import { expect, test } from 'vitest'
import { type Contacts, createContacts } from '../../../../src/app/swarm/contacts.ts'
import { createSystem } from '../../../../src/app/system.ts'
import { peerId } from '../../../../src/base/brand.ts'
import { SWARM_LIMITS } from '../../../../src/base/swarm-limits.ts'
import { createFakeClock, type FakeClock } from '../../../fake-clock.ts'
import { type MemoryPeer, memorySwarm } from '../../../memory-swarm.ts'

const { log } = createSystem({ level: 'silent' })
const peers = (count: number): MemoryPeer[] =>
  Array.from({ length: count }, (_, number) => ({ name: `peer-${number}`, files: [] }))

interface World {
  readonly swarm: ReturnType<typeof memorySwarm>
  readonly time: FakeClock
  readonly contacts: Contacts
  readonly given: string[]
  /** Lets so much time pass, and everything happen in it. */
  pass(ms: number): Promise<void>
}

async function createWorld(swarm: ReturnType<typeof memorySwarm>): Promise<World> {
  const time = createFakeClock()
  const given: string[] = []
  const contacts = createContacts(swarm, ({ peer }) => void given.push(peer), { clock: time, log })
  const pass = async (ms: number): Promise<void> => {
    for (let passed = 0; passed <= ms; passed += 500) {
      for (let turn = 0; turn < 40; turn++) await new Promise((resolve) => setImmediate(resolve))
      time.advance(Math.min(500, ms - passed))
    }
  }
  await pass(0)
  return { swarm, time, contacts, given, pass }
}

test('every peer that is found is opened once, up to a bound', async () => {
  const world = await createWorld(memorySwarm(peers(SWARM_LIMITS.peersMax + 5)))
  await world.pass(20_000)
  expect(world.given).toHaveLength(SWARM_LIMITS.peersMax)
  expect(new Set(world.given).size).toBe(SWARM_LIMITS.peersMax)
  expect(world.contacts.counts()).toMatchObject({ found: SWARM_LIMITS.peersMax, isCrowded: true })
  for (const peer of world.given.slice(0, 8)) world.contacts.ban(peerId(peer))
  await world.pass(2 * SWARM_LIMITS.lookMsMax)
  expect(new Set(world.given).size).toBe(SWARM_LIMITS.peersMax + 5)
  expect(world.contacts.counts().isCrowded).toBe(false)
  await world.contacts.close()
})

test('no more peers are remembered than there is a bound for', async () => {
  const world = await createWorld(memorySwarm(peers(SWARM_LIMITS.rememberedPeersMax + 5)))
  for (let round = 0; round < 60; round++) {
    for (const peer of world.given.splice(0)) world.contacts.ban(peerId(peer))
    await world.pass(SWARM_LIMITS.lookMs)
    if (world.contacts.counts().banned >= SWARM_LIMITS.rememberedPeersMax) break
  }
  await world.pass(SWARM_LIMITS.lookMsMax)
  expect(world.contacts.counts().found).toBe(SWARM_LIMITS.rememberedPeersMax)
  await world.contacts.close()
})

test('however many peers there are said to be that nobody can reach, those that can be are', async () => {
  const many = SWARM_LIMITS.rememberedPeersMax + 20
  const swarm = memorySwarm(peers(many))
  const last = peerId(`peer-${many - 1}`)
  const open: typeof swarm.open = (peer, signal) => {
    if (peer.peer !== last) throw new Error('nobody answers')
    return swarm.open(peer, signal)
  }
  const world = await createWorld({ ...swarm, busy: 0, open })
  for (let round = 0; round < 5 && world.given.length === 0; round++) await world.pass(SWARM_LIMITS.lookMs)
  expect(world.given).toEqual([last])
  expect(world.contacts.counts().found).toBeLessThanOrEqual(SWARM_LIMITS.rememberedPeersMax)
  await world.contacts.close()
})

test('a peer that is lost comes back, later each time; one that was of use begins anew', async () => {
  const world = await createWorld(memorySwarm(peers(1)))
  const peer = peerId('peer-0')
  const backAfterMs = async (): Promise<number> => {
    const before = world.given.length
    const lostMs = world.time.now()
    world.contacts.lose(peer)
    while (world.given.length === before) await world.pass(500)
    return world.time.now() - lostMs
  }
  const waits = [await backAfterMs(), await backAfterMs(), await backAfterMs(), await backAfterMs()]
  expect(waits[3]!).toBeGreaterThan(waits[0]! * 2)
  expect(waits[3]!).toBeLessThan(SWARM_LIMITS.returnMsMax + 2 * SWARM_LIMITS.lookMsMax)
  world.contacts.praise(peer)
  expect(await backAfterMs()).toBeLessThan(waits[3]!)
  await world.contacts.close()
})

test('a banned peer is not opened again, and its source is closed', async () => {
  const world = await createWorld(memorySwarm(peers(2)))
  world.contacts.ban(peerId('peer-0'))
  world.contacts.lose(peerId('peer-0'))
  await world.pass(200_000)
  expect(world.swarm.opened.get(peerId('peer-0'))).toBe(1)
  expect(world.contacts.counts()).toMatchObject({ found: 2, reached: 2, banned: 1 })
  await world.contacts.close()
})

test('peers that cannot be reached and searches that fail are tried again', async () => {
  const swarm = memorySwarm(peers(1))
  let searches = 0
  let opens = 0
  const world = await createWorld({
    ...swarm,
    busy: 0,
    search: (signal) => {
      if (searches++ % 2 === 0) throw new Error('nobody to ask')
      return swarm.search(signal)
    },
    open: (peer, signal) => {
      if (opens++ < 2) throw new Error('nobody answers')
      return swarm.open(peer, signal)
    },
  })
  await world.pass(120_000)
  expect(world.given).toEqual(['peer-0'])
  expect(opens).toBe(3)
  await world.contacts.close()
})
