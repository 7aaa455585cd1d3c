/**
 * What a client signs to use a lease in a session: nobody else may spend what stages do on trust. It names session and stage, so a stage that
 * got it cannot use it at another one. Spec: docs/spec/market.md §9.1.
 * @module
 */
import { hexToBytes } from '@noble/hashes/utils.js'
import type { Hash, SessionId } from '../../base/brand.ts'
import { Writer } from '../../base/codec.ts'
import { taggedHasher } from '../hash.ts'

export interface LeaseUse {
  readonly lease: Hash
  readonly session: SessionId
  readonly stageIndex: number
}

const hashOpening = taggedHasher('dllm/lease-opening')

/** The 32 bytes that the voucher key signs. */
export function leaseOpeningDigest(networkId: Hash, { lease, session, stageIndex }: LeaseUse): Uint8Array {
  const stage = new Writer(4).u32(stageIndex).finish()
  return hashOpening(hexToBytes(networkId), hexToBytes(lease), hexToBytes(session), stage)
}
