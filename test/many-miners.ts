/**
 * A model with as many placements and lots as there can be, for tests of what leases cost.
 * @module
 */
import { type AccountId, accountId, type Hash, hash } from '../src/base/brand.ts'
import { MARKET_LIMITS } from '../src/base/chain-limits.ts'
import { newMiner, putMiner } from '../src/core/state/miners.ts'
import { newModel, putModel } from '../src/core/state/models.ts'
import { putPlacement } from '../src/core/state/placements.ts'
import { createStateStore, overlayOn, type StateStore } from '../src/core/state/state.ts'
import { DLLM, person } from './chain-accounts.ts'

export const WIDE_MODEL: Hash = hash('b4'.repeat(32))
/** A lot each. */
export const LOTS: number = MARKET_LIMITS.leaseLotsMax

/** The account of a miner by number. */
export function minerOf(index: number): AccountId {
  return accountId(index.toString(16).padStart(40, '0'))
}

/** A state of nothing but this: deposits came from nowhere. Every miner serves all segments, with `slots` slots. */
export function crowdedState(count: number, slots = 1_000): StateStore {
  const state = overlayOn(createStateStore([]))
  const segments = Array.from({ length: LOTS }, () => ({ linear: 60_000_000n, attention: 8_192n }))
  const terms = { name: 'wide', context: 4_096, price: 100n, segments }
  putModel(state, WIDE_MODEL, newModel(terms, { publisher: person(4).id, height: 1 }))
  for (let index = 0; index < count; index++) {
    const operator = minerOf(index)
    const peerKey = new Uint8Array(32)
    new DataView(peerKey.buffer).setUint32(0, index)
    const miner = newMiner({ payout: operator, peerKey, device: 'gpu' }, 1)
    putMiner(state, operator, { ...miner, deposit: 1_000n * DLLM, workRate: BigInt(index) << 20n })
    const run = { first: 0, end: LOTS, slots, used: 0 }
    putPlacement(
      state,
      { model: WIDE_MODEL, operator },
      { ...run, bid: BigInt(index % 50), until: 300, incarnation: 0n },
    )
  }
  return createStateStore(state.changes())
}
