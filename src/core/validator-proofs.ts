/**
 * Proofs that who registers a validator has the secrets of both its keys: signatures over the network, the owner and the key.
 * In a genesis file, whose network id depends on the proofs, the network is 32 zero bytes. Spec: docs/spec/transactions.md §5.
 * @module
 */
import { hexToBytes } from '@noble/hashes/utils.js'
import type { AccountId, Hash } from '../base/brand.ts'
import { blsPublicKey, blsSign, blsVerify } from './bls.ts'
import { type FastAcceptance, type KeyPair, sign, verify } from './ed25519.ts'
import { taggedHash } from './hash.ts'

export interface ValidatorKeys {
  /** Ed25519, 32 bytes. */
  readonly consensusKey: Uint8Array
  /** BLS12-381 G1, 48 bytes. */
  readonly seedKey: Uint8Array
}

export interface ValidatorProofs {
  /** Ed25519, 64 bytes. */
  readonly consensusProof: Uint8Array
  /** BLS12-381 G2, 96 bytes. */
  readonly seedProof: Uint8Array
}

/** Whom a proof is for. */
export interface ProofSubject {
  /** `ZERO_HASH` in a genesis file. */
  readonly networkId: Hash
  readonly owner: AccountId
}

/** The public keys and the proofs of two secrets; see core/bls.ts for `seedSecret`. */
export function proveValidatorKeys(
  subject: ProofSubject,
  consensus: KeyPair,
  seedSecret: Uint8Array,
): ValidatorKeys & ValidatorProofs {
  const seedKey = blsPublicKey(seedSecret)
  return {
    consensusKey: consensus.publicKey,
    seedKey,
    consensusProof: sign(consensusProofDigest(subject, consensus.publicKey), consensus.secretKey),
    seedProof: blsSign(seedProofDigest(subject, seedKey), seedSecret),
  }
}

export function hasConsensusProof(
  subject: ProofSubject,
  claim: Pick<ValidatorKeys & ValidatorProofs, 'consensusKey' | 'consensusProof'>,
  accepts?: FastAcceptance,
): boolean {
  const message = consensusProofDigest(subject, claim.consensusKey)
  return verify({ signature: claim.consensusProof, message, publicKey: claim.consensusKey }, accepts)
}

/** False also for keys that are no point of the group, and for the neutral one. */
export function hasSeedProof(
  subject: ProofSubject,
  claim: Pick<ValidatorKeys & ValidatorProofs, 'seedKey' | 'seedProof'>,
): boolean {
  const message = seedProofDigest(subject, claim.seedKey)
  return blsVerify({ signature: claim.seedProof, message, publicKey: claim.seedKey })
}

function consensusProofDigest({ networkId, owner }: ProofSubject, key: Uint8Array): Uint8Array {
  return taggedHash('dllm/consensus-key-proof', hexToBytes(networkId), hexToBytes(owner), key)
}

function seedProofDigest({ networkId, owner }: ProofSubject, key: Uint8Array): Uint8Array {
  return taggedHash('dllm/seed-key-proof', hexToBytes(networkId), hexToBytes(owner), key)
}
