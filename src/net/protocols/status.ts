/**
 * Messages of the status protocol: who a peer is, what it offers, what offers of others it knows, and how its work
 * goes. A peer asks, the other answers once, the channel closes. Bytes only; what is believed is the app's business.
 * Spec: docs/spec/wire.md §3.
 * @module
 */
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js'
import { type Hash, hash, type PeerId, peerId } from '../../base/brand.ts'
import { Reader, Writer } from '../../base/codec.ts'
import { MODEL_LIMITS, WIRE_LIMITS } from '../../base/limits.ts'
import type { ProtocolId, ProtocolOptions } from '../wire.ts'
import { readStatistics, type StageStatistics, writeStatistics } from './statistics.ts'

export const STATUS_PROTOCOL: ProtocolId = '/dllm/status/1'
export const STATUS_PROTOCOL_OPTIONS: ProtocolOptions = {
  messageBytesMax: WIRE_LIMITS.statusMessageBytesMax,
  channelsPerPeerMax: 8,
}

const SIGNATURE_BYTES = 64

/** What a miner says of one run of segments that it serves. */
export interface Offer {
  readonly peer: PeerId
  readonly addresses: readonly string[]
  readonly model: Hash
  /** For people; the hash decides. */
  readonly modelName: string
  readonly segmentCount: number
  readonly firstSegment: number
  /** Exclusive. */
  readonly lastSegment: number
  /** Measured time of one decode step of these segments, microseconds. */
  readonly stepMicros: number
  /** Measured time per prompt token, microseconds. */
  readonly prefillMicros: number
  /** Sessions that this miner would still open. */
  readonly sessionsFree: number
  /** For people: engine, threads. */
  readonly device: string
  /** Round trips to other peers, microseconds. */
  readonly roundTrips: readonly { readonly peer: PeerId; readonly micros: number }[]
  /** Start of this process; a newer one replaces its ghost. */
  readonly incarnation: bigint
  /** Grows with each renewal. */
  readonly sequence: number
}

export interface SignedOffer {
  readonly offer: Offer
  /** Ed25519 by the peer's key over the offer's bytes. */
  readonly signature: Uint8Array
}

/** An offer and how long ago the teller had it from its miner. */
export interface ToldOffer extends SignedOffer {
  readonly ageMs: number
}

export interface Status {
  readonly networkId: string
  readonly version: string
  readonly sessions: number
  readonly offers: readonly ToldOffer[]
  /** All sessions since the start, and the latest one. */
  readonly total: StageStatistics
  readonly latest: StageStatistics
}

const TEXT_BYTES_MAX = 128
/** Two texts, two statistics and the counts of a status take less. */
const ROOM_BESIDE_OFFERS = 1_024

/** The bytes that the signature covers. */
export function encodeOffer(offer: Offer): Uint8Array {
  const writer = new Writer()
  writeOffer(writer, offer)
  return writer.finish()
}

/** One status as bytes. Offers that the message has no room for are left out, the last ones first. */
export function encodeStatus(status: Status): Uint8Array {
  const writer = new Writer(4_096).text(status.networkId).text(status.version).u32(status.sessions)
  const offers: Uint8Array[] = []
  let free = WIRE_LIMITS.statusMessageBytesMax - ROOM_BESIDE_OFFERS
  for (const told of status.offers.slice(0, WIRE_LIMITS.offersMax)) {
    const bytes = encodeTold(told)
    free -= bytes.length
    if (free < 0) break
    offers.push(bytes)
  }
  writer.list(offers, (inner, bytes) => inner.raw(bytes))
  writeStatistics(writer, status.total)
  writeStatistics(writer, status.latest)
  return writer.finish()
}

function encodeTold({ offer, signature, ageMs }: ToldOffer): Uint8Array {
  const writer = new Writer(1_024)
  writeOffer(writer, offer)
  return writer.raw(signature).f64(ageMs).finish()
}

/** Throws CodecError on anything that is not exactly one status within its bounds. */
export function decodeStatus(bytes: Uint8Array): Status {
  const reader = new Reader(bytes)
  const status = {
    networkId: reader.text(TEXT_BYTES_MAX),
    version: reader.text(TEXT_BYTES_MAX),
    sessions: reader.u32(),
    offers: reader.list(WIRE_LIMITS.offersMax, (inner) => ({
      offer: readOffer(inner),
      signature: inner.raw(SIGNATURE_BYTES).slice(),
      ageMs: inner.f64(),
    })),
    total: readStatistics(reader),
    latest: readStatistics(reader),
  }
  reader.finish()
  return status
}

function writeOffer(writer: Writer, offer: Offer): void {
  writer.text(offer.peer).list(offer.addresses, (inner, address) => inner.text(address))
  writer.raw(hexToBytes(offer.model)).text(offer.modelName)
  writer.u32(offer.segmentCount).u32(offer.firstSegment).u32(offer.lastSegment)
  writer.u32(offer.stepMicros).u32(offer.prefillMicros).u32(offer.sessionsFree).text(offer.device)
  writer.list(offer.roundTrips, (inner, { peer, micros }) => inner.text(peer).u32(micros))
  writer.u64(offer.incarnation).u32(offer.sequence)
}

function readOffer(reader: Reader): Offer {
  return {
    peer: peerId(reader.text(TEXT_BYTES_MAX)),
    addresses: reader.list(WIRE_LIMITS.addressesPerPeerMax, (inner) => inner.text(WIRE_LIMITS.addressCharactersMax)),
    model: hash(bytesToHex(reader.raw(32))),
    modelName: reader.text(MODEL_LIMITS.modelNameCharactersMax),
    segmentCount: reader.u32(),
    firstSegment: reader.u32(),
    lastSegment: reader.u32(),
    stepMicros: reader.u32(),
    prefillMicros: reader.u32(),
    sessionsFree: reader.u32(),
    device: reader.text(TEXT_BYTES_MAX),
    roundTrips: reader.list(WIRE_LIMITS.roundTripsMax, (inner) => {
      return { peer: peerId(inner.text(TEXT_BYTES_MAX)), micros: inner.u32() }
    }),
    incarnation: reader.u64(),
    sequence: reader.u32(),
  }
}
