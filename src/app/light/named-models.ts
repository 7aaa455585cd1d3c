/**
 * Models of a name as a light client knows them: peers tell which there are, and each is proved. One that all of them keep silent about stays unknown; none
 * that the chain does not have is believed.
 * Spec: docs/spec/light-client.md §6.
 * @module
 */
import { bytesToHex } from '@noble/hashes/utils.js'
import { type Hash, hash } from '../../base/brand.ts'
import { SYNC_LIMITS } from '../../base/chain-limits.ts'
import { HASH_BYTES } from '../../core/fields.ts'
import type { NetworkKind } from '../../core/network-kind.ts'
import { getModel } from '../../core/state/models.ts'
import type { ModelView } from '../chain/market-access.ts'
import { viewModel } from '../chain/market-views.ts'
import type { LightService } from './light-service.ts'
import { readProved } from './proved-state.ts'

/** Empty where no peer knows one. @throws what `LightService.state` throws. */
export async function modelsNamed(
  { service, kind }: { readonly service: LightService; readonly kind: NetworkKind },
  name: string,
  signal?: AbortSignal,
): Promise<ModelView[]> {
  const told = await service.askEach({ type: 'models', name }, signal)
  const views: ModelView[] = []
  for (const model of hashesIn(told.map(({ items }) => items))) {
    const { result } = await readProved(service, (state) => getModel(state, model), signal)
    if (result?.name === name) views.push(viewModel(model, result, kind))
  }
  return views
}

/** Of all peers in turn, so that none crowds out what others tell. */
function hashesIn(told: readonly (readonly Uint8Array[])[]): Hash[] {
  const found = new Set<Hash>()
  for (let index = 0; index < SYNC_LIMITS.namedModelsMax; index++) {
    for (const items of told) {
      const item = items[index]
      if (item?.length === HASH_BYTES) found.add(hash(bytesToHex(item)))
    }
  }
  return [...found].slice(0, SYNC_LIMITS.namedModelsMax)
}
