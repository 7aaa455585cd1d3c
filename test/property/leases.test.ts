/**
 * Whatever payers, miners and voters do in whatever order: what every lease cost and paid is what a second, plain account of it says,
 * and nothing is made or lost.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type AccountId, hash } from '../../src/base/brand.ts'
import { codeOf } from '../../src/base/error.ts'
import type { Counters } from '../../src/core/market/counters.ts'
import { getAccount, TREASURY } from '../../src/core/state/accounts.ts'
import { stateFaults } from '../../src/core/state/invariants.ts'
import { getLease, leaseIdOf, leases } from '../../src/core/state/leases.ts'
import { miners } from '../../src/core/state/miners.ts'
import { getSupply } from '../../src/core/state/supply.ts'
import { DLLM, type Person, person } from '../chain-accounts.ts'
import { expectedSettlement, type LeaseAccount, rankOf, rowsOf, unitsOf } from '../lease-account.ts'
import {
  call,
  claimBody,
  endBlocks,
  type LeaseWorld,
  leaseWorld,
  MINERS,
  MODEL,
  openBody,
  PAYERS,
  serve,
  voucherOf,
} from '../lease-world.ts'

const number = fc.nat({ max: 1_000_000 })
const small = fc.bigInt({ min: 0n, max: 3_000n })
const run = fc.constantFrom<[number, number]>([0, 6], [0, 3], [3, 6], [0, 2], [2, 4], [4, 6], [1, 5])

/** The first of these is rare. */
const often = <Value>(...[rare, ...usual]: [Value, ...Value[]]) =>
  fc.oneof({ weight: 1, arbitrary: fc.constant(rare) }, { weight: 9, arbitrary: fc.constantFrom(...usual) })

const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      ...{ type: fc.constant('open' as const), payer: number, rows: often(0, 1, 100, 5_000) },
      cuts: often<number[]>([3, 3], [], [3], [3], [2, 4]),
      cap: often(0n, 999n, 1_000_000n, 1_000_000n, DLLM, 400n * DLLM),
      ...{ life: often(41, 1, 3, 10, 40), priceMax: often(5n, 20n, 10_000n) },
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      ...{ type: fc.constant('pay' as const), lease: number, isHonest: fc.constantFrom(true, true, true, false) },
      ...{
        promptRows: small,
        promptPositions: small,
        decodeRows: small,
        decodePositions: small,
        transcript: fc.nat(9),
      },
    }),
  },
  {
    weight: 10,
    arbitrary: fc.record({
      ...{
        type: fc.constant('claim' as const),
        lease: number,
        lot: fc.nat(2),
        voucher: fc.option(number, { nil: undefined }),
      },
      ...{
        isOwn: fc.constantFrom(true, true, true, true, false),
        share: often(2_000n, 0n, 500n, 1_000n, 1_000n),
        root: fc.nat(9),
      },
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constant('close' as const),
      lease: number,
      isOwn: fc.constantFrom(true, true, false),
    }),
  },
  { weight: 5, arbitrary: fc.record({ type: fc.constant('blocks' as const), count: fc.constantFrom(1, 1, 2, 5, 12) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      ...{
        type: fc.constant('place' as const),
        miner: number,
        run,
        slots: fc.nat(3),
        bid: fc.bigInt({ min: 0n, max: 4n }),
      },
      life: fc.constantFrom(1, 20, 200),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant('withdraw' as const),
      miner: number,
      amount: fc.constantFrom(1n, DLLM / 2n, DLLM, 2n * DLLM),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      ...{
        type: fc.constant('vote' as const),
        decodeWeight: fc.constantFrom(1n, 4n, 9n),
        receiptRows: fc.constantFrom(64n, 256n),
      },
      ...{
        treasuryShare: fc.constantFrom(0n, 100n, 300n),
        stakerShare: fc.constantFrom(0n, 70n, 200n),
        disputeBlocks: fc.constantFrom(2n, 4n, 9n),
      },
    }),
  },
)
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never

interface Story {
  readonly world: LeaseWorld
  readonly accounts: LeaseAccount[]
  readonly outcomes: Map<string, number>
}

