/**
 * A process that takes the files of one peer again and again, until it is told to end.
 * @module
 */
import { truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ChunkSource, FileId } from '../../src/app/shards/chunk-source.ts'
import { createFetchThread } from '../../src/app/shards/fetch-thread.ts'
import { openChunkSource } from '../../src/app/shards/wire-chunk-source.ts'
import { createSystem } from '../../src/app/system.ts'
import { chunkCount, leafAt } from '../../src/ml/chunk-tree.ts'
import { createLibp2pWire } from '../../src/net/libp2p-wire.ts'
import { type DownloaderOrder, type DownloaderTold, NETWORK_ID } from './messages.ts'

const ASKED = 8

process.on('message', (order: DownloaderOrder) => void obey(order))
process.on('disconnect', () => process.exit())

let stop = new AbortController()
let source: ChunkSource | undefined
let atBeginning = 0

async function obey(order: DownloaderOrder): Promise<void> {
  if (order.type === 'end') {
    stop.abort(new Error('ended'))
    return tell({ type: 'ended', bytes: (source?.bytesReceived ?? 0) - atBeginning })
  }
  stop = new AbortController()
  source ??= await openSource(order)
  atBeginning = source.bytesReceived
  tell({ type: 'began' })
  // The next order has a signal of its own.
  const { signal } = stop
  await takeAgainAndAgain(source, order, signal).catch((error: unknown) => {
    if (!signal.aborted) throw error
  })
}

async function openSource({ from, hasLinks }: Extract<DownloaderOrder, { type: 'begin' }>): Promise<ChunkSource> {
  const system = createSystem({ level: 'error' })
  const wire = await createLibp2pWire({ networkId: NETWORK_ID, listen: [], mdns: false, dht: false }, system)
  const thread = createFetchThread()
  return openChunkSource(from, { ...system, wire, keeper: thread, links: hasLinks ? thread : undefined })
}

async function takeAgainAndAgain(
  from: ChunkSource,
  { files, folder }: Extract<DownloaderOrder, { type: 'begin' }>,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    for (const file of files) await takeFile(from, { file, path: join(folder, 'out') }, signal)
  }
}

async function takeFile(
  from: ChunkSource,
  { file, path }: { readonly file: FileId; readonly path: string },
  signal: AbortSignal,
): Promise<void> {
  const leaves = await from.leaves(file, signal)
  if (leaves === undefined) throw new Error('the stage does not have its own shard')
  await writeFile(path, '')
  await truncate(path, file.bytes)
  let next = 0
  const take = async (): Promise<void> => {
    for (let index = next++; index < chunkCount(file.bytes); index = next++) {
      await from.chunk(file, index, { path, leaf: leafAt(leaves, index) }, signal)
    }
  }
  await Promise.all(Array.from({ length: ASKED }, take))
}

function tell(told: DownloaderTold): void {
  process.send?.(told)
}
