import { expect, test } from 'vitest'
import { initialState, reduce } from '../../../../src/app/dashboard/state.ts'
import { missingSegments, viewOf } from '../../../../src/app/dashboard/view.ts'
import { DASHBOARD_LIMITS } from '../../../../src/base/limits.ts'
import { after, chain, mined, miners, NONE, offer, peer, registered, START_MS, SUBJECT } from './dashboard-looks.ts'

const PAID = { ...chain(), miner: registered(), price: '17' }

test('before the first looks everything is being looked at', () => {
  const view = viewOf(initialState(SUBJECT, START_MS))
  expect(view).toMatchObject({ chain: { code: 'LOOKING' }, ring: { code: 'LOOKING' }, work: { miners: [] } })
  expect(view.earnings).toMatchObject({ accounts: [], none: { code: 'LOOKING' } })
})

test('a tick moves the time and nothing else', () => {
  const before = after([chain(), miners(1)])
  const ticked = reduce(before, { type: 'tick', atMs: before.nowMs + 500, monotonicMs: 9_999 })
  expect(ticked).toEqual({ ...before, nowMs: before.nowMs + 500 })
})

test('the time of blocks is that between two looks, shared among the blocks in between', () => {
  const state = after([
    chain({ height: 7, timeMs: START_MS }),
    chain({ height: 7, timeMs: START_MS }),
    chain({ height: 9, timeMs: START_MS + 3_000 }),
  ])
  expect(state.blockMs).toEqual([1_500])
})

test('the age of the genesis is no time of a block', () => {
  expect(after([chain({ height: 0, timeMs: 0 }), chain({ height: 1 })]).blockMs).toEqual([])
})

test('histories keep their bound', () => {
  const looks = Array.from({ length: DASHBOARD_LIMITS.historyItems + 9 }, (_, index) => [
    chain({ height: index + 1, timeMs: START_MS + index }),
    miners(index),
  ])
  const { blockMs, worths, tokenRates } = after(looks.flat())
  for (const history of [blockMs, worths, tokenRates]) expect(history).toHaveLength(DASHBOARD_LIMITS.historyItems)
})

test('rates are what the counters of a miner grew by; those of the network count the first segment once', () => {
  const state = after([miners(10), miners(34)])
  expect([...state.rates]).toEqual([
    ['peer-front', 24],
    ['peer-back', 24],
    ['peer-other', 0],
  ])
  expect(state.tokenRates).toEqual([24])
})

test.each([
  ['a miner that began again', [peer('peer-front', { rows: 90 })], [peer('peer-front', { rows: 3 })]],
  ['a miner that was not there before', [], [peer('peer-front', { rows: 90 })]],
])('%s has no rate yet', (_who, first, second) => {
  const offers = [offer('peer-front', 0, 6)]
  const state = after([
    { type: 'seen', peers: first, offers },
    { type: 'seen', peers: second, offers },
  ])
  expect([state.rates.size, state.tokenRates]).toEqual([0, [0]])
})

test('the chain section has stake, votes and the validator of this machine', () => {
  expect(viewOf(after([chain()])).chain).toMatchObject({
    ...{ type: 'seen', height: 7, validators: 2, voting: 1, stake: '200000000000', supply: '5000000000000' },
    node: { nodeName: 'lab-1', peers: 3, consensus: { height: 8, round: 1, step: 'prevote' } },
    own: { name: 'one', votes: true, signedBlocks: 12 },
  })
})

test('segments are counted by those who hold them', () => {
  const { ring } = viewOf(after([miners(0)]))
  expect(ring).toMatchObject({ peers: 3, miners: 3, holders: [2, 2, 2, 1, 1, 1], sessions: 1 })
  const { ring: half } = viewOf(after([{ ...miners(0), offers: [offer('peer-front', 0, 3)] }]))
  expect(half.type === 'seen' && missingSegments(half)).toEqual([4, 5, 6])
})

test('what is lost says why, and comes back', () => {
  const lost = after([miners(1), NONE])
  expect(viewOf(lost).ring).toEqual(NONE)
  expect(viewOf(lost).work.idle).toMatchObject({ code: 'NO_NODE' })
})

test.each([
  ['no miner of this machine', [{ ...miners(0), offers: [offer('peer-other', 0, 6, false)] }], 'NO_MINER'],
  ['own miners that do not answer', [{ ...miners(0), peers: [] }], 'NO_ANSWER'],
  ['segments that nobody has', [{ ...miners(0), offers: [offer('peer-front', 0, 3)] }], 'NO_RING'],
  ['nobody who chats', [miners(5, 0), miners(5, 0)], 'NO_SESSION'],
  ['a person who thinks', [miners(5), miners(5)], 'SESSION_WAITS'],
  ['nothing that is in the way', [miners(5), miners(9)], undefined],
])('miners are idle because of %s', (_why, looks, code) => {
  expect(viewOf(after(looks)).work.idle?.code).toBe(code)
})

test('earnings are what the wallet has more than at the first look, bonds included', () => {
  const { earnings } = viewOf(after([chain({ balance: 30n }), chain({ height: 8, balance: 31n })]))
  expect(earnings).toMatchObject({ wallet: 'default', total: '33000000000', sinceStart: '1000000000' })
  expect(earnings.totals).toEqual(['32000000000', '33000000000'])
  expect(earnings).not.toHaveProperty('none')
})

test('what was mined today is why nothing has to be explained, and nobody who mines has no figures', () => {
  const { earnings, work } = viewOf(after([{ ...chain(), mined: mined() }]))
  expect(earnings).toMatchObject({ mined: { today: { earned: '500000000' }, claimed: '1000000000', since: 1 } })
  expect(earnings).not.toHaveProperty('none')
  expect(earnings.mined).not.toHaveProperty('miners')
  expect(work.audits).toEqual({ passed: 11, failed: 1 })
  const nobody = mined({
    miners: [],
    total: { ...mined().total, earned: '0' },
    today: { ...mined().today, earned: '0' },
  })
  const without = viewOf(after([{ ...chain(), mined: nobody }]))
  expect([without.earnings.mined, without.work.audits]).toEqual([undefined, undefined])
})

test('a miner says itself why it has nothing to do, while what it said is fresh', () => {
  const said = (timeMs: number) => {
    const [first] = mined().miners
    const note = { timeMs, text: 'Idle: nobody opened a lease.' }
    return after([miners(5, 0), { ...chain(), mined: mined({ miners: [{ ...first!, note }] }) }, miners(5, 0)])
  }
  expect(viewOf(said(START_MS - 10_000)).work.idle?.message).toBe('Nobody opened a lease.')
  expect(viewOf(said(START_MS - 600_000)).work.idle?.message).toBe('No chat is open.')
})

test.each([
  [
    'without a wallet',
    [{ ...chain(), accounts: [] }],
    { network: 'lab', model: 'genesis', segmentCount: 6 },
    'NO_WALLET',
  ],
  ['without miners', [chain(), NONE], SUBJECT, 'NO_NODE'],
  ['when its operator is no miner of the chain', [chain(), miners(1), miners(5)], SUBJECT, 'NOT_REGISTERED'],
  ['while work is not settled', [PAID, miners(1), miners(5)], SUBJECT, 'NOT_SETTLED'],
  [
    'when the balance fell',
    [PAID, miners(1), miners(5), { ...chain({ balance: 1n }), miner: registered() }],
    SUBJECT,
    'NOT_SETTLED',
  ],
])('%s it says why nothing came in', (_when, looks, subject, code) => {
  expect(viewOf(after(looks, subject)).earnings.none?.code).toBe(code)
})
