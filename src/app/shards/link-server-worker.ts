/**
 * Entry of the thread that serves bulk links: it reads and writes so that the main thread, where steps of sessions pass, sees nothing of it.
 * @module
 */
import { parentPort, workerData } from 'node:worker_threads'
import { assert } from '../../base/assert.ts'
import { createSystem } from '../system.ts'
import type { LinkServerCalls, LinkServerInit, LinkServerOwnerCalls } from './link-door.ts'
import { startLinkServer } from './link-server.ts'
import { createCaller } from './thread-calls.ts'

assert(parentPort, 'this file runs in a worker thread')
const { options, isCapped } = workerData as LinkServerInit
const { clock } = createSystem()
const own: LinkServerCalls = {
  start: async () => (await server).port,
  allow: async (ticket, peer) => (await server).allow(ticket, peer),
  close: async () => (await server).close(),
}
const owner = createCaller<LinkServerOwnerCalls>(parentPort, own)
const server = startLinkServer(options, {
  clock,
  isCapped,
  locate: (root) => owner.call('locate', [root]),
  confirm: (root, index, leaf) => owner.call('confirm', [root, index, leaf]),
  take: (bytes) => owner.call('take', [bytes]),
})
server.catch(() => undefined)
