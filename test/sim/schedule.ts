/**
 * Misfortunes by seed: what is done to a world and when, and how everything is mended at the end.
 * @module
 */
import type { MemoryNetworkConditions } from '../../src/net/memory-transit.ts'
import { createChance } from './faults.ts'
import { startMachine } from './machine.ts'
import type { World } from './world.ts'

/** A local network on a good day. */
export const CALM: Omit<MemoryNetworkConditions, 'seed'> = {
  delayMs: { least: 1, most: 20 },
  newsLoss: 0,
  newsDuplication: 0,
  channelCut: 0,
}

export function schedule(_world: World, _chaosMs: number): void {
  createChance(0)
}

export function mend(world: World): void {
  for (const machine of world.machines) startMachine(machine, world)
}
