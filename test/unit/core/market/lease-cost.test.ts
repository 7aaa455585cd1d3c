/** What leases cost at most: records that are read and written, whatever somebody built up before. */
import { expect, test } from 'vitest'
import { hash } from '../../../../src/base/brand.ts'
import { MARKET_LIMITS } from '../../../../src/base/chain-limits.ts'
import { endMarketBlock } from '../../../../src/core/market/end-of-block.ts'
import { openLease, planLease, termsOf } from '../../../../src/core/market/open.ts'
import { closeLease, settleLease } from '../../../../src/core/market/settle.ts'
import { INITIAL_PARAMETERS } from '../../../../src/core/parameters.ts'
import { getLease, leases, putLease } from '../../../../src/core/state/leases.ts'
import { getModel } from '../../../../src/core/state/models.ts'
import { overlayOn } from '../../../../src/core/state/state.ts'
import { getSupply, putSupply } from '../../../../src/core/state/supply.ts'
import { person } from '../../../chain-accounts.ts'
import { countedState } from '../../../counted-state.ts'
import { crowdedState, LOTS, WIDE_MODEL } from '../../../many-miners.ts'

const PLACEMENTS = MARKET_LIMITS.placementsPerModelMax
const leaseId = hash('01'.repeat(32))
const context = { height: 5, parameters: INITIAL_PARAMETERS }
const cuts = Array.from({ length: LOTS - 1 }, (_, index) => index + 1)
const state = overlayOn(crowdedState(PLACEMENTS))
putSupply(state, { genesis: 0n, issued: 0n, burnt: 0n, pool: 0n, bonded: 0n, proposalsMade: 0 })
const request = { leaseId, model: WIDE_MODEL, cuts, avoid: [], rows: 1_000 }

test('an opening reads each placement and each miner of the model once, and writes two records per lot', () => {
  const counted = countedState(state)
  const record = getModel(state, WIDE_MODEL)!
  const plan = planLease(counted, { request, record }, context)
  expect(counted.touched).toBe(2 * PLACEMENTS)
  if (!plan.ok) throw new Error('somebody serves each lot')
  const opening = countedState(overlayOn(state))
  openLease(opening, leaseId, {
    ...{ payer: person(1).id, model: WIDE_MODEL, voucherKey: new Uint8Array(32), cap: 0n, openedHeight: 5 },
    ...{ expiryHeight: 9, terms: termsOf(record.price, INITIAL_PARAMETERS), lots: plan.lots },
  })
  // Placement and miner are read and written, and the miner's peer key is looked at.
  expect(opening.touched).toBeLessThan(8 * LOTS + 10)
})

test('closing and settling cost the same however many serve', () => {
  const record = getModel(state, WIDE_MODEL)!
  const plan = planLease(state, { request, record }, context)
  if (!plan.ok) throw new Error('somebody serves each lot')
  const overlay = overlayOn(state)
  openLease(overlay, leaseId, {
    ...{ payer: person(1).id, model: WIDE_MODEL, voucherKey: new Uint8Array(32), cap: 0n, openedHeight: 5 },
    ...{ expiryHeight: 9, terms: termsOf(record.price, INITIAL_PARAMETERS), lots: plan.lots },
  })
  const counted = countedState(overlay)
  closeLease(counted, leaseId, 20)
  settleLease(counted, leaseId)
  expect(counted.touched).toBeLessThan(12 * LOTS + 30)
  expect(getSupply(overlay).burnt).toBe(0n)
})

test('a block that drew many audits leaves further leases to the next', () => {
  const record = getModel(state, WIDE_MODEL)!
  const overlay = overlayOn(state)
  for (let number = 0; number < 5; number++) {
    const id = hash(number.toString(16).padStart(64, '0'))
    const plan = planLease(overlay, { request: { ...request, leaseId: id }, record }, context)
    if (!plan.ok) throw new Error('somebody serves each lot')
    openLease(overlay, id, {
      ...{ payer: person(1).id, model: WIDE_MODEL, voucherKey: new Uint8Array(32), cap: 0n, openedHeight: 5 },
      ...{ expiryHeight: 9, terms: termsOf(record.price, INITIAL_PARAMETERS), lots: plan.lots },
    })
    closeLease(overlay, id, 20)
    // Enough for three audits of each lot.
    const lease = getLease(overlay, id)!
    const lots = lease.lots.map((lot) => ({ ...lot, state: 'claimed' as const, rows: 256 * 30 }))
    putLease(overlay, id, { ...lease, lots })
  }
  const audited = () => [...leases(overlay)].filter(([, { status }]) => status === 'auditing')
  const end = { height: 20, parameters: INITIAL_PARAMETERS, seed: leaseId }
  endMarketBlock(overlay, end)
  expect(audited()).toHaveLength(3)
  const drawn = audited().reduce((sum, [, { openAudits }]) => sum + openAudits, 0)
  expect(drawn).toBeLessThan(MARKET_LIMITS.auditsDrawnPerBlock + LOTS * MARKET_LIMITS.auditsPerLotMax)
  endMarketBlock(overlay, { ...end, height: 21 })
  expect(audited()).toHaveLength(5)
})
