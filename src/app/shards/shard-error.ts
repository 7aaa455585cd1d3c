/**
 * What can go wrong with files of models that are kept by their content, and with moving them between peers.
 * @module
 */
import { HouseError } from '../../base/error.ts'

export class ShardError extends HouseError<
  // The store (docs/spec/shards.md §2).
  | 'SHARD_NO_SPACE'
  | 'SHARD_QUOTA'
  | 'SHARD_BAD_CHUNK'
  | 'SHARD_BAD_LEAVES'
  | 'SHARD_IN_USE'
  | 'SHARD_UNREADABLE'
  | 'SHARD_UNWRITABLE'
  | 'SHARD_GC_UNSURE'
  // Peers (§4).
  | 'SHARD_SOURCE_LOST'
  | 'SHARD_REFUSED'
> {}