const at = <Item>(items: readonly Item[], index: number): Item => items[index % items.length]!
/** A call; returns its refusal, if it was one. */
function attempt({ world, outcomes }: Story, by: Person, draft: { type: number; body: unknown }): string | undefined {
  let code: string | undefined
  try {
    call(world, by, draft)
  } catch (error) {
    code = codeOf(error)
    if (code === undefined) throw error
  }
  const outcome = code ?? `accepted ${draft.type}`
  outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
  return code
}

function take(story: Story, taken: Step): void {
  const { world, accounts } = story
  switch (taken.type) {
    case 'open':
      takeOpen(story, taken)
      return
    case 'pay':
      if (accounts.length > 0) takePay(story, taken)
      return
    case 'claim':
      if (accounts.length > 0) takeClaim(story, taken)
      return
    case 'close': {
      const account = accounts.length > 0 ? at(accounts, taken.lease) : undefined
      const by = taken.isOwn ? account?.payer : MINERS[0]
      attempt(story, by ?? MINERS[0]!, { type: 14, body: { lease: account?.id ?? hash('99'.repeat(32)) } })
      return
    }
    case 'blocks':
      for (let block = 0; block < taken.count; block++) endBlock(story)
      return
    case 'place': {
      const [first, end] = taken.run
      const { slots, bid } = taken
      const until = world.context.height + taken.life
      attempt(story, at(MINERS, taken.miner), {
        type: 12,
        body: { model: MODEL, first, end, slots, bid, until, incarnation: 1n },
      })
      return
    }
    case 'withdraw':
      attempt(story, at(MINERS, taken.miner), { type: 11, body: { amount: taken.amount } })
      return
    default: {
      const { type: _, ...voted } = taken
      world.context = { ...world.context, parameters: { ...world.context.parameters, ...voted } }
    }
  }
}

function takeOpen(story: Story, taken: Step & { type: 'open' }): void {
  const { world, accounts } = story
  const { cuts, rows, cap, priceMax } = taken
  const payer = at(PAYERS, taken.payer)
  const id = leaseIdOf(world.networkId, payer.id, getAccount(world.state, payer.id).nonce)
  const body = openBody(world, { cuts, rows, cap, priceMax, expiryHeight: world.context.height + taken.life })
  if (attempt(story, payer, { type: 13, body }) !== undefined) return
  const lease = getLease(world.state, id)!
  accounts.push({ id, payer, lease, vouchers: [], best: lease, claims: new Map() })
}

/** A client that is honest signs for more than before; another one for anything, with any number. */
function takePay({ world, accounts }: Story, taken: Step & { type: 'pay' }): void {
  const { id, vouchers } = at(accounts, taken.lease)
  const last = vouchers.at(-1)
  const before: Counters | undefined = taken.isHonest ? last?.counters : undefined
  vouchers.push(
    voucherOf(world, id, {
      seq: taken.isHonest ? (last?.seq ?? 0n) + 1n : taken.promptRows,
      transcript: hash(`0${taken.transcript}`.repeat(32)),
      promptRows: taken.promptRows + (before?.promptRows ?? 0n),
      promptPositions: taken.promptPositions + (before?.promptPositions ?? 0n),
      decodeRows: taken.decodeRows + (before?.decodeRows ?? 0n),
      decodePositions: taken.decodePositions + (before?.decodePositions ?? 0n),
    }),
  )
}

function takeClaim(story: Story, taken: Step & { type: 'claim' }): void {
  const account = at(story.accounts, taken.lease)
  const { id, lease, vouchers } = account
  const shown = taken.voucher === undefined || vouchers.length === 0 ? undefined : at(vouchers, taken.voucher)
  const lot = taken.lot % lease.lots.length
  const operator = MINERS.find((miner) => miner.id === lease.lots[lot]!.operator)!
  const by = taken.isOwn ? operator : at(MINERS, MINERS.indexOf(operator) + 1)
  const covered = rowsOf(lease, (shown ?? account.best).counters)
  const rows = Number((covered * taken.share) / 1_000n)
  const root = hash(`${taken.root}a`.repeat(32))
  const refused = attempt(story, by, {
    type: 15,
    body: claimBody(id, { lot, rows, root, ...(shown === undefined ? {} : { voucher: shown }) }),
  })
  if (refused !== undefined) return
  if (shown !== undefined) {
    expect(unitsOf(lease, shown.counters) * lease.terms.price).toBeLessThanOrEqual(lease.cap)
    if (rankOf(lease, shown) > rankOf(lease, account.best)) account.best = shown
  }
  const [most, greatest] = account.claims.get(lot) ?? [-1n, root]
  if (BigInt(rows) > most || (BigInt(rows) === most && root > greatest)) account.claims.set(lot, [BigInt(rows), root])
}

