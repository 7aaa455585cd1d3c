/**
 * The key of a node: an Ed25519 private key in libp2p's protobuf form, and the peer id that follows from it. Where it is
 * kept is the app's business. libp2p's key code is loaded on first use.
 * Spec: docs/spec/wire.md §2.4.
 * @module
 */
import { assert } from '../base/assert.ts'
import { type PeerId, peerId } from '../base/brand.ts'
import { HouseError } from '../base/error.ts'
import type { Random } from '../base/ports.ts'

export class NodeKeyError extends HouseError<'NODE_KEY_BAD'> {}

const SEED_BYTES = 32

/** A new private key, protobuf bytes; a secret. */
export async function createNodeKey(random: Random): Promise<Uint8Array> {
  const { generateKeyPairFromSeed, privateKeyToProtobuf } = await import('@libp2p/crypto/keys')
  const seed = random.bytes(SEED_BYTES)
  assert(seed.length === SEED_BYTES, 'an Ed25519 seed has 32 bytes')
  return privateKeyToProtobuf(await generateKeyPairFromSeed('Ed25519', seed))
}

/** The peer id of a private key; NODE_KEY_BAD if the bytes are not an Ed25519 key. */
export async function peerOfNodeKey(privateKey: Uint8Array): Promise<PeerId> {
  const [key, { peerIdFromPrivateKey }] = await Promise.all([parseNodeKey(privateKey), import('@libp2p/peer-id')])
  return peerId(peerIdFromPrivateKey(key).toString())
}

/** libp2p's form of a private key; NODE_KEY_BAD if the bytes are not an Ed25519 key. */
export async function parseNodeKey(privateKey: Uint8Array): Promise<import('@libp2p/interface').PrivateKey> {
  const { privateKeyFromProtobuf } = await import('@libp2p/crypto/keys')
  const key = attempt(() => privateKeyFromProtobuf(privateKey))
  if (key?.type === 'Ed25519') return key
  throw new NodeKeyError(
    'NODE_KEY_BAD',
    'The node key is damaged. Put back a copy of it, or delete it to start with a new identity.',
  )
}

/** The library's own error may quote bytes of the key; it is dropped. */
function attempt<Value>(work: () => Value): Value | undefined {
  try {
    return work()
  } catch {
    return undefined
  }
}
