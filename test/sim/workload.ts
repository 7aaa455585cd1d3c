/**
 * People who use the network, by seed.
 * @module
 */
import type { World } from './world.ts'

export interface WorkloadCounts {
  taken: number
  /** By the code of the refusal. */
  readonly refused: Map<string, number>
}

export function startWorkload(_world: World): WorkloadCounts {
  return { taken: 0, refused: new Map() }
}