/** Settlements are those of the test's account, and balances follow from them. */
function endBlock({ world, accounts, outcomes }: Story): void {
  const ids = [...PAYERS, ...MINERS].map(({ id }) => id).concat(TREASURY, person(4).id)
  const balances = () => new Map(ids.map((id) => [id, getAccount(world.state, id).balance]))
  const before = { balances: balances(), supply: getSupply(world.state) }
  const settled = endBlocks(world)
  const grown = new Map<AccountId, bigint>(before.balances)
  const grow = (id: AccountId, amount: bigint) => grown.set(id, grown.get(id)! + amount)
  let [pool, burnt] = [before.supply.pool, before.supply.burnt]
  for (const settlement of settled) {
    const account = accounts.find(({ id }) => id === settlement.lease)!
    expect(settlement).toEqual(expectedSettlement(account, world))
    expect(settlement.charge).toBeLessThanOrEqual(account.lease.cap)
    for (const { payout, pay } of settlement.lots) grow(payout, pay)
    grow(settlement.payer, settlement.refund)
    grow(TREASURY, settlement.treasury)
    pool += settlement.stakers
    burnt += settlement.burnt
    accounts.splice(accounts.indexOf(account), 1)
    outcomes.set('settled', (outcomes.get('settled') ?? 0) + 1)
    if (settlement.charge > 0n) outcomes.set('paid', (outcomes.get('paid') ?? 0) + 1)
  }
  expect(balances()).toEqual(grown)
  expect(getSupply(world.state)).toMatchObject({ pool, burnt })
}

test('any story keeps the state sound, and every lease is settled as a second account of it says', () => {
  const outcomes = new Map<string, number>()
  fc.assert(
    fc.property(fc.array(step, { minLength: 30, maxLength: 90 }), (steps) => {
      const story: Story = { world: leaseWorld(), accounts: [], outcomes }
      const { world, accounts } = story
      serve(
        world,
        MINERS.map(({ id }, index) => ({
          ...{ miner: id, payout: index === 5 ? person(4).id : id, deposit: 3n * DLLM },
          placement: { bid: BigInt(index % 3), first: index < 3 ? 0 : 3, end: index < 2 ? 6 : index < 3 ? 3 : 6 },
        })),
      )
      for (const taken of steps) {
        take(story, taken)
        expect(stateFaults(world.state)).toEqual([])
      }
      for (let block = 0; block < 80 && accounts.length > 0; block++) endBlock(story)
      // Nothing is left of leases: no escrow, no locks.
      expect([...leases(world.state)]).toEqual([])
      for (const [, { locked, openLots }] of miners(world.state)) expect([locked, openLots]).toEqual([0n, 0])
      expect(stateFaults(world.state)).toEqual([])
    }),
    { numRuns: 40, seed: 11, endOnFailure: true },
  )
  // The stories must reach what they are about, or the property says little.
  for (const outcome of ['accepted 12', 'accepted 13', 'accepted 14', 'accepted 15', 'settled', 'paid']) {
    expect(outcomes.get(outcome) ?? 0, outcome).toBeGreaterThan(10)
  }
  const opening = ['ZERO_AMOUNT', 'BAD_CUTS', 'TOO_LONG_AHEAD', 'PRICE_ABOVE_MAX', 'NO_MINER']
  const later = ['NOT_THE_PAYER', 'LEASE_CLOSED', 'NOT_A_LOT_OF_YOURS', 'VOUCHER_ABOVE_CAP', 'TOO_MANY_ROWS']
  for (const code of [...opening, ...later]) expect(outcomes.get(code) ?? 0, code).toBeGreaterThan(0)
})
