/** Downloads over lines so slow that one chunk of each peer takes longer than a peer may be silent on a fast one. */
import { expect, test } from 'vitest'
import { type Ask, createSchedule } from '../../src/app/swarm/schedule.ts'
import { milliseconds, type PeerId, peerId } from '../../src/base/brand.ts'
import { DEADLINES } from '../../src/base/limits.ts'
import { SHARD_LIMITS, SWARM_LIMITS } from '../../src/base/swarm-limits.ts'
import { CHUNK_BYTES } from '../../src/ml/chunk-tree.ts'
import { mapOf } from '../swarm-world.ts'

const STEP_MS = 100

/**
 * All peers share the line of the downloader. Peers that count as silent, or bring less than the floor, are lost with what was on the way, and come back.
 * Ends with the time it took.
 */
function downloadOver({ peers, bytesPerSecond }: { readonly peers: number; readonly bytesPerSecond: number }): number {
  const bytes = 64 * CHUNK_BYTES
  const schedule = createSchedule(1n)
  schedule.addFile(
    bytes,
    mapOf(bytes, () => false),
  )
  const owed = new Map<PeerId, { readonly ask: Ask; left: number }[]>()
  const away = new Map<PeerId, number>(
    Array.from({ length: peers }, (_, number) => [peerId(`peer-${number}`), 0] as const),
  )
  const watched = new Map<PeerId, { readonly sinceMs: number; bytes: number }>()
  for (let nowMs = 0; ; nowMs += STEP_MS) {
    for (const [peer, untilMs] of away) {
      if (untilMs > nowMs) continue
      away.delete(peer)
      owed.set(peer, [])
      schedule.addPeer(peer, milliseconds(nowMs))
      schedule.setHoldings(
        peer,
        0,
        mapOf(bytes, () => true),
      )
    }
    for (const ask of schedule.next(milliseconds(nowMs))) owed.get(ask.peer)!.push({ ask, left: ask.bytes })
    const busy = [...owed.values()].filter((queue) => queue.length > 0)
    for (const [peer, queue] of owed) {
      if (queue.length === 0) {
        watched.delete(peer)
        continue
      }
      const share = (bytesPerSecond * STEP_MS) / 1_000 / busy.length
      queue[0]!.left -= share
      const watch = watched.get(peer) ?? { sinceMs: nowMs, bytes: 0 }
      watched.set(peer, watch)
      watch.bytes += share
      if (queue[0]!.left > 0) continue
      const { cancel } = schedule.arrived(queue.shift()!.ask, milliseconds(nowMs))
      for (const { peer, index } of cancel) {
        const rest = owed.get(peer)!.filter(({ ask }) => ask.index !== index)
        owed.set(peer, rest)
      }
    }
    const slow = [...watched].flatMap(([peer, watch]) => {
      if (nowMs - watch.sinceMs < DEADLINES.shardFloorMs) return []
      watched.delete(peer)
      return watch.bytes < (SHARD_LIMITS.floorBytesPerSecond * DEADLINES.shardFloorMs) / 1_000 ? [peer] : []
    })
    for (const peer of [...schedule.silentPeers(milliseconds(nowMs)), ...slow]) {
      watched.delete(peer)
      schedule.dropPeer(peer)
      owed.delete(peer)
      away.set(peer, nowMs + SWARM_LIMITS.returnMs)
    }
    if (schedule.leftBytes === 0) return nowMs
    if (nowMs > (4 * bytes * 1_000) / bytesPerSecond) throw new Error(`${schedule.leftBytes} bytes are missing still`)
  }
}

test.each([
  ['one peer that is slow', 1, 40 * 1_024],
  ['20 peers at 10 Mbit/s', 20, 1_250_000],
  ['32 peers at 4 Mbit/s', 32, 500_000],
  ['32 peers at 1 Mbit/s', 32, 125_000],
])('a slow line is full all the time: %s', (_what, peers, bytesPerSecond) => {
  const leastMs = (64 * CHUNK_BYTES * 1_000) / bytesPerSecond
  expect(downloadOver({ peers, bytesPerSecond })).toBeLessThan(1.25 * leastMs)
})
