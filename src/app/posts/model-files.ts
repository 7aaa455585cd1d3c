/**
 * Where the files of a post come from: a port. Behind it stands the disk, or a download from other miners.
 * Spec: docs/spec/posts.md §3.
 * @module
 */
import { openModelStore } from '../model-store.ts'
import type { PostWish } from './post.ts'

export interface ModelFiles {
  /** Resolves when the shards of the run lie whole in the data folder. @throws ModelError; the signal's reason. */
  ensure(wish: PostWish, signal: AbortSignal): Promise<void>
}

/** Only looks whether they are there. `home`: the data folder. */
export function createDiskFiles(home: string): ModelFiles {
  const store = openModelStore({ home })
  return {
    async ensure({ model, firstSegment, lastSegment }) {
      store.openWeights(model, firstSegment, lastSegment, { checkHashes: false }).close()
    },
  }
}
