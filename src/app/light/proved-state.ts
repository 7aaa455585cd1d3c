/**
 * Reading the state through proofs: the typed getters of core run on what was proved so far, and what they miss is asked for.
 * Spec: docs/spec/light-client.md §6.
 * @module
 */
import { hexToBytes } from '@noble/hashes/utils.js'
import { assert } from '../../base/assert.ts'
import { LIGHT_LIMITS } from '../../base/chain-limits.ts'
import type { Header } from '../../core/block/block.ts'
import type { ReadState, StateKey } from '../../core/state/state.ts'
import type { LightService } from './light-service.ts'

export interface ProvedReading<Result> {
  readonly result: Result
  /** The newest header that something was proved against; values read together may be a block apart. */
  readonly header: Header
}

/** What `read` finds in the newest state. It may look up keys, not walk tables. @throws what `LightService.state` throws. */
export async function readProved<Result>(
  service: LightService,
  read: (state: ReadState) => Result,
  signal?: AbortSignal,
): Promise<ProvedReading<Result>> {
  const known = new Map<StateKey, Uint8Array | undefined>()
  let header = service.trusted.header
  const state: ReadState = {
    get(key) {
      if (!known.has(key)) throw new Missing(key)
      return known.get(key)
    },
    entries() {
      throw new Error('a light client cannot prove that a list is whole')
    },
  }
  for (let count = 0; ; count++) {
    assert(count <= LIGHT_LIMITS.keysMax, 'a reading asks for few keys')
    try {
      return { result: read(state), header }
    } catch (error) {
      if (!(error instanceof Missing)) throw error
      const proved = await service.state(hexToBytes(error.key), signal)
      known.set(error.key, proved.value)
      header = proved.header
    }
  }
}

/** Thrown through core's getters by the state above. */
class Missing extends Error {
  readonly key: StateKey
  constructor(key: StateKey) {
    super('not proved yet')
    this.key = key
  }
}
