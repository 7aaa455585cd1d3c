/**
 * Entry of the thread that fetches: bulk links, hashes of chunks and writes to unfinished files, apart from the main thread.
 * @module
 */
import { parentPort } from 'node:worker_threads'
import { assert } from '../../base/assert.ts'
import { createSystem } from '../system.ts'
import { type BulkLink, LinkError } from './bulk-link.ts'
import { createChunkKeeper } from './chunk-keeper.ts'
import type { FetchThreadCalls } from './fetch-thread.ts'
import { createLinkDialler } from './link-client.ts'
import { createCaller } from './thread-calls.ts'

assert(parentPort, 'this file runs in a worker thread')
const { clock } = createSystem()
const keeper = createChunkKeeper()
const dialler = createLinkDialler({ keeper, clock })
const links = new Map<number, BulkLink>()
/** Of what is under way and may be left: links that are being opened, and chunks. */
const stops = new Map<number, AbortController>()

/** Calls `work` with a signal that `leave` of this number fires. */
async function leavable<Value>(id: number, work: (signal: AbortSignal) => Promise<Value>): Promise<Value> {
  const stop = new AbortController()
  stops.set(id, stop)
  try {
    return await work(stop.signal)
  } finally {
    stops.delete(id)
  }
}

const own: FetchThreadCalls = {
  keep: (index, into, bytes) => keeper.keep(index, into, bytes),
  open: (id, place) =>
    leavable(id, async (signal) => {
      links.set(id, await dialler.open(place, signal))
    }),
  fetch: (id, link, chunk) =>
    leavable(id, async (signal) => {
      const bulk = links.get(link)
      // It was closed while this was on its way here.
      if (bulk === undefined) throw new LinkError('LINK_LOST', 'The bulk link is closed.')
      const outcome = await bulk.fetch(chunk, signal)
      return { outcome, bytesReceived: bulk.bytesReceived }
    }),
  leave: (id) => stops.get(id)?.abort(new Error('left')),
  closeLink: (id) => {
    links.get(id)?.close()
    links.delete(id)
  },
}
createCaller(parentPort, own)
