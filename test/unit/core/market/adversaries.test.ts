/**
 * Adversaries of the market, on the real state: each is the poorer for it, and nobody honest pays. What a lazy miner loses over whole
 * leases is in cheater.test.ts, how often cheats and lies succeed in audit-simulation.test.ts.
 */
import { describe, expect, test } from 'vitest'
import { type AccountId, accountId } from '../../../../src/base/brand.ts'
import { weightsOf } from '../../../../src/core/block/proposer.ts'
import { type Member, validatorSet } from '../../../../src/core/consensus/validator-set.ts'
import { sign, verify } from '../../../../src/core/ed25519.ts'
import { handoverDigest, UNAVAILABLE } from '../../../../src/core/market/receipt.ts'
import { INITIAL_PARAMETERS } from '../../../../src/core/parameters.ts'
import { getAccount, TREASURY } from '../../../../src/core/state/accounts.ts'
import { audits } from '../../../../src/core/state/audits.ts'
import { stateFaults } from '../../../../src/core/state/invariants.ts'
import { getLease } from '../../../../src/core/state/leases.ts'
import { getMiner } from '../../../../src/core/state/miners.ts'
import { getSupply } from '../../../../src/core/state/supply.ts'
import {
  AUDIT_PARAMETERS,
  type AuditWorld,
  asked,
  auditWorld,
  commitBody,
  coverOf,
  draw,
  hold,
  honestFinding,
  MINER,
  openBody,
  outDigestOf,
  peerKeyOf,
  people,
  revealBody,
} from '../../../audit-world.ts'
import { DLLM, type Person } from '../../../chain-accounts.ts'
import { call, claimBody, endBlocks, leaseWorld, open, PAYERS, serve, voucherOf } from '../../../lease-world.ts'

const PAYER = PAYERS[0]!
const STAKE = DLLM / 10n
/** What honest auditors find when the miner sent something else than it should. */
const TRUTH = outDigestOf(66)

const depositOf = (world: AuditWorld, { id }: Person): bigint => getMiner(world.state, id)!.deposit
const balanceOf = (world: AuditWorld, id: AccountId): bigint => getAccount(world.state, id).balance

/** Holds audits until none is left; everybody asked finds what is said. */
function holdAll(
  world: AuditWorld,
  findingOf: (who: Person) => ReturnType<typeof outDigestOf> | undefined,
  opens = true,
): void {
  draw(world)
  const spoken = new Set<Person>()
  for (;;) {
    const [next] = audits(world.state)
    if (next === undefined) return
    const who = asked(world, next[1]).filter((one) => !spoken.has(one))
    for (const one of who) spoken.add(one)
    const findings = new Map(who.map((one) => [one, findingOf(one)]))
    hold(world, next, { findings, opens: opens && next[1].opening === undefined })
    expect(stateFaults(world.state)).toEqual([])
  }
}

describe('a lazy miner', () => {
  test('that is audited loses its pay and a task worth thirty receipts, and the client pays nothing', () => {
    const world = auditWorld()
    const { lots, terms } = getLease(world.state, world.lease)!
    const [{ task, rate }] = lots as [(typeof lots)[number]]
    const client = balanceOf(world, PAYER.id)
    const escrow = getLease(world.state, world.lease)!.escrow
    const before = balanceOf(world, MINER.id)
    holdAll(world, () => TRUTH)
    expect(depositOf(world, MINER)).toBe(DLLM - task)
    expect(balanceOf(world, MINER.id)).toBeLessThanOrEqual(before)
    expect(balanceOf(world, PAYER.id) - client).toBe(escrow)
    // The most that the whole lease could have earned it.
    expect(task).toBeGreaterThan(rate * 1_201n)
    expect(terms.price).toBeGreaterThan(0n)
  })
})

describe('colluding neighbours', () => {
  test('gain nothing by a countersigned lie: the lot is recomputed from what came in', () => {
    const world = auditWorld()
    const neighbour = peerKeyOf(people(1, 60)[0]!)
    const [receipt] = world.receipts
    const handover = { lease: world.lease, lot: 0, window: 0, outDigest: outDigestOf(receipt!.window) }
    const message = handoverDigest(world.networkId, handover)
    const signature = sign(message, neighbour.secretKey)
    expect(verify({ message, signature, publicKey: neighbour.publicKey })).toBe(true)
    const task = getLease(world.state, world.lease)!.lots[0]!.task
    holdAll(world, () => TRUTH)
    expect(depositOf(world, MINER)).toBe(DLLM - task)
  })

  test('and accusers of its own give a miner back half of its slash at most', () => {
    const world = auditWorld()
    const task = getLease(world.state, world.lease)!.lots[0]!.task
    const own = [MINER, ...world.auditors]
    const wealth = (): bigint => own.reduce((sum, who) => sum + depositOf(world, who) + balanceOf(world, who.id), 0n)
    const fees = (): bigint => getSupply(world.state).burnt
    const [before, burnt] = [wealth(), fees()]
    holdAll(world, () => TRUTH)
    // Fees of transactions are burnt too: both sides hold them.
    const lost = before - wealth()
    expect(lost).toBeGreaterThanOrEqual(task / 2n)
    expect(fees() - burnt).toBe(lost)
  })
})

