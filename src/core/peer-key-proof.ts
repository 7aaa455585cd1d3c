/**
 * The proof that who registers a miner has the secret of the peer that serves for it: a signature by the peer key over the network
 * and the operator. Spec: docs/spec/market.md §4.
 * @module
 */
import { hexToBytes } from '@noble/hashes/utils.js'
import type { AccountId, Hash } from '../base/brand.ts'
import { type FastAcceptance, type KeyPair, sign, verify } from './ed25519.ts'
import { taggedHash } from './hash.ts'

/** Whom a peer serves. */
export interface PeerKeySubject {
  readonly networkId: Hash
  readonly operator: AccountId
}

export interface PeerKeyClaim {
  /** Ed25519, 32 bytes. */
  readonly peerKey: Uint8Array
  /** Ed25519, 64 bytes. */
  readonly proof: Uint8Array
}

export function provePeerKey(subject: PeerKeySubject, peer: KeyPair): PeerKeyClaim {
  return { peerKey: peer.publicKey, proof: sign(proofDigest(subject), peer.secretKey) }
}

export function hasPeerKeyProof(
  subject: PeerKeySubject,
  { peerKey, proof }: PeerKeyClaim,
  accepts?: FastAcceptance,
): boolean {
  return verify({ signature: proof, message: proofDigest(subject), publicKey: peerKey }, accepts)
}

function proofDigest({ networkId, operator }: PeerKeySubject): Uint8Array {
  return taggedHash('dllm/peer-key-proof', hexToBytes(networkId), hexToBytes(operator))
}
