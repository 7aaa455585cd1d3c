/**
 * What a simulated market came to: calls of its contracts in final blocks, and what the ends of blocks said of leases, audits and pay.
 * @module
 */
import type { AppliedBlock, Chain } from '../../src/core/chain.ts'
import type { MarketEvent } from '../../src/core/market/events.ts'
import { contractOf } from '../../src/core/transaction/contracts.ts'
import { decodeTransaction } from '../../src/core/transaction/transaction.ts'

export interface MarketLedger {
  /** By name. */
  readonly counts: ReadonlyMap<string, number>
  /** Counts the blocks that no chain has shown before. */
  read(chain: Chain): void
}

/** Contracts of the market have numbers from here on. */
const FIRST_TYPE = 8

export function createMarketLedger(): MarketLedger {
  const counts = new Map<string, number>()
  let seen = 0
  const count = (name: string): void => void counts.set(name, (counts.get(name) ?? 0) + 1)
  const readBlock = ({ block, marketEvents }: AppliedBlock): void => {
    for (const bytes of block.transactions) {
      const { type } = decodeTransaction(bytes)
      if (type >= FIRST_TYPE) count(contractOf(type)!.name)
    }
    for (const event of marketEvents) count(nameOf(event))
  }
  return {
    counts,
    read(chain) {
      for (; seen < chain.header.height; seen++) {
        const block = chain.appliedAt(seen + 1)
        if (block !== undefined) readBlock(block)
      }
    },
  }
}

function nameOf(event: MarketEvent): string {
  if (event.type === 'audited') {
    const { result } = event
    return result.type === 'pass' ? 'audit: pass' : `audit: ${result.type}, ${result.reason}`
  }
  if (event.type === 'settled') return event.charge > 0n ? 'settled: paid' : 'settled: for nothing'
  return event.type === 'model' ? `model: ${event.change}` : event.type
}
