/**
 * Thousands of audits with the real draws and the real tally: no honest miner is found at fault while fewer than a third of the
 * deposits lie, cheats are found out as often as reckoned, and within the horizon that the spec states.
 */
import { describe, expect, test } from 'vitest'
import { type AccountId, accountId, type Hash, hash } from '../../../../src/base/brand.ts'
import { drawWindows } from '../../../../src/core/market/audit-draw.ts'
import { type Fraction, oddsOfCatching, oddsOfFalseFault } from '../../../../src/core/market/audit-odds.ts'
import { type AuditCandidate, drawCommittee, drawSeats } from '../../../../src/core/market/committee.ts'
import { UNAVAILABLE } from '../../../../src/core/market/receipt.ts'
import { tally } from '../../../../src/core/market/tally.ts'
import { INITIAL_PARAMETERS } from '../../../../src/core/parameters.ts'
import type { Auditor, AuditRound } from '../../../../src/core/state/audits.ts'
import { createDice, type Dice } from '../../../chain-random.ts'
import { randomHash } from '../../../market-random.ts'

const TRUE = hash('aa'.repeat(32))
const FALSE = hash('bb'.repeat(32))
const PROMISE = hash('cc'.repeat(32))
const RULES = { auditorsMin: Number(INITIAL_PARAMETERS.auditorsMin), unavailable: UNAVAILABLE }
const COMMITTEE = Number(INITIAL_PARAMETERS.auditors)
const SEATS = 64

interface Crowd {
  readonly candidates: readonly AuditCandidate[]
  readonly liars: ReadonlySet<AccountId>
}

/** Miners with deposits of 1 to 100, of whom liars have as much as they can below the part. */
function crowdOf(dice: Dice, count: number, part: number): Crowd {
  const candidates = Array.from({ length: count }, (_, index) => {
    const operator = accountId((index + 1).toString(16).padStart(40, '0'))
    return { operator, payout: operator, deposit: BigInt(1 + dice.below(100)) }
  })
  const total = candidates.reduce((sum, { deposit }) => sum + Number(deposit), 0)
  const liars = new Set<AccountId>()
  let lying = 0
  for (const { operator, deposit } of candidates) {
    if (lying + Number(deposit) >= total * part) continue
    lying += Number(deposit)
    liars.add(operator)
  }
  return { candidates, liars }
}

/** `opened`: what the miner shows. Liars say `lie`, or promise and keep silent when there is none; the others are honest. */
interface Play {
  readonly dice: Dice
  readonly opened: Hash
  readonly lie: Hash | undefined
}

function play({ candidates, liars }: Crowd, { dice, opened, lie }: Play): string {
  const speak = (operator: AccountId, weight = 0n): Auditor => {
    const finding = liars.has(operator) ? lie : TRUE
    return { operator, weight, commitment: PROMISE, finding }
  }
  const opening = { finding: opened, units: 1n, rows: 1, milliseconds: 1 }
  const draw = (): { seed: Hash; audit: Uint8Array } => ({ seed: randomHash(dice), audit: new Uint8Array(37) })
  let round: AuditRound = 'first'
  let auditors = drawCommittee(candidates, { ...draw(), size: COMMITTEE }).map((operator) => speak(operator))
  for (;;) {
    const outcome = tally({ round, auditors, opening }, RULES)
    if (outcome.type !== 'again') return outcome.type
    round = outcome.round
    const asked = new Set(auditors.map(({ operator }) => operator))
    if (round === 'last') {
      auditors = [...drawSeats(candidates, { ...draw(), size: SEATS })].map(([operator, weight]) =>
        speak(operator, weight),
      )
    } else {
      const others = candidates.filter(({ operator }) => !asked.has(operator))
      auditors = [
        ...auditors,
        ...drawCommittee(others, { ...draw(), size: COMMITTEE }).map((operator) => speak(operator)),
      ]
    }
  }
}

function countOf(crowd: Crowd, audits: number, parts: Play): Record<string, number> {
  const counts: Record<string, number> = { pass: 0, fault: 0, void: 0 }
  for (let audit = 0; audit < audits; audit++) counts[play(crowd, parts)]!++
  return counts
}

const decimal = ({ numerator, denominator }: Fraction): number => Number((numerator * 10n ** 15n) / denominator) / 1e15

