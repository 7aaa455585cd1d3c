/**
 * Who has what: provider records in the DHT. A record says only "ask this peer"; what it really has is for the
 * protocols to find out.
 * Spec: docs/spec/wire.md §2.3.
 * @module
 */
import { assert } from '../base/assert.ts'
import { milliseconds, peerId } from '../base/brand.ts'
import { messageOf } from '../base/error.ts'
import { DEADLINES } from '../base/limits.ts'
import type { Clock, Log } from '../base/ports.ts'
import { withDeadline } from './deadline.ts'
import type { Host } from './host.ts'
import { boundedAddresses } from './peer-book.ts'
import type { PeerAddress } from './wire.ts'
import { unreachable } from './wire-errors.ts'

export interface DhtPorts {
  readonly host: Host
  readonly clock: Clock
  readonly log: Log
}

const RAW_CODEC = 0x55
const SHA256_CODE = 0x12
const KEY_BYTES = 32

/** Tells the peers nearest to `key`. WIRE_PEER_UNREACHABLE if no peer of the DHT answers in time. */
export async function announce(key: Uint8Array, ports: DhtPorts, signal: AbortSignal | undefined): Promise<void> {
  const { host, clock } = ports
  const cid = await contentId(key)
  try {
    await withDeadline({ clock, limitMs: DEADLINES.discoveryMs, signal }, (limit) =>
      host.contentRouting.provide(cid, { signal: limit }),
    )
  } catch (error) {
    signal?.throwIfAborted()
    throw unreachable('The directory of peers', error)
  }
}

/** Each provider once, this peer excepted; ends when the search does, at the deadline, or at the signal. */
export async function* searchProviders(
  key: Uint8Array,
  ports: DhtPorts,
  signal: AbortSignal | undefined,
): AsyncIterable<PeerAddress> {
  const { host, clock, log } = ports
  const self = host.peerId.toString()
  const cid = await contentId(key)
  const limit = new AbortController()
  const cancel = clock.schedule(milliseconds(DEADLINES.discoveryMs), () =>
    limit.abort(new Error('the search took too long')),
  )
  const either = signal ? AbortSignal.any([signal, limit.signal]) : limit.signal
  try {
    for await (const { id, multiaddrs } of host.contentRouting.findProviders(cid, { signal: either })) {
      if (either.aborted) return
      const addresses = boundedAddresses(multiaddrs.map((address) => address.toString()))
      if (id.toString() !== self) yield { peer: peerId(id.toString()), addresses }
    }
  } catch (error) {
    // Few peers, or none: a search without an answer is an answer.
    log.write('debug', 'wire.search_ended', { message: messageOf(error) })
  } finally {
    cancel()
    limit.abort(new Error('the search is over'))
  }
}

async function contentId(key: Uint8Array): Promise<import('multiformats/cid').CID> {
  assert(key.length === KEY_BYTES, 'the key of a provider record is a 32-byte digest')
  const [{ CID }, digest] = await Promise.all([import('multiformats/cid'), import('multiformats/hashes/digest')])
  return CID.createV1(RAW_CODEC, digest.create(SHA256_CODE, key))
}
