/**
 * How a session at a stage begins: its ring, its model, the positions to reserve and, where somebody pays, the lease. Fields of one message of
 * stage.ts; what they must say is checked in app/ring/check-open.ts and app/market/.
 * Spec: docs/spec/wire.md §4, §4.1.
 * @module
 */
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js'
import { type Hash, hash, type PeerId, peerId, type SessionId, sessionId } from '../../base/brand.ts'
import type { Reader, Writer } from '../../base/codec.ts'
import { WIRE_LIMITS } from '../../base/limits.ts'
import type { PeerAddress } from '../wire.ts'

export interface OpenFields {
  readonly session: SessionId
  readonly model: Hash
  readonly stageIndex: number
  readonly stages: readonly StageAddress[]
  /** Positions to reserve. */
  readonly capacity: number
  /** Who pays for it, where somebody does. */
  readonly lease?: LeaseOpening | undefined
}

/** One stage of a ring: who runs which segments. */
export interface StageAddress extends PeerAddress {
  readonly firstSegment: number
  /** Exclusive. */
  readonly lastSegment: number
}

/** A voucher with its signature, as core/market/voucher.ts writes it. */
export type VoucherBytes = Uint8Array

/** What a client shows to use a lease. */
export interface LeaseOpening {
  readonly id: Hash
  /** 64 bytes: the voucher key's signature over this session and stage. */
  readonly proof: Uint8Array
  /** The newest voucher of the lease, if any was given. */
  readonly voucher: VoucherBytes | undefined
}

export const VOUCHER_BYTES = 168
export const SIGNATURE_BYTES = 64

export function writeOpen(writer: Writer, open: OpenFields): void {
  writer.raw(hexToBytes(open.session)).raw(hexToBytes(open.model))
  writer.u32(open.stageIndex).u32(open.capacity).list(open.stages, writeStage)
  writeLease(writer, open.lease)
}

/** @throws CodecError. */
export function readOpen(reader: Reader): OpenFields {
  return {
    session: sessionId(bytesToHex(reader.raw(16))),
    model: hash(bytesToHex(reader.raw(32))),
    stageIndex: reader.u32(),
    capacity: reader.u32(),
    stages: reader.list(WIRE_LIMITS.routeStagesMax, readStage),
    lease: reader.flag() ? readLease(reader) : undefined,
  }
}

function writeStage(writer: Writer, stage: StageAddress): void {
  writer.text(stage.peer).u32(stage.firstSegment).u32(stage.lastSegment)
  writer.list(stage.addresses, (inner, address) => inner.text(address))
}

function readStage(reader: Reader): StageAddress {
  return {
    peer: readPeer(reader),
    firstSegment: reader.u32(),
    lastSegment: reader.u32(),
    addresses: reader.list(WIRE_LIMITS.addressesPerPeerMax, (inner) => inner.text(WIRE_LIMITS.addressCharactersMax)),
  }
}

function writeLease(writer: Writer, lease: LeaseOpening | undefined): void {
  writer.u8(lease === undefined ? 0 : 1)
  if (lease === undefined) return
  writer
    .raw(hexToBytes(lease.id))
    .raw(lease.proof)
    .u8(lease.voucher === undefined ? 0 : 1)
  if (lease.voucher !== undefined) writer.raw(lease.voucher)
}

function readLease(reader: Reader): LeaseOpening {
  return {
    id: hash(bytesToHex(reader.raw(32))),
    proof: reader.raw(SIGNATURE_BYTES),
    voucher: reader.flag() ? reader.raw(VOUCHER_BYTES) : undefined,
  }
}

function readPeer(reader: Reader): PeerId {
  return peerId(reader.text(WIRE_LIMITS.addressCharactersMax))
}