describe('a ghost', () => {
  test('that claims and never answers is at fault', () => {
    const world = auditWorld()
    const task = getLease(world.state, world.lease)!.lots[0]!.task
    holdAll(world, () => UNAVAILABLE, false)
    expect(depositOf(world, MINER)).toBe(DLLM - task)
    expect(world.auditors.map((one) => depositOf(world, one))).toEqual(world.auditors.map(() => DLLM))
  })

  test('among auditors is asked in vain, and gains nothing', () => {
    const world = auditWorld()
    const [drawn] = draw(world)
    const [ghost, ...others] = asked(world, drawn![1]) as [Person, ...Person[]]
    const truth = honestFinding(coverOf(world, drawn![1]))
    hold(world, drawn!, { findings: new Map(others.map((one) => [one, truth])) })
    expect(getMiner(world.state, ghost.id)).toMatchObject({ deposit: DLLM, workValue: 0n, locked: 0n })
    expect(getMiner(world.state, MINER.id)!.auditedReceipts).toBe(1)
  })
})

describe('an auditor', () => {
  test.each([
    ['is lazy and says that there was no data', UNAVAILABLE],
    ['is lazy and says anything', outDigestOf(5)],
  ])('that %s loses its stake, and its word harms nobody', (_what, word) => {
    const world = auditWorld()
    const [drawn] = draw(world)
    const [lazy] = asked(world, drawn![1])
    const truth = honestFinding(coverOf(world, drawn![1]))
    hold(world, drawn!, { findings: new Map(asked(world, drawn![1]).map((one) => [one, one === lazy ? word : truth])) })
    const rest = [...audits(world.state)]
    for (const next of rest) {
      const who = asked(world, next[1]).filter((one) => !asked(world, drawn![1]).includes(one))
      hold(world, next, { findings: new Map(who.map((one) => [one, truth])), opens: false })
    }
    expect(depositOf(world, lazy!)).toBe(DLLM - STAKE)
    expect(getMiner(world.state, lazy!.id)!.workValue).toBe(0n)
    expect(getMiner(world.state, MINER.id)).toMatchObject({ deposit: DLLM, auditedReceipts: 1 })
  })

  test('that copies the promise of another cannot keep it, and loses its stake', () => {
    const world = auditWorld()
    const [drawn] = draw(world)
    const [id, audit] = drawn!
    const truth = honestFinding(coverOf(world, audit))
    const [copier, ...others] = asked(world, audit) as [Person, ...Person[]]
    for (const one of others) call(world, one, { type: 16, body: commitBody(id, one, truth) })
    call(world, copier, { type: 16, body: commitBody(id, others[0]!, truth) })
    endBlocks(world, audit.commitHeight - world.context.height + 1)
    call(world, MINER, { type: 17, body: openBody(world, id, coverOf(world, audit)) })
    for (const one of others) call(world, one, { type: 18, body: revealBody(id, one, truth) })
    expect(() => call(world, copier, { type: 18, body: revealBody(id, copier, truth) })).toThrow()
    endBlocks(world, audit.dueHeight - world.context.height + 1)
    expect(depositOf(world, copier)).toBe(DLLM - STAKE)
    expect(getMiner(world.state, copier.id)!.workValue).toBe(0n)
    expect(getMiner(world.state, MINER.id)!.auditedReceipts).toBe(1)
  })

  test.each([3n, 6n, 10n])('gains less by an honest fee than it loses by a lie, at %i times the work', (times) => {
    const world = auditWorld({ windows: [Number(times) * 6] })
    holdAll(world, () => honestFinding(world.receipts[0]!))
    for (const one of world.auditors) expect(getMiner(world.state, one.id)!.workValue).toBeLessThan(STAKE)
  })
})