describe('an honest miner', () => {
  test.each([
    { count: 12, part: 1 / 3, audits: 10_000 },
    { count: 40, part: 1 / 3, audits: 10_000 },
    { count: 66, part: 0.3, audits: 10_000 },
  ])(
    'is never at fault in $audits audits by $count miners of whom $part by deposit lie together',
    ({ count, part, audits }) => {
      const dice = createDice(BigInt(count))
      const crowd = crowdOf(dice, count, part)
      expect(crowd.liars.size).toBeGreaterThan(count / 5)
      expect(countOf(crowd, audits, { dice, opened: TRUE, lie: FALSE })['fault']).toBe(0)
    },
  )

  test('would be at fault some dozen times if five liars of a first committee were enough', () => {
    const dice = createDice(3n)
    const { candidates, liars } = crowdOf(dice, 66, 1 / 3)
    let alone = 0
    for (let audit = 0; audit < 10_000; audit++) {
      const drawn = drawCommittee(candidates, { seed: randomHash(dice), audit: new Uint8Array(37), size: COMMITTEE })
      if (drawn.every((operator) => liars.has(operator))) alone++
    }
    // At most 41 on average, by (1/3)⁵: without replacement it is less.
    expect(alone).toBeGreaterThan(0)
    expect(alone).toBeLessThan(41 + 6 * Math.sqrt(41))
    expect(10_000 * decimal(oddsOfFalseFault({ numerator: 1n, denominator: 3n }))).toBeLessThan(0.06)
  })

  test('is not at fault because liars keep silent', () => {
    const dice = createDice(4n)
    expect(countOf(crowdOf(dice, 40, 1 / 3), 2_000, { dice, opened: TRUE, lie: undefined })['fault']).toBe(0)
  })
})

describe('a cheat whose receipt is audited', () => {
  test.each([
    { count: 12, part: 0.33, lie: FALSE },
    { count: 12, part: 0.33, lie: undefined },
    { count: 100, part: 0.3, lie: FALSE },
    { count: 100, part: 0.3, lie: undefined },
  ])(
    'is found out at least as often as reckoned by $count miners of whom $part are with it',
    ({ count, part, lie }) => {
      const dice = createDice(7n + BigInt(count))
      const audits = 1_500
      const sizes = { auditors: BigInt(COMMITTEE), auditorsMin: BigInt(RULES.auditorsMin) }
      const least = decimal(oddsOfCatching(sizes, { numerator: BigInt(Math.round(part * 100)), denominator: 100n }))
      const { fault } = countOf(crowdOf(dice, count, part), audits, { dice, opened: FALSE, lie })
      expect(fault! / audits).toBeGreaterThan(least - 4 * Math.sqrt((least * (1 - least)) / audits))
    },
  )
})

describe('within the horizon of the spec', () => {
  const { auditShare, auditShareNew, receiptRows } = INITIAL_PARAMETERS
  const HORIZONS = [
    { share: auditShare, cheats: 1, windows: 90 },
    { share: auditShare, cheats: 0.1, windows: 920 },
    { share: auditShareNew, cheats: 1, windows: 45 },
    { share: auditShareNew, cheats: 0.1, windows: 460 },
  ]

  test.each(HORIZONS)(
    'a miner that cheats in $cheats of its windows is found out with 0.99 in $windows, at $share ‰',
    (scene) => {
      const p = (Number(scene.share) / 1_000) * scene.cheats
      expect(1 - (1 - p) ** scene.windows).toBeGreaterThan(0.989)
    },
  )

  test.each(HORIZONS)(
    'by the real draw too: $cheats of $windows windows at $share ‰, in leases of ten windows',
    (scene) => {
      const dice = createDice(BigInt(scene.windows))
      const miners = 1_200
      let found = 0
      for (let miner = 0; miner < miners; miner++) {
        let isFound = false
        for (let lease = 0; lease < scene.windows / 10 && !isFound; lease++) {
          const ids = { seed: randomHash(dice), lease: randomHash(dice), lot: 0 }
          const draw = {
            ...ids,
            rows: 10 * Number(receiptRows),
            receiptRows: Number(receiptRows),
            share: Number(scene.share),
          }
          isFound = drawWindows(draw).some(() => dice.chance(scene.cheats))
        }
        if (isFound) found++
      }
      expect(found / miners).toBeGreaterThan(0.99 - 4 * Math.sqrt((0.99 * 0.01) / miners))
    },
  )
})
