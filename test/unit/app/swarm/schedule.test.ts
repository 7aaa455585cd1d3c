import { expect, test } from 'vitest'
import { createSchedule } from '../../../../src/app/swarm/schedule.ts'
import { milliseconds, peerId } from '../../../../src/base/brand.ts'
import { SHARD_LIMITS, SWARM_LIMITS } from '../../../../src/base/swarm-limits.ts'
import { CHUNK_BYTES } from '../../../../src/ml/chunk-tree.ts'
import { mapOf } from '../../../swarm-world.ts'

const BYTES = 400 * CHUNK_BYTES - 5
const ALL = mapOf(BYTES, () => true)
const NONE = mapOf(BYTES, () => false)
const at = milliseconds

function scheduleWith(peers: number): ReturnType<typeof createSchedule> {
  const schedule = createSchedule(1n)
  schedule.addFile(BYTES, NONE)
  for (let number = 0; number < peers; number++) {
    schedule.addPeer(peerId(`peer-${number}`), at(0))
    schedule.setHoldings(peerId(`peer-${number}`), 0, ALL)
  }
  return schedule
}

test('a peer that has brought nothing yet is asked for one chunk, so that a liar costs one', () => {
  const asks = scheduleWith(3).next(at(0))
  expect(asks.map(({ peer }) => peer).sort()).toEqual(['peer-0', 'peer-1', 'peer-2'])
  expect(new Set(asks.map(({ index }) => index)).size).toBe(3)
})

test.each([
  ['of one peer', 1, SHARD_LIMITS.chunksAskedMax],
  ['of the memory', 8, SWARM_LIMITS.chunksInFlightMax],
])('chunks on the way stay within the bound %s', (_what, peers, most) => {
  const schedule = scheduleWith(peers)
  let waiting = schedule.next(at(0))
  let underWay = 0
  for (let nowMs = 100; schedule.leftBytes > 0; nowMs += 100) {
    // All that was asked for comes at once after 100 ms: as over a very long, very wide line.
    for (const ask of waiting) schedule.arrived(ask, at(nowMs))
    waiting = schedule.next(at(nowMs))
    underWay = Math.max(underWay, schedule.underWay)
  }
  expect(underWay).toBe(most)
})

test('the caller can ask for fewer than may be on the way', () => {
  expect(scheduleWith(5).next(at(0), 2)).toHaveLength(2)
})

test('what is here already is not asked for', () => {
  const schedule = createSchedule(1n)
  const bytes = 9 * CHUNK_BYTES
  schedule.addFile(
    bytes,
    mapOf(bytes, (index) => index !== 8),
  )
  schedule.addPeer(peerId('a'), at(0))
  schedule.setHoldings(peerId('a'), 0, ALL)
  expect(schedule.next(at(0))).toEqual([{ peer: 'a', file: 0, index: 8, bytes: CHUNK_BYTES }])
  expect(schedule.leftBytes).toBe(CHUNK_BYTES)
})

test('a peer that does not have what it said is not asked for it again, and is told apart when it goes on so', () => {
  const schedule = scheduleWith(1)
  const denied = new Set<number>()
  for (;;) {
    const [ask] = schedule.next(at(0))
    expect(denied.has(ask!.index)).toBe(false)
    denied.add(ask!.index)
    if (schedule.denied(ask!)) break
  }
  expect(denied.size).toBe(SWARM_LIMITS.deniedMax)
})

test('a peer that owes a chunk for too long is silent, one that owes nothing is not', () => {
  const schedule = scheduleWith(2)
  const asks = schedule.next(at(0), 2)
  schedule.arrived(asks[0]!, at(1_000))
  const [more] = schedule.next(at(1_000), 1)
  expect(more!.peer).toBe(asks[0]!.peer)
  expect(schedule.silentPeers(at(SWARM_LIMITS.silenceMs))).toEqual([])
  expect(schedule.silentPeers(at(SWARM_LIMITS.silenceMs + 1))).toEqual([asks[1]!.peer])
})

test('while nothing has come, and nobody knows how fast the line is, a peer may take long', () => {
  const schedule = scheduleWith(2)
  const [ask] = schedule.next(at(0), 1)
  expect(schedule.silentPeers(at(SWARM_LIMITS.silenceMsMax))).toEqual([])
  expect(schedule.silentPeers(at(SWARM_LIMITS.silenceMsMax + 1))).toEqual([ask!.peer])
})

test('what a lost peer owed is asked of another one, and comes in at any time', () => {
  const schedule = scheduleWith(1)
  const [ask] = schedule.next(at(0))
  expect(schedule.dropPeer(peerId('peer-0'))).toEqual([ask])
  expect(schedule.dropPeer(peerId('peer-0'))).toEqual([])
  expect(schedule.missingEverywhere()).toBe(400)
  schedule.addPeer(peerId('b'), at(1))
  schedule.setHoldings(
    peerId('b'),
    0,
    mapOf(BYTES, (index) => index === ask!.index),
  )
  const [again] = schedule.next(at(1))
  expect(again).toEqual({ ...ask, peer: 'b' })
  // It had been written before the connection broke.
  expect(schedule.arrived(ask!, at(2))).toEqual({ isNew: true, cancel: [again] })
  expect(schedule.arrived(again!, at(3))).toEqual({ isNew: false, cancel: [] })
})

test('the last chunk is asked of a second peer where that will be sooner, and the first one is told', () => {
  const schedule = createSchedule(1n)
  schedule.addFile(3 * CHUNK_BYTES, new Uint8Array(1))
  for (const name of ['slow', 'fast']) {
    schedule.addPeer(peerId(name), at(0))
    schedule.setHoldings(peerId(name), 0, Uint8Array.of(7))
  }
  const [slow, fast] = schedule.next(at(0)).sort((a, b) => b.peer.localeCompare(a.peer))
  schedule.arrived(fast!, at(10))
  const asks = schedule.next(at(10))
  // The third chunk, and that of the slow peer, which is expected to take a second.
  expect(asks.map(({ peer }) => peer)).toEqual(['fast', 'fast'])
  const twice = asks.find(({ index }) => index === slow!.index)!
  expect(schedule.arrived(twice, at(20))).toEqual({ isNew: true, cancel: [slow] })
})
