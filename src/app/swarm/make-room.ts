/**
 * Which peer of a download makes room for another one, where more could be asked than are. Pure.
 * Spec: docs/spec/shards.md §6.
 * @module
 */
import type { PeerId } from '../../base/brand.ts'
import type { PeerRate } from './schedule.ts'

/** Who has nothing to give goes first, then the slowest; whoever is at its first chunk has not shown yet how fast it is. */
export function whoMakesRoom(peers: readonly PeerRate[]): PeerId | undefined {
  const shown = peers.filter(({ bytesPerSecond, underWay }) => bytesPerSecond !== undefined || underWay === 0)
  const [least] = shown.toSorted((a, b) => (a.bytesPerSecond ?? 0) - (b.bytesPerSecond ?? 0))
  return least?.peer
}
