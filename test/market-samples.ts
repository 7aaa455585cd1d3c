/**
 * Events of a market as a test wants them, without a chain that makes them.
 * @module
 */
import { type AccountId, accountId, type Hash, hash } from '../src/base/brand.ts'
import type { MarketEvent } from '../src/core/market/events.ts'

type EventOf<Type extends MarketEvent['type']> = Extract<MarketEvent, { type: Type }>

export const account = (number: number): AccountId => accountId(number.toString(16).padStart(40, '0'))
export const digest = (number: number): Hash => hash(number.toString(16).padStart(64, '0'))

export const [PAYER, MINER, OTHER, AUDITOR] = [account(1), account(2), account(3), account(4)] as const
/** Of MINER; the others are paid where they work. */
export const PAYOUT = account(5)
export const MODEL = digest(0xaa)

export function settled(lease: number, change: Partial<EventOf<'settled'>> = {}): EventOf<'settled'> {
  return {
    ...{ type: 'settled', lease: digest(lease), payer: PAYER, model: MODEL },
    lots: [
      { operator: MINER, payout: PAYOUT, end: 3, state: 'claimed', units: 40n, pay: 400n },
      { operator: OTHER, payout: OTHER, end: 6, state: 'unclaimed', units: 0n, pay: 0n },
    ],
    ...{ charge: 480n, treasury: 48n, stakers: 32n, burnt: 0n, refund: 520n },
    ...change,
  }
}

export function audited(lease: number, change: Partial<EventOf<'audited'>> = {}): EventOf<'audited'> {
  return {
    ...{ type: 'audited', lease: digest(lease), lot: 0, window: 2, model: MODEL, operator: MINER, payout: PAYOUT },
    result: { type: 'pass', units: 64n, value: 38n },
    auditors: [{ operator: AUDITOR, payout: AUDITOR, verdict: 'right', grains: 7n }],
    ...change,
  }
}

export function issued(epoch: number, change: Partial<EventOf<'issued'>> = {}): EventOf<'issued'> {
  return { type: 'issued', epoch, operator: MINER, payout: PAYOUT, value: 38n, pay: 19n, ...change }
}
