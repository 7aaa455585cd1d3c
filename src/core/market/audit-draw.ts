/**
 * Which windows of a claimed lot are audited: drawn by the seed of the block at whose end the lease was due, which nobody knew when
 * roots were claimed. What is drawn are rows, and whatever receipt covers them is audited: so audits go by work, however receipts
 * are cut. Pure arithmetic. Spec: docs/spec/market.md §8.
 * @module
 */
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js'
import { assert } from '../../base/assert.ts'
import type { Hash } from '../../base/brand.ts'
import { MARKET_LIMITS } from '../../base/chain-limits.ts'
import { Writer } from '../../base/codec.ts'
import { taggedHash } from '../hash.ts'

const PER_MILLE = 1_000

export interface LotDraw {
  /** Of the block. */
  readonly seed: Hash
  readonly lease: Hash
  readonly lot: number
  /** Weighted rows that the lot claimed. */
  readonly rows: number
  /** Weighted rows of a full window. */
  readonly receiptRows: number
  /** Per mille of the windows. */
  readonly share: number
}

export interface DrawnWindow {
  /** Number of the window of `receiptRows` rows, from 0. */
  readonly window: number
  /** The receipt that covers this weighted row is audited. */
  readonly row: number
  /** Weighted rows that the audit stands for: with what is found in it credited for so many, credits are right on average. */
  readonly standsFor: number
}

/** Each window of the lot with probability `share`, no two alike, rising; of lots with very many windows `auditsPerLotMax`. */
export function drawWindows(draw: LotDraw): DrawnWindow[] {
  const { rows, receiptRows, share } = draw
  assert(rows >= 0 && receiptRows > 0 && share >= 0 && share <= PER_MILLE, 'rows and shares are in their bounds')
  const count = Math.ceil(rows / receiptRows)
  const audited = auditsOf(draw, count)
  const each = Math.max(Math.floor(PER_MILLE / share), Math.floor(count / MARKET_LIMITS.auditsPerLotMax))
  return choose(draw, count, audited).map((window) => {
    const size = Math.min(receiptRows, rows - window * receiptRows)
    const row = window * receiptRows + drawNumber('dllm/audit-row', draw, { number: window, below: size })
    return { window, row, standsFor: size * each }
  })
}

/** How many of `count` windows: the share of them, rounded up or down by the seed so that it is right on average. */
function auditsOf(draw: LotDraw, count: number): number {
  const wanted = count * draw.share
  const rest = drawNumber('dllm/audit-count', draw, { number: 0, below: PER_MILLE })
  const audited = Math.floor(wanted / PER_MILLE) + (rest < wanted % PER_MILLE ? 1 : 0)
  return Math.min(audited, count, MARKET_LIMITS.auditsPerLotMax)
}

/** `audited` of the numbers below `count`, every set of them as likely (Floyd's method: Bentley, CACM 30(9), 1987). */
function choose(draw: LotDraw, count: number, audited: number): number[] {
  const chosen = new Set<number>()
  for (let last = count - audited; last < count; last++) {
    const drawn = drawNumber('dllm/audit-window', draw, { number: last, below: last + 1 })
    chosen.add(chosen.has(drawn) ? last : drawn)
  }
  return [...chosen].sort((one, other) => one - other)
}

function drawNumber(
  tag: string,
  { seed, lease, lot }: LotDraw,
  { number, below }: { readonly number: number; readonly below: number },
): number {
  const input = new Writer(5).u8(lot).u32(number).finish()
  const digest = taggedHash(tag, hexToBytes(seed), hexToBytes(lease), input)
  return Number(BigInt(`0x${bytesToHex(digest)}`) % BigInt(below))
}
