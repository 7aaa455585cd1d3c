import { describe, expect, test } from 'vitest'
import {
  type OfferedRun,
  type RegistrationFacts,
  type RegistrationStep,
  type RegistrationWish,
  registrationStep,
  tasksNow,
} from '../../../../src/app/mining/deposit-rule.ts'
import { INITIAL_PARAMETERS } from '../../../../src/core/parameters.ts'
import { miner, model, PEER_KEY } from './views.ts'

const DLLM = 1_000_000_000n
const WISH: RegistrationWish = {
  ...{ payout: 'ldllm1pay', peerKey: PEER_KEY, device: 'cpu', deposit: undefined, tops: true },
}
const MODEL = model({ price: '100000' })
const runsOf = (offered: typeof MODEL): OfferedRun[] => [{ model: offered, first: 0, end: 3, slots: 4 }]
const FACTS: RegistrationFacts = {
  ...{ miner: undefined, runs: runsOf(MODEL), parameters: INITIAL_PARAMETERS, balance: 100n * DLLM, baseFee: 9n },
  placeDeposit: undefined,
}
/** Fee of a registration and what stays for later ones, at ten grains per unit. */
const FEES = 62_000n
const STAKES = (4n * DLLM) / 10n
const { whole, least } = tasksNow(FACTS.runs[0]!, INITIAL_PARAMETERS)
const TARGET = 8n * whole + STAKES

test('a task is thirty times the best receipt of the run, and of its least segment', () => {
  // 100,000 · 0.83 grains per CU, 3 CU a row, 256 rows, 30 receipts.
  expect({ whole, least }).toEqual({ whole: 83_000n * 3n * 256n * 30n, least: 83_000n * 256n * 30n })
})

describe('who is no miner', () => {
  test.each<[string, Partial<RegistrationWish>, Partial<RegistrationFacts>, bigint]>([
    ['for its slots at twice the price, and for audits', {}, {}, TARGET],
    ['the least that there is where that is enough', {}, { runs: runsOf(model({ price: '1' })) }, DLLM + STAKES],
    ['what --deposit says', { deposit: 3n * DLLM }, {}, 3n * DLLM],
    ['what it has, if that is enough for a job', {}, { balance: DLLM + FEES }, DLLM],
    ['anew after it has drained', {}, { miner: miner({ status: 'draining', deposit: '0' }) }, TARGET],
  ])('deposits %s', (_case, wish, facts, deposit) => {
    const step = registrationStep({ ...WISH, ...wish }, { ...FACTS, ...facts })
    expect(step).toEqual({ type: 'register', why: 'new', deposit })
  })

  test.each<[string, Partial<RegistrationWish>, Partial<RegistrationFacts>, bigint]>([
    ['without money', {}, { balance: 0n }, TARGET + FEES],
    ['with too little for the least deposit', {}, { balance: DLLM }, TARGET + FEES - DLLM],
    ['with money for what it may deposit, and not for fees', { deposit: DLLM }, { balance: DLLM }, FEES],
  ])('is told what to send: %s', (_case, wish, facts, missing) => {
    const step = registrationStep({ ...WISH, ...wish }, { ...FACTS, ...facts })
    expect(step).toEqual({ type: 'short', for: 'deposit', missing })
  })

  test('is told when it allows less than the least deposit', () => {
    const step = registrationStep({ ...WISH, deposit: DLLM - 1n }, FACTS)
    expect(step).toEqual({ type: 'below-least', least: DLLM })
  })

  test('has enough when what it was told to send has come', () => {
    const step = registrationStep(WISH, { ...FACTS, balance: TARGET + FEES })
    expect(step).toEqual({ type: 'register', why: 'new', deposit: TARGET })
  })
})