describe('a self-dealing pair', () => {
  test.each([[[25]], [[64, 64, 64]], [[10, 300, 2]]])(
    'that also audits itself gets less issued for windows of %j rows than the treasury takes',
    (windows) => {
      const honest = auditWorld({ windows })
      const treasury = balanceOf(honest, TREASURY)
      draw(honest)
      for (const next of [...audits(honest.state)]) {
        const truth = honestFinding(coverOf(honest, next[1]))
        for (const one of asked(honest, next[1])) call(honest, one, { type: 16, body: commitBody(next[0], one, truth) })
      }
      const all = [...audits(honest.state)]
      endBlocks(honest, all[0]![1].commitHeight - honest.context.height + 1)
      for (const next of all) {
        const truth = honestFinding(coverOf(honest, next[1]))
        call(honest, MINER, { type: 17, body: openBody(honest, next[0], coverOf(honest, next[1])) })
        for (const one of asked(honest, next[1])) call(honest, one, { type: 18, body: revealBody(next[0], one, truth) })
      }
      endBlocks(honest, all[0]![1].dueHeight - honest.context.height + 1)
      const issued = [MINER, ...honest.auditors].reduce(
        (sum, { id }) => sum + getMiner(honest.state, id)!.workValue,
        0n,
      )
      const taken = balanceOf(honest, TREASURY) - treasury
      expect(issued).toBeGreaterThan(0n)
      expect(issued).toBeLessThan(taken)
      // And of what it paid itself stakers took their part, and what the rate left was burnt.
      expect(stateFaults(honest.state)).toEqual([])
    },
  )

  test('that avoids all others has its own miner, and is audited by those whom it avoided', () => {
    const world = leaseWorld(AUDIT_PARAMETERS)
    const others = people(8)
    serve(
      world,
      [MINER, ...others].map(({ id: miner }) => ({ miner })),
    )
    const lease = open(world, PAYER, { avoid: others.map(({ id }) => id).sort() })
    expect(getLease(world.state, lease)!.lots).toMatchObject([{ operator: MINER.id, standby: undefined }])
    const voucher = voucherOf(world, lease, { decodeRows: 25n, decodePositions: 300n })
    call(world, MINER, { type: 15, body: claimBody(lease, { voucher, rows: 100 }) })
    call(world, PAYER, { type: 14, body: { lease } })
    endBlocks(world, Number(world.context.parameters.disputeBlocks) + 1)
    const [drawn] = audits(world.state)
    expect(drawn![1].auditors).toHaveLength(5)
    const avoided = others.map(({ id }) => id)
    for (const { operator } of drawn![1].auditors) expect(avoided).toContain(operator)
  })

  test('buys power for more than the tips that power brings, under the condition of the spec', () => {
    const { treasuryShare, stakerShare, workSubsidy, auditFee, auditShareNew, stakeWeight } = INITIAL_PARAMETERS
    const fees = (auditFee * auditShareNew) / 1_000n
    const perCu = Number(treasuryShare + stakerShare - workSubsidy - fees) / 1_000
    expect(perCu).toBeCloseTo(0.08)
    for (const members of [4, 12]) {
      const set = setOf(members)
      for (const others of [1e3, 1e6]) {
        for (const bought of [0.01, 0.1, 1, 10].map((part) => part * others)) {
          const share = shareOf(set, { others, bought, stakeWeight }) - shareOf(set, { others, bought: 0, stakeWeight })
          // Tips of a day just below what the condition allows, at a price of 1.
          const tips = (0.999 * perCu * (others + bought)) / 0.7
          expect(share * tips).toBeLessThan(perCu * bought)
        }
      }
    }
  })
})

/** Members with the same stake. */
function setOf(members: number): ReturnType<typeof validatorSet> {
  const list: Member[] = Array.from({ length: members }, (_, index) => ({
    id: accountId((index + 1).toString(16).padStart(40, '0')),
    ...{ consensusKey: new Uint8Array(32), seedKey: new Uint8Array(48), stake: DLLM },
  }))
  return validatorSet(list)
}

/** Part of the proposals of the first member, which buys power beside that of the others. */
function shareOf(
  set: ReturnType<typeof validatorSet>,
  { others, bought, stakeWeight }: { others: number; bought: number; stakeWeight: bigint },
): number {
  const [first] = set.members
  const each = Math.round(others / (set.members.length - 1))
  const power = { powerOf: (id: AccountId) => BigInt(id === first!.id ? Math.round(bought) : each) }
  const weights = weightsOf(set, { height: 1, power, stakeWeight }).map(Number)
  return weights[0]! / weights.reduce((sum, weight) => sum + weight, 0)
}
