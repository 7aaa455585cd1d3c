/** Who cheats loses: the inequality for the shipped parameters and at its boundary, and what votes are refused. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { oddsOfCatching } from '../../../../src/core/market/audit-odds.ts'
import { incentiveFault, taskOf } from '../../../../src/core/market/incentive.ts'
import { INITIAL_PARAMETERS, type Parameters, parametersFault, withChanges } from '../../../../src/core/parameters.ts'

const changed = (changes: Partial<Parameters>): Parameters => ({ ...INITIAL_PARAMETERS, ...changes })

test('the shipped parameters keep every rule', () => {
  expect(parametersFault(INITIAL_PARAMETERS)).toBeUndefined()
})

test.each([
  ['too little collateral', { collateralMultiple: 26n }],
  ['too few audits', { auditShare: 43n }],
  ['committees of one with so little collateral', { auditorsMin: 1n }],
  ['a subsidy above what the treasury takes', { workSubsidy: 61n }],
  ['audits that pay more than the treasury takes', { auditFee: 301n }],
  ['audits of new miners that do', { auditShareNew: 101n }],
  ['a treasury that takes less than audited work is worth', { treasuryShare: 99n }],
  ['a price floor above the ceiling', { priceMin: 10n ** 9n + 1n }],
  ['shares that leave less than half to miners', { stakerShare: 401n }],
  ['a share above its bound', { treasuryShare: 1_001n }],
  ['a least committee above the committee', { auditorsMin: 6n }],
  ['new miners audited less than others', { auditShareNew: 49n }],
  ['a floor of pay under which slow miners are above the budget', { payFloor: 801n }],
  ['receipts that hold no decode row', { receiptRows: 16n, decodeWeight: 17n }],
  ['auditors that stake more than they must have', { auditorStake: 2n * 10n ** 9n }],
])('refuses %s', (_case, changes) => {
  expect(parametersFault(changed(changes))).toMatch(/must be|lose|gain/)
})

test.each([
  ['the least collateral', { collateralMultiple: 27n }, { collateralMultiple: 26n }],
  ['the least share of audits', { auditShare: 44n }, { auditShare: 43n }],
  ['the most subsidy', { workSubsidy: 60n }, { workSubsidy: 61n }],
  [
    'the most subsidy without fees for auditors',
    { workSubsidy: 90n, auditFee: 0n },
    { workSubsidy: 91n, auditFee: 0n },
  ],
  ['no subsidy without a treasury', { treasuryShare: 0n, workSubsidy: 0n, auditFee: 0n }, { treasuryShare: 0n }],
])('accepts %s and refuses a step less', (_case, kept, broken) => {
  expect(parametersFault(changed(kept))).toBeUndefined()
  expect(parametersFault(changed(broken))).toBeDefined()
})

const anyVote = fc.record({
  auditShare: fc.bigInt({ min: 10n, max: 300n }),
  collateralMultiple: fc.bigInt({ min: 1n, max: 400n }),
  auditors: fc.bigInt({ min: 1n, max: 21n }),
  treasuryShare: fc.bigInt({ min: 0n, max: 400n }),
  workSubsidy: fc.bigInt({ min: 0n, max: 400n }),
  auditFee: fc.bigInt({ min: 0n, max: 1_000n }),
})

test('a vote is refused exactly when it breaks an inequality, whichever parameters it changes', () => {
  let accepted = 0
  const run = fc.property(anyVote, fc.bigInt({ min: 1n, max: 21n }), (vote, size) => {
    const auditorsMin = 1n + (size % vote.auditors)
    const changes = Object.entries({ ...vote, auditorsMin, auditShareNew: 300n }).map(([name, value]) => {
      return { name: name as keyof Parameters, value }
    })
    const parameters = withChanges(INITIAL_PARAMETERS, changes)
    const keeps = cheatingLoses(parameters) && selfDealingLoses(parameters)
    expect(parametersFault(parameters) === undefined).toBe(keeps)
    expect(incentiveFault(parameters) === undefined).toBe(keeps)
    if (keeps) accepted += 1
  })
  fc.assert(run, { numRuns: 3_000, seed: 1 })
  expect(accepted).toBeGreaterThan(50)
})

test('the least collateral that is accepted is the boundary of the inequality, for any share and committee', () => {
  const anyCase = fc.record({ share: fc.bigInt({ min: 10n, max: 1_000n }), auditors: fc.bigInt({ min: 1n, max: 21n }) })
  fc.assert(
    fc.property(anyCase, ({ share, auditors }) => {
      const at = (collateralMultiple: bigint): string | undefined => {
        const shares = { auditShare: share, auditShareNew: 1_000n, workSubsidy: 0n, auditFee: 0n }
        return parametersFault(changed({ ...shares, auditors, auditorsMin: auditors, collateralMultiple }))
      }
      const { numerator, denominator } = oddsOfCatching({ auditors, auditorsMin: auditors })
      // share · 990 · κ · (1 + m) > 10⁶ holds first for this m.
      const least = (1_000_000n * denominator) / (share * 990n * numerator)
      if (least > 1n) expect(at(least - 1n)).toMatch(/would not lose/)
      expect(at(least > 0n ? least : 1n)).toBeUndefined()
    }),
  )
})

test('a task is thirty times the most that a receipt can earn, at the end of the context', () => {
  const segments = [{ linear: 10n ** 9n, attention: 1_000n }]
  // 256 rows of 10⁹ + 1,000 · 2,048 MACs are 256,524.288 CU; a grain per CU leaves 0.83, rounded up.
  expect(taskOf({ price: 1n, segments, context: 2_048n }, INITIAL_PARAMETERS)).toBe(256_525n * 30n)
  expect(taskOf({ price: 0n, segments, context: 2_048n }, INITIAL_PARAMETERS)).toBe(0n)
})

/** In floating point, from the text of the spec; the cases at the boundary are those above. */
function cheatingLoses({ auditShare, auditors, auditorsMin, collateralMultiple }: Parameters): boolean {
  for (let size = auditorsMin; size <= auditors; size++) {
    const { numerator, denominator } = oddsOfCatching({ auditors: size, auditorsMin })
    const caught = Number((numerator * 10n ** 15n) / denominator) / 1e15
    if ((Number(auditShare) / 1_000) * 0.99 * caught * (1 + Number(collateralMultiple)) <= 1) return false
  }
  return true
}

function selfDealingLoses({ workSubsidy, auditFee, auditShareNew, treasuryShare }: Parameters): boolean {
  return 1_000n * workSubsidy + auditFee * auditShareNew <= 900n * treasuryShare
}
