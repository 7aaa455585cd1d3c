/**
 * Who audits: a draw among the miners that could have served the lot and have nothing to do with the lease. A first committee is drawn
 * by deposit and has one seat per owner; the last one is everybody, or seats drawn by deposit when there are too many. Pure arithmetic.
 * Spec: docs/spec/market.md §8.
 * @module
 */
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js'
import { assert } from '../../base/assert.ts'
import type { AccountId, Hash } from '../../base/brand.ts'
import { Writer } from '../../base/codec.ts'
import { taggedHash } from '../hash.ts'

export interface AuditCandidate {
  readonly operator: AccountId
  /** Operators that share it are one owner. */
  readonly payout: AccountId
  /** Grains; more than 0. */
  readonly deposit: bigint
}

export interface CommitteeDraw {
  /** Of the block that draws. */
  readonly seed: Hash
  /** Of the audit, 37 bytes. */
  readonly audit: Uint8Array
  /** Members, or seats. */
  readonly size: number
}

/** At most `size` operators, each the next by deposit of those whose owner was not drawn before. */
export function drawCommittee(candidates: readonly AuditCandidate[], draw: CommitteeDraw): AccountId[] {
  const drawn: AccountId[] = []
  let left = candidates
  while (drawn.length < draw.size && left.length > 0) {
    const from = { candidates: left, total: depositsOf(left), tag: 'dllm/audit-committee' }
    const { operator, payout } = pick(from, draw, drawn.length)
    drawn.push(operator)
    left = left.filter((other) => other.payout !== payout && other.operator !== payout && other.payout !== operator)
  }
  return drawn
}

/**
 * Votes of the last round. Up to `size` candidates all vote by deposit: then less than a part of the deposits is less than a part of
 * the votes. With more, each of `size` seats goes to a candidate by deposit, and an operator has as many votes as seats: so the votes
 * of some are binomial in their part of the deposits, into however many operators they split it.
 */
export function drawSeats(candidates: readonly AuditCandidate[], draw: CommitteeDraw): Map<AccountId, bigint> {
  if (candidates.length <= draw.size) return new Map(candidates.map(({ operator, deposit }) => [operator, deposit]))
  const seats = new Map<AccountId, bigint>()
  const total = depositsOf(candidates)
  for (let seat = 0; seat < draw.size; seat++) {
    const { operator } = pick({ candidates, total, tag: 'dllm/audit-seat' }, draw, seat)
    seats.set(operator, (seats.get(operator) ?? 0n) + 1n)
  }
  return seats
}

interface Urn {
  readonly candidates: readonly AuditCandidate[]
  /** Of their deposits. */
  readonly total: bigint
  /** Of the draw's hash. */
  readonly tag: string
}

/** One of them, by deposit. */
function pick({ candidates, total, tag }: Urn, { seed, audit }: CommitteeDraw, number: number): AuditCandidate {
  const digest = taggedHash(tag, hexToBytes(seed), audit, new Writer(4).u32(number).finish())
  let point = BigInt(`0x${bytesToHex(digest)}`) % total
  for (const candidate of candidates) {
    if (point < candidate.deposit) return candidate
    point -= candidate.deposit
  }
  assert(false, 'a point of the draw lies below the sum of the deposits')
}

function depositsOf(candidates: readonly AuditCandidate[]): bigint {
  return candidates.reduce((sum, { deposit }) => sum + deposit, 0n)
}
