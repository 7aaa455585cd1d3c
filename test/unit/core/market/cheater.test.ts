/**
 * A miner that cheats loses, over whole leases and however many windows it cheats in. The worst case: honest work costs it all that it is
 * paid, cheating nothing, and a third of the deposits of auditors are with it. Against honest work, in pays of a receipt,
 * `gain = cheated − found out · (receipts of the lease + collateralMultiple)`.
 */
import { expect, test } from 'vitest'
import { MARKET_LIMITS } from '../../../../src/base/chain-limits.ts'
import { drawWindows } from '../../../../src/core/market/audit-draw.ts'
import { oddsOfCatching } from '../../../../src/core/market/audit-odds.ts'
import { INITIAL_PARAMETERS } from '../../../../src/core/parameters.ts'
import { createDice } from '../../../chain-random.ts'
import { randomHash } from '../../../market-random.ts'

const { auditors, auditorsMin, auditShare, auditShareNew, collateralMultiple, receiptRows } = INITIAL_PARAMETERS
const RECEIPT_ROWS = Number(receiptRows)
const WINDOWS = [
  ...Array.from({ length: 60 }, (_, index) => index + 1),
  79,
  80,
  99,
  159,
  160,
  161,
  500,
  1_000,
  8_192,
  100_000,
  1_000_000,
]

/** δ · κ for the worst size of a committee. */
const FOUND = Math.min(
  ...Array.from({ length: Number(auditors - auditorsMin) + 1 }, (_, index) => {
    const { numerator, denominator } = oddsOfCatching({ auditors: auditorsMin + BigInt(index), auditorsMin })
    return (0.99 * Number((numerator * 10n ** 15n) / denominator)) / 1e15
  }),
)

test.each([
  ['known', Number(auditShare)],
  ['new', Number(auditShareNew)],
])('a %s miner loses by cheating, in one window or any number of them, in leases of any length', (_name, share) => {
  for (const windows of WINDOWS) {
    for (const cheated of cheatsOf(windows)) {
      const foundOut = foundOutIn({ windows, cheated, share })
      const gain = cheated - foundOut * (windows + Number(collateralMultiple))
      expect(gain, `${cheated} of ${windows} windows`).toBeLessThan(0)
    }
  }
})

test.each([
  { windows: 1, cheated: 1, leases: 20_000 },
  { windows: 7, cheated: 7, leases: 4_000 },
  { windows: 30, cheated: 3, leases: 4_000 },
  { windows: 200, cheated: 20, leases: 2_000 },
  { windows: 200, cheated: 200, leases: 1_000 },
])(
  'the real draw finds $cheated of $windows windows out as often as reckoned, and the cheater is the poorer',
  (scene) => {
    const { windows, cheated, leases } = scene
    const share = Number(auditShare)
    const dice = createDice(50n)
    let foundOut = 0
    for (let lease = 0; lease < leases; lease++) {
      // Rows of the last window, and whose windows are cheated in, are the cheater's choice before the seed is known.
      const rows = windows * RECEIPT_ROWS
      const ids = { seed: randomHash(dice), lease: randomHash(dice), lot: 0 }
      const drawn = drawWindows({ ...ids, rows, receiptRows: RECEIPT_ROWS, share })
      if (drawn.some(({ window }) => window < cheated && dice.chance(FOUND))) foundOut += 1
    }
    const expected = foundOutIn({ windows, cheated, share })
    const deviation = Math.sqrt((expected * (1 - expected)) / leases)
    expect(Math.abs(foundOut / leases - expected)).toBeLessThan(4 * deviation + 1e-9)
  },
)

test('simulated over 100,000 leases of one window, the case with the least margin, the cheater ends with less than nothing', () => {
  const dice = createDice(51n)
  let profit = 0
  for (let lease = 0; lease < 100_000; lease++) {
    const isAudited = dice.chance(Number(auditShare) / 1_000)
    // Not found out, it keeps the pay, which it did nothing for; else it has no pay and loses the task.
    profit += isAudited && dice.chance(FOUND) ? -Number(collateralMultiple) : 1
  }
  expect(profit).toBeLessThan(0)
})

function cheatsOf(windows: number): number[] {
  return [1, 2, 3, windows / 20, windows / 10, windows / 4, windows / 2, windows - 1, windows]
    .map(Math.ceil)
    .filter((cheated) => cheated >= 1 && cheated <= windows)
}

interface Scene {
  readonly windows: number
  readonly cheated: number
  readonly share: number
}

/** The probability that some audited window was cheated in and is found out. */
function foundOutIn({ windows, cheated, share }: Scene): number {
  const wanted = (windows * share) / 1_000
  const least = Math.floor(wanted)
  const foundWith = (audited: number): number => {
    return 1 - escapes({ windows, cheated, audited: Math.min(audited, windows, MARKET_LIMITS.auditsPerLotMax) })
  }
  return (1 - (wanted - least)) * foundWith(least) + (wanted - least) * foundWith(least + 1)
}

/** Hypergeometric: how many of the audited windows were cheated in; each of them escapes by itself. */
function escapes({ windows, cheated, audited }: { windows: number; cheated: number; audited: number }): number {
  let states = [1] // by the number of cheated windows among those drawn so far
  for (let drawn = 0; drawn < audited; drawn++) {
    const next = new Array<number>(states.length + 1).fill(0)
    for (const [hits, odds] of states.entries()) {
      const hit = Math.max(0, cheated - hits) / (windows - drawn)
      next[hits + 1]! += odds * hit
      next[hits]! += odds * (1 - hit)
    }
    states = next
  }
  return states.reduce((sum, odds, hits) => sum + odds * (1 - FOUND) ** hits, 0)
}
