/**
 * Signed offers: making them, checking them, and the book of those that are alive. An offer counts only with its
 * miner's signature; a newer incarnation or sequence replaces an older one, so that a miner that came back replaces
 * its ghost; silence ends it.
 * Spec: docs/spec/wire.md §3.2.
 * @module
 */
import { utf8ToBytes } from '@noble/hashes/utils.js'
import type { Hash, Milliseconds } from '../base/brand.ts'
import { DEADLINES, MODEL_LIMITS, WIRE_LIMITS } from '../base/limits.ts'
import type { Clock } from '../base/ports.ts'
import { sign, verify } from '../core/ed25519.ts'
import { taggedHash } from '../core/hash.ts'
import { encodeOffer, type Offer, type SignedOffer, type ToldOffer } from '../net/protocols/status.ts'
import { publicKeyOfPeer } from './node-identity.ts'

const DOMAIN = 'dllm/offer/1'

/** The digest that is signed binds the network, so that an offer means nothing on another one. */
function offerDigest(offer: Offer, networkId: string): Uint8Array {
  const network = utf8ToBytes(networkId)
  return taggedHash(DOMAIN, Uint8Array.of(network.length), network, encodeOffer(offer))
}

export function signOffer(offer: Offer, networkId: string, secretKey: Uint8Array): SignedOffer {
  return { offer, signature: sign(offerDigest(offer, networkId), secretKey) }
}

/** Whether the peer that the offer names signed it for this network. */
export function isOfferValid({ offer, signature }: SignedOffer, networkId: string): boolean {
  const publicKey = publicKeyOfPeer(offer.peer)
  if (publicKey === undefined) return false
  return verify({ signature, message: offerDigest(offer, networkId), publicKey })
}

export interface OfferBook {
  /** Takes what a peer told; invalid, old and surplus offers are dropped. Returns how many were new. */
  take(told: readonly ToldOffer[]): number
  /** Live offers, with their age. */
  list(): ToldOffer[]
  /** Live offers of one model. */
  ofModel(model: Hash): Offer[]
}

interface Entry {
  readonly signed: SignedOffer
  readonly bornMs: number
}

export function createOfferBook(networkId: string, ports: { clock: Clock }): OfferBook {
  const entries = new Map<string, Entry>()
  const expire = (now: Milliseconds) => {
    for (const [key, { bornMs }] of entries) if (now - bornMs > DEADLINES.offerMs) entries.delete(key)
  }
  const takeOne = (told: ToldOffer, now: Milliseconds): boolean => {
    const { offer, ageMs } = told
    if (!(ageMs >= 0 && ageMs <= DEADLINES.offerMs) || !isSensible(offer)) return false
    const key = `${offer.peer} ${offer.model} ${offer.firstSegment} ${offer.lastSegment}`
    const known = entries.get(key)
    if (known && !isNewer(offer, known.signed.offer)) return false
    if (!known && entries.size >= WIRE_LIMITS.offersMax) return false
    if (!isOfferValid(told, networkId)) return false
    entries.set(key, { signed: { offer, signature: told.signature }, bornMs: now - ageMs })
    return true
  }
  return {
    take: (told) => {
      const now = ports.clock.now()
      expire(now)
      return told.filter((one) => takeOne(one, now)).length
    },
    list: () => {
      const now = ports.clock.now()
      expire(now)
      return [...entries.values()].map(({ signed, bornMs }) => ({ ...signed, ageMs: now - bornMs }))
    },
    ofModel: (model) => {
      expire(ports.clock.now())
      return [...entries.values()].map(({ signed }) => signed.offer).filter((offer) => offer.model === model)
    },
  }
}

/** A run of segments that a model can have; the wire only bounds the sizes of fields. */
function isSensible({ segmentCount, firstSegment, lastSegment }: Offer): boolean {
  return firstSegment < lastSegment && lastSegment <= segmentCount && segmentCount <= MODEL_LIMITS.segmentsMax
}

function isNewer(offer: Offer, known: Offer): boolean {
  if (offer.incarnation !== known.incarnation) return offer.incarnation > known.incarnation
  return offer.sequence > known.sequence
}
