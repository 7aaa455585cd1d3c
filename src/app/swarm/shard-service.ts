/**
 * What a process has of models, served to peers over its wire: whole files, and of unfinished ones the chunks that it has compared. Bulk links have a port of
 * their own, at the address on which the wire listens.
 * Spec: docs/spec/shards.md §4, §5.
 * @module
 */
import type { Wire } from '../../net/wire.ts'
import { openLinkDoor } from '../shards/link-door.ts'
import { type DamagedFile, serveStore } from '../shards/served-store.ts'
import { serveShards } from '../shards/shard-server.ts'
import type { ShardStore } from '../shards/shard-store.ts'
import { createUploadBudget } from '../shards/upload-budget.ts'
import type { System } from '../system.ts'

export interface ShardServiceOptions {
  /** The data folder. */
  readonly home: string
  /** Its unfinished files are served as they grow. */
  readonly store: ShardStore
  /** Multiaddr on which the wire listens. */
  readonly listen: string
  /** Bytes per second at any time; undefined: no bound but the one while a stage serves. */
  readonly upBytesPerSecond?: number | undefined
  /** A file that the disk has damaged is served no more. Default: the log says so. */
  readonly onDamaged?: ((file: DamagedFile) => void) | undefined
}

export interface ShardService {
  /** A stage computes just now: uploads leave it its time. */
  noteStep(): void
  close(): Promise<void>
}

/** Serves until it is closed; the wire's channels end with the wire. */
export async function openShardService(
  wire: Wire,
  { home, store, listen, upBytesPerSecond, onDamaged }: ShardServiceOptions,
  system: System,
): Promise<ShardService> {
  const over = new AbortController()
  const tell = (file: DamagedFile): void => {
    const advice =
      'It is served no more. `dllm shard verify` sets it aside, and `dllm shard pull` fetches what is wrong.'
    system.log.write('error', 'shards.damaged', { ...file, advice })
    onDamaged?.(file)
  }
  const files = serveStore({ home, store, onDamaged: tell }, over.signal)
  const budget = createUploadBudget(upBytesPerSecond === undefined ? {} : { always: upBytesPerSecond }, system.clock)
  const host = /^\/ip[46]\/([^/]+)\//.exec(listen)?.[1]
  const links = host === undefined ? undefined : await openLinkDoor({ files, budget, host, port: 0 }, system)
  await serveShards(wire, { files, budget, links }, system)
  return {
    noteStep: budget.noteStep,
    close: async () => {
      over.abort(new Error('nothing is served any more'))
      await links?.close()
    },
  }
}
