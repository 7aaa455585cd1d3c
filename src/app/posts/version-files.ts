/**
 * What a miner needs of the files of models beside their shards as versions come and go: a manifest by its hash, a canary, and room that comes back.
 * Spec: docs/spec/posts.md §4.
 * @module
 */
import type { Hash } from '../../base/brand.ts'
import type { Canary } from '../../ml/canary.ts'
import { noteCanary, readCanary } from '../canary/canary-files.ts'
import { checkRemovable, removeModel } from '../model-remove.ts'
import { openModelStore, type StoredModel } from '../model-store.ts'
import type { FileId } from '../shards/chunk-source.ts'
import { collectShards } from '../shards/collect-shards.ts'
import type { ShardStore } from '../shards/shard-store.ts'
import type { ModelFetcher } from '../swarm/model-fetcher.ts'

export interface VersionFiles {
  /** Of this disk; else its manifest comes from other peers. @throws SwarmError, ModelError; the signal's reason. */
  find(model: Hash, signal: AbortSignal): Promise<StoredModel>
  /** @throws SwarmError, ModelError; the signal's reason. */
  canary(model: StoredModel, file: FileId, signal: AbortSignal): Promise<Canary>
  /** Removes the manifest, and the shards that no other model has. Gives the bytes that came back; none of a model of the program. @throws ModelError, ShardError. */
  remove(model: StoredModel): Promise<number>
}

export interface VersionFilesOptions {
  /** The data folder. */
  readonly home: string
  readonly store: ShardStore
  readonly fetcher: () => Promise<Pick<ModelFetcher, 'model' | 'files'>>
}

export function createVersionFiles({ home, store, fetcher }: VersionFilesOptions): VersionFiles {
  return {
    async find(model, signal) {
      const here = openModelStore({ home })
        .list()
        .find(({ hash }) => hash === model)
      return here ?? (await fetcher()).model(model, signal)
    },
    async canary(model, file, signal) {
      await noteCanary(home, model, file)
      if (!(await store.has(file))) await (await fetcher()).files(model, [file], { signal })
      return readCanary(model, file, store)
    },
    async remove({ hash }) {
      // Somebody may have removed it by hand, and have given its name to another one.
      const here = openModelStore({ home })
        .list()
        .find((model) => model.hash === hash)
      if (here === undefined || here.isEmbedded) return 0
      await removeModel(home, await checkRemovable(home, here.manifest.name))
      const collected = await collectShards({ home })
      return collected.reduce((sum, { bytes }) => sum + bytes, 0)
    },
  }
}
