/** Why a miner had nothing to do, and why a job went to others. */
import { describe, expect, test } from 'vitest'
import { type IdleFacts, idleReason } from '../../../../src/app/mining/idle-words.ts'
import { type JobFacts, lossOf, wonText } from '../../../../src/app/mining/job-words.ts'
import { placementStep } from '../../../../src/app/mining/placement.ts'
import { INITIAL_PARAMETERS } from '../../../../src/core/parameters.ts'
import { head, lease, lot, miner, model, OWN, placement, sight } from './views.ts'

const IDLE: IdleFacts = {
  ...{
    sight: sight(),
    blockAgeMs: 1_000,
    mode: 'run',
    hindrance: undefined,
    isOutrun: false,
    noPlace: undefined,
    placement: placement(),
  },
  ...{ bid: 0n, demand: { opened: 0, won: 0 }, demandBlocks: 300, sessions: 0 },
}

test.each<[string, Partial<IdleFacts>, string]>([
  ['no-chain', { sight: undefined, blockAgeMs: 1e9 }, 'Its node must run on this machine'],
  ['chain-stalled', { blockAgeMs: 42_000 }, 'no block has become final for 42 s'],
  ['draining', { mode: 'drain', sight: sight({ miner: miner({ openLots: 2 }) }) }, '2 jobs not settled yet'],
  ['paused', { mode: 'pause' }, 'dllm mine resume'],
  ['hindered', { hindrance: 'Send money.' }, 'Idle: Send money.'],
  ['outrun', { isOutrun: true }, 'another program'],
  ['no-place', { noPlace: 'There is no place.', placement: undefined }, 'Idle: There is no place.'],
  ['not-placed', { placement: undefined }, 'not in a block yet'],
  ['not-placed', { placement: placement({ live: false }) }, 'not in a block yet'],
  ['sessions-wait', { sessions: 1 }, '1 session open'],
  ['bid', { bid: 665n }, 'the bid of 665 grains per CU is above what the price of 1000 leaves for this miner, 664'],
  ['no-demand', { bid: 664n }, 'in the last 300 blocks'],
  ['no-session', { placement: placement({ used: 1 }) }, '1 lease of this miner open'],
  ['no-slot', { placement: placement({ used: 4 }) }, 'all 4 slots'],
  ['no-demand', {}, 'nobody opened a lease for this model'],
  ['others-won', { demand: { opened: 7, won: 0 } }, '7 leases in the last 300 blocks, all of them went to others'],
  ['no-session', { demand: { opened: 7, won: 2 } }, 'none of this miner is open now'],
])('idle: %s', (reason, change, words) => {
  const idle = idleReason({ ...IDLE, ...change })
  expect(idle).toEqual({ reason, text: expect.stringContaining(words) })
})

const LOST: JobFacts = {
  ...{ lease: lease(), address: OWN, avoided: [], placement: placement(), miner: miner() },
  ...{ parameters: INITIAL_PARAMETERS, winner: undefined },
}

describe('a lease that went to others', () => {
  test.each<[string, Partial<JobFacts>, string]>([
    ['avoided', { avoided: ['ldllm1x', OWN] }, 'asked for other miners'],
    ['not-placed', { placement: undefined }, 'offered nothing'],
    ['not-placed', { placement: placement({ slots: 0 }) }, 'offered nothing'],
    ['no-slot', { placement: placement({ used: 4 }) }, 'All 4 slots were taken'],
    ['other-lots', { placement: placement({ first: 0, end: 2 }) }, 'None of its lots lies within'],
    ['deposit', { miner: miner({ locked: '1999999001' }) }, '0.000001 DLLM of a deposit must be free for a lot'],
    ['bid', { placement: placement({ bid: '831' }) }, 'above what the price leaves for miners, 830'],
    [
      'slower',
      { winner: miner({ workRate: String(70_000n << 16n) }) },
      'a miner with 70000 CU/s audited; this one has no',
    ],
    ['drawn', { winner: miner() }, 'It went for 800 grains per CU to others'],
    ['drawn', {}, 'It went for 800 grains per CU to others'],
  ])('%s', (reason, change, words) => {
    expect(lossOf({ ...LOST, ...change })).toEqual({ reason, text: expect.stringContaining(words) })
  })
})

test('a lease that was won is told by its lot, its segments and its rate', () => {
  const lots = [lot({ first: 0, end: 1 }), lot({ first: 1, end: 3, rate: '12' })]
  expect(wonText(lease({ lots }), 1)).toBe(
    'Won lot 2 of lease 222222222222…: segments 2 to 3 for 12 grains per CU, of a lease that may cost 0.001 DLLM.',
  )
  expect(wonText(lease({ lots }), 0)).toContain('segment 1 for 800')
})

describe('a placement', () => {
  const RUN = { until: undefined, mode: 'run', isThere: false } as const
  test.each([
    ['is made by who is registered', {}, {}, 'place'],
    ['waits for the registration', { miner: undefined }, {}, 'none'],
    ['waits for the least deposit', { miner: miner({ deposit: '999999999' }) }, {}, 'none'],
    ['is not for a retired model', { model: model({ status: 'retired' }) }, {}, 'none'],
    ['is made anew by every start', {}, { isThere: true }, 'place'],
    ['stays for two thirds of its time', { head: head(99) }, { until: 200, isThere: true }, 'none'],
    ['is renewed then', { head: head(100) }, { until: 200, isThere: true }, 'place'],
    ['is made again when it is gone', {}, { until: 300 }, 'place'],
    ['ends with a pause', {}, { until: 300, mode: 'pause', isThere: true }, 'end'],
    ['ends with a pause that is older than the start', {}, { mode: 'pause', isThere: true }, 'end'],
    ['is not made in a pause', {}, { mode: 'drain' }, 'none'],
  ] as const)('%s', (_case, seen, state, step) => {
    expect(placementStep(sight(seen), { ...RUN, ...state })).toBe(step)
  })
})
