/**
 * The work of a lease as its id decides it: windows, receipts and digests, without a ring. Whoever looks at a lease knows what was asked,
 * what an honest miner computed, and what one that cheats made of it.
 * @module
 */
import { hexToBytes } from '@noble/hashes/utils.js'
import type { Hash } from '../../src/base/brand.ts'
import { hashOf } from '../../src/core/fields.ts'
import { taggedHash } from '../../src/core/hash.ts'
import { weightedRows } from '../../src/core/market/charge.ts'
import { type Counters, ZERO_COUNTERS } from '../../src/core/market/counters.ts'
import { findingOf, NO_RECEIPT, outCommitmentOf, type Receipt, receiptHash } from '../../src/core/market/receipt.ts'
import { receiptsRoot } from '../../src/core/market/receipt-tree.ts'
import type { LeaseRecord } from '../../src/core/state/leases.ts'

export interface LotWork {
  readonly lease: Hash
  readonly record: LeaseRecord
  readonly lot: number
  /** Its miner sends noise on. */
  readonly isNoise: boolean
}

const WINDOWS_MAX = 3
const PROMPT_ROWS_MAX = 5

const receiptsOfLots = new Map<string, readonly Receipt[]>()

/** One receipt for each window. They follow from the lease's id and terms, so they are made once. */
export function receiptsOf(work: LotWork): readonly Receipt[] {
  const { decodeWeight, receiptRows } = work.record.terms
  const name = [work.lease, work.lot, work.isNoise, decodeWeight, receiptRows].join()
  const receipts = receiptsOfLots.get(name) ?? makeReceipts(work)
  receiptsOfLots.set(name, receipts)
  return receipts
}

function makeReceipts(work: LotWork): Receipt[] {
  const { lease, record, lot } = work
  const receipts: Receipt[] = []
  for (const [window, after] of countersOf(lease, record).entries()) {
    const last = receipts.at(-1)
    const place = { lease, lot, window }
    receipts.push({
      ...{ ...place, before: last?.after ?? ZERO_COUNTERS, after, milliseconds: 20 + window },
      ...{ inDigest: digest('in', place), outCommitment: outCommitmentOf(outDigest(work, window), saltOf(place)) },
      previous: last === undefined ? NO_RECEIPT : receiptHash(last),
    })
  }
  return receipts
}

/** Counters at the end of each window. */
export function countersOf(lease: Hash, { terms }: LeaseRecord): Counters[] {
  const bytes = hexToBytes(lease)
  const { decodeWeight, receiptRows } = terms
  const counters: Counters[] = []
  let now = ZERO_COUNTERS
  for (let window = 0; window <= bytes[0]! % WINDOWS_MAX; window++) {
    const prompt = BigInt(bytes[1 + window]! % PROMPT_ROWS_MAX)
    const room = (receiptRows - prompt) / decodeWeight
    const decode = room > 0n ? 1n + (BigInt(bytes[5 + window]!) % room) : 0n
    now = {
      promptRows: now.promptRows + prompt,
      promptPositions: now.promptPositions + prompt * 4n,
      decodeRows: now.decodeRows + decode,
      decodePositions: now.decodePositions + decode * 9n,
    }
    counters.push(now)
  }
  return counters
}

export function rootOf(receipts: readonly Receipt[]): Hash {
  return receiptsRoot(receipts.map(receiptHash))
}

/** The receipts that a lot was claimed with; undefined: they are not of this miner. */
export function claimedReceipts(work: LotWork): readonly Receipt[] | undefined {
  const all = receiptsOf(work)
  const { root } = work.record.lots[work.lot]!
  for (let count = 1; count <= all.length; count++) {
    if (rootOf(all.slice(0, count)) === root) return all.slice(0, count)
  }
  return undefined
}

/** The receipt with this weighted row of the lot. */
export function coverOf(receipts: readonly Receipt[], row: number, { terms }: LeaseRecord): Receipt | undefined {
  return receipts.find(({ after }) => weightedRows(after, terms.decodeWeight) > BigInt(row))
}

/** What somebody finds who computes it again; `isLie`: what a miner that cheats would like to hear. */
export function findingFor(work: LotWork, receipt: Receipt, isLie: boolean): Hash {
  return findingOf(receipt, outDigest({ ...work, isNoise: isLie }, receipt.window))
}

export function outDigest({ lease, lot, isNoise }: Omit<LotWork, 'record'>, window: number): Hash {
  return digest(isNoise ? 'noise' : 'out', { lease, lot, window })
}

export function saltOf(place: Place): Hash {
  return digest('salt', place)
}

interface Place {
  readonly lease: Hash
  readonly lot: number
  readonly window: number
}

function digest(what: string, { lease, lot, window }: Place): Hash {
  return hashOf(taggedHash(`simulated/${what}`, hexToBytes(lease), Uint8Array.of(lot, window)))
}
