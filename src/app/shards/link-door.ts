/**
 * Where bulk links come in: a thread of its own listens and serves them; this side gives out tickets and says where files are and how much may go out.
 * Spec: docs/spec/shards.md §5.
 * @module
 */
import { Worker } from 'node:worker_threads'
import type { Hash, PeerId } from '../../base/brand.ts'
import { messageOf } from '../../base/error.ts'
import type { Log, Random } from '../../base/ports.ts'
import { LINK_TICKET_BYTES } from '../../net/protocols/shards.ts'
import type { LinkServerOptions } from './link-server.ts'
import type { ServedFile, ServedFiles } from './served-files.ts'
import type { LinkDoor } from './shard-server.ts'
import { createCaller } from './thread-calls.ts'
import type { UploadBudget } from './upload-budget.ts'

export interface LinkDoorOptions extends LinkServerOptions {
  readonly files: ServedFiles
  readonly budget: UploadBudget
}

export interface OpenLinkDoor extends LinkDoor {
  close(): Promise<void>
}

/** Handed to the thread when it starts. */
export interface LinkServerInit {
  readonly options: LinkServerOptions
  readonly isCapped: Int32Array
}

/** What the thread does when asked. */
export type LinkServerCalls = {
  start(): Promise<number>
  allow(ticket: Uint8Array, peer: PeerId): Promise<void>
  close(): Promise<void>
}

/** What the thread may ask. */
export type LinkServerOwnerCalls = {
  locate(root: Hash): Promise<ServedFile | undefined>
  confirm(root: Hash, index: number, leaf: Uint8Array): Promise<boolean>
  take(bytes: number): Promise<void>
}

/** undefined where nothing can listen there: then everything goes over channels, and the log says why. */
export async function openLinkDoor(
  { files, budget, host, port }: LinkDoorOptions,
  { random, log }: { readonly random: Random; readonly log: Log },
): Promise<OpenLinkDoor | undefined> {
  // Beside this file, with its ending: .ts from sources, .js from dist.
  const ending = import.meta.url.slice(import.meta.url.lastIndexOf('.'))
  const init: LinkServerInit = { options: { host, port }, isCapped: budget.isCapped }
  const worker = new Worker(new URL(`./link-server-worker${ending}`, import.meta.url), { workerData: init })
  // Whoever serves stays alive by its wire.
  worker.unref()
  const own: LinkServerOwnerCalls = {
    locate: (root) => files.locate(root),
    confirm: (root, index, leaf) => files.confirm(root, index, leaf),
    take: (bytes) => budget.take(bytes),
  }
  const thread = createCaller<LinkServerCalls>(worker, own)
  const fail = (why: string): void => thread.fail(new Error(why))
  worker.on('error', (error) => {
    log.write('error', 'links.failed', { message: messageOf(error) })
    fail(messageOf(error))
  })
  worker.on('exit', () => fail('The thread of the bulk links has ended.'))
  try {
    const listening = await thread.call('start', [])
    return {
      async admit(peer) {
        const ticket = random.bytes(LINK_TICKET_BYTES)
        const isAllowed = await thread.call('allow', [ticket, peer]).then(
          () => true,
          () => false,
        )
        return isAllowed ? { port: listening, ticket } : undefined
      },
      async close() {
        await thread.call('close', []).catch(() => undefined)
        await worker.terminate()
      },
    }
  } catch (error) {
    log.write('warn', 'links.no_port', { host, port, message: messageOf(error) })
    await worker.terminate()
    return undefined
  }
}