describe('who offers several models', () => {
  const runs = [...runsOf(MODEL), { model: model({ price: '50000' }), first: 1, end: 2, slots: 2 }]

  test('deposits for the slots of all of them', () => {
    const step = registrationStep(WISH, { ...FACTS, runs })
    expect(step).toEqual({ type: 'register', why: 'new', deposit: TARGET + 2n * least })
  })

  test('needs at least what the cheapest job of any of them has behind it', () => {
    const step = registrationStep(WISH, { ...FACTS, runs: runs.toReversed(), balance: DLLM + FEES })
    expect(step).toEqual({ type: 'register', why: 'new', deposit: DLLM })
  })
})

describe('a miner', () => {
  const LOCKED = miner({ locked: '1000000000', openLots: 1 })

  test.each<[string, Partial<RegistrationWish>, Partial<RegistrationFacts>, RegistrationStep]>([
    ['needs nothing with a deposit for a job', {}, {}, { type: 'done' }],
    ['says its new payout account', { payout: 'ldllm1new' }, {}, { type: 'register', why: 'changed', deposit: 0n }],
    ['says its new peer', { peerKey: '0a'.repeat(32) }, {}, { type: 'register', why: 'changed', deposit: 0n }],
    [
      'adds up to the target when its free deposit is not enough for the whole run',
      {},
      { miner: LOCKED },
      { type: 'register', why: 'top-up', deposit: TARGET - 2n * DLLM },
    ],
    ['goes on with what it has when it has no more', {}, { miner: LOCKED, balance: 60_000n }, { type: 'done' }],
    [
      'adds what it was told to where that is enough for a place',
      { deposit: 5n * DLLM },
      { placeDeposit: 5n * DLLM - 1n },
      { type: 'register', why: 'place', deposit: 3n * DLLM },
    ],
    ['adds nothing where that is not enough', { deposit: 5n * DLLM }, { placeDeposit: 5n * DLLM }, { type: 'done' }],
    ['adds nothing where it has enough', { deposit: 5n * DLLM }, { placeDeposit: 2n * DLLM - 1n }, { type: 'done' }],
    ['adds nothing for a place unasked', {}, { placeDeposit: 2n * DLLM }, { type: 'done' }],
    [
      'adds nothing for a place after audits took of its deposit',
      { deposit: 5n * DLLM, tops: false },
      { placeDeposit: 2n * DLLM },
      { type: 'done' },
    ],
    ['may not mine any more', {}, { miner: miner({ status: 'slashed-out' }) }, { type: 'slashed-out' }],
    ['is told when fees run out', {}, { balance: 1_000n }, { type: 'short', for: 'fees', missing: 59_000n }],
  ])('%s', (_case, wish, facts, expected) => {
    const step = registrationStep({ ...WISH, ...wish }, { ...FACTS, miner: miner(), ...facts })
    expect(step).toEqual(expected)
  })

  const DEAR = model({ price: '10000000' })
  const dear = tasksNow(runsOf(DEAR)[0]!, INITIAL_PARAMETERS)

  test.each([
    ['short of money for the next job', {}, 0n, 'short'],
    ['kept from it by its own limit', { deposit: 2n * DLLM }, 1_000n * DLLM, 'capped'],
    ['kept from it by a limit that is not reached yet', { deposit: 3n * DLLM }, 1_000n * DLLM, 'capped'],
    ['not topped up after audits took of its deposit', { tops: false }, 10_000n * DLLM, 'capped'],
    ['topped up as far as its money goes', {}, dear.least, 'register'],
  ] as const)('is %s when prices rise', (_case, wish, balance, type) => {
    const facts = { ...FACTS, runs: runsOf(DEAR), miner: miner(), balance: balance + FEES }
    expect(registrationStep({ ...WISH, ...wish }, facts).type).toBe(type)
  })

  test('with jobs waits for the deposit behind them', () => {
    const busy = miner({ openLots: 1, locked: '2000000000' })
    expect(registrationStep(WISH, { ...FACTS, runs: runsOf(DEAR), miner: busy, balance: 10_000_000n }).type).toBe(
      'done',
    )
  })
})
