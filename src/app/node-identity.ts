/**
 * The identity of a node: one Ed25519 key, kept in the data folder (0600), that names it as a libp2p peer and signs
 * its offers. Not a wallet key: it holds no money.
 * @module
 */
import { readFile } from 'node:fs/promises'
import { base58 } from '@scure/base'
import { type PeerId, peerId } from '../base/brand.ts'
import type { Random } from '../base/ports.ts'
import { keyPairFromSecret } from '../core/ed25519.ts'
import { createNodeKey, NodeKeyError, peerOfNodeKey } from '../net/node-key.ts'
import { writeFileAtomic } from './home.ts'

export interface NodeIdentity {
  readonly peer: PeerId
  /** libp2p protobuf form; a secret. */
  readonly privateKey: Uint8Array
  /** 32-byte Ed25519 seed; a secret. */
  readonly secretKey: Uint8Array
}

/** Protobuf of a libp2p Ed25519 private key: type 1, then 64 bytes of seed and public key. */
const PRIVATE_KEY_HEADER = [0x08, 0x01, 0x12, 0x40]
/** Peer id of an Ed25519 key: identity multihash of the protobuf (type 1, 32 bytes). */
const PEER_ID_HEADER = [0x00, 0x24, 0x08, 0x01, 0x12, 0x20]

/** A fresh identity that is kept nowhere: for clients. */
export async function createNodeIdentity(random: Random): Promise<NodeIdentity> {
  return identityOf(await createNodeKey(random))
}

/** The identity in `path`, created at the first use; NODE_KEY_BAD when the file is damaged. */
export async function loadNodeIdentity(path: string, random: Random): Promise<NodeIdentity> {
  const stored = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw new NodeKeyError('NODE_KEY_BAD', `The node key ${path} cannot be read: ${error.message}`)
  })
  if (stored) return identityOf(new Uint8Array(stored))
  const privateKey = await createNodeKey(random)
  await writeFileAtomic(path, privateKey)
  return identityOf(privateKey)
}

async function identityOf(privateKey: Uint8Array): Promise<NodeIdentity> {
  const peer = await peerOfNodeKey(privateKey)
  const start = PRIVATE_KEY_HEADER.length
  const secretKey = privateKey.slice(start, start + 32)
  // With another half beside it, the seed would sign offers that nobody believes.
  if (peerOfPublicKey(keyPairFromSecret(secretKey).publicKey) !== peer) {
    throw new NodeKeyError(
      'NODE_KEY_BAD',
      'The node key is damaged: its two halves do not belong together. Put back a copy of it, or delete it to start with a new identity.',
    )
  }
  return { peer, privateKey, secretKey }
}

/** The 32-byte Ed25519 key inside a peer id; undefined for ids of other kinds. */
export function publicKeyOfPeer(peer: PeerId): Uint8Array | undefined {
  try {
    const bytes = base58.decode(peer)
    const isEd25519 = bytes.length === 38 && PEER_ID_HEADER.every((byte, index) => bytes[index] === byte)
    return isEd25519 ? bytes.slice(PEER_ID_HEADER.length) : undefined
  } catch {
    return undefined
  }
}

/** The peer id of a 32-byte Ed25519 public key. */
export function peerOfPublicKey(publicKey: Uint8Array): PeerId {
  return peerId(base58.encode(Uint8Array.of(...PEER_ID_HEADER, ...publicKey)))
}
