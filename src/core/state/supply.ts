/**
 * The supply record: how many grains there were at the start, were issued and were burnt since, what waits in the reward
 * pool, and what is bonded. Amounts change only by money.ts. Spec: docs/spec/chain.md §2.
 * @module
 */
import { assert } from '../../base/assert.ts'
import type { Reader } from '../../base/codec.ts'
import { readCount, writeCount } from '../fields.ts'
import { type ReadState, type StateKey, stateKey, type WriteState } from './state.ts'
import { getRecord, putRecord, TABLE } from './tables.ts'

export interface Supply {
  /** Grains of the genesis file. */
  readonly genesis: bigint
  /** Grains, since then. */
  readonly issued: bigint
  /** Grains, since then. */
  readonly burnt: bigint
  /** Grains that wait for the end of the epoch. */
  readonly pool: bigint
  /** Grains in bonds: what votes on parameters are measured by. */
  readonly bonded: bigint
  /** Parameter proposals so far: the number of the next one. */
  readonly proposalsMade: number
}

export const SUPPLY_KEY: StateKey = stateKey(TABLE.supply)

export function getSupply(state: ReadState): Supply {
  const supply = getRecord(state, SUPPLY_KEY, readSupply)
  assert(supply !== undefined, 'the genesis state has a supply record')
  return supply
}

export function putSupply(state: WriteState, { genesis, issued, burnt, pool, bonded, proposalsMade }: Supply): void {
  putRecord(state, SUPPLY_KEY, (writer) => {
    writeCount(writer.u64(genesis).u64(issued).u64(burnt).u64(pool).u64(bonded), proposalsMade)
  })
}

export function readSupply(reader: Reader): Supply {
  return {
    genesis: reader.u64(),
    issued: reader.u64(),
    burnt: reader.u64(),
    pool: reader.u64(),
    bonded: reader.u64(),
    proposalsMade: readCount(reader),
  }
}
