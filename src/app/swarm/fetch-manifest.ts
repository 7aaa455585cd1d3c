/**
 * The manifest of a model, from whoever has it. It is compared with the model's hash, so that nobody need be trusted.
 * Spec: docs/spec/shards.md §7.
 * @module
 */
import { createHash } from 'node:crypto'
import { type Hash, milliseconds } from '../../base/brand.ts'
import { codeOf, messageOf } from '../../base/error.ts'
import type { Clock, Log } from '../../base/ports.ts'
import type { ChunkSource } from '../shards/chunk-source.ts'
import { type ContactCounts, createContacts, type SwarmPeers } from './contacts.ts'
import { SwarmError } from './swarm-error.ts'

export interface ManifestWish {
  readonly model: Hash
  readonly peers: SwarmPeers
  /** Fails when nobody has told it for so long; undefined: waits without end. */
  readonly patienceMs?: number | undefined
}

/** @throws SwarmError SWARM_NO_PEER; the signal's reason. */
export async function fetchManifest(
  { model, peers, patienceMs }: ManifestWish,
  ports: { readonly clock: Clock; readonly log: Log },
  signal: AbortSignal,
): Promise<Uint8Array> {
  const { clock, log } = ports
  const over = new AbortController()
  const stop = AbortSignal.any([signal, over.signal])
  const found = Promise.withResolvers<Uint8Array>()
  const ask = async (source: ChunkSource): Promise<void> => {
    try {
      const bytes = await source.manifest(model, stop)
      if (bytes === undefined) contacts.lose(source.peer)
      else if (createHash('sha256').update(bytes).digest('hex') === model) found.resolve(bytes)
      else {
        peers.blame(source.peer)
        contacts.ban(source.peer)
      }
    } catch (error) {
      if (stop.aborted) return
      log.write('debug', 'swarm.no_manifest', { peer: source.peer, code: codeOf(error), why: messageOf(error) })
      contacts.lose(source.peer)
    }
  }
  const contacts = createContacts(peers, (source) => void ask(source), ports)
  const fail = (): void => found.reject(stop.reason)
  stop.addEventListener('abort', fail, { once: true })
  const cancel =
    patienceMs === undefined
      ? undefined
      : clock.schedule(milliseconds(patienceMs), () => found.reject(nobodyHasIt(model, contacts.counts())))
  try {
    signal.throwIfAborted()
    return await found.promise
  } finally {
    cancel?.()
    over.abort(new Error('the manifest is here'))
    await contacts.close()
  }
}

function nobodyHasIt(model: Hash, { found, reached, banned }: ContactCounts): SwarmError {
  const who = found === 0 ? 'No peer was found' : `${found} peers were found, ${reached} answered, and none has it`
  const message = `Nobody tells the manifest of the model ${model}. ${who}. Check the network with \`dllm status\`, or name a peer that serves the model with --bootstrap.`
  return new SwarmError('SWARM_NO_PEER', message, { details: { model, found, reached, banned } })
}
