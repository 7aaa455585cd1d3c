import { expect, test } from 'vitest'
import { dashboardText } from '../../../../src/app/dashboard/open-dashboard.ts'
import { howToStart, panelsOf, sparkline } from '../../../../src/app/dashboard/panels.ts'
import { initialState, reduce } from '../../../../src/app/dashboard/state.ts'
import { viewOf } from '../../../../src/app/dashboard/view.ts'
import { after, chain, mined, miners, NONE, registered, START_MS, SUBJECT } from './dashboard-looks.ts'

test.each([
  ['nothing', [], ''],
  ['equal values', [3, 3, 3], '▁▁▁'],
  ['a rise', [0, 1, 2, 3, 4, 5, 6, 7], '▁▂▃▄▅▆▇█'],
  ['values below zero', [-10, 0], '▁█'],
  ['only the newest sixteen', [100, ...Array(16).fill(0)], '▁'.repeat(16)],
])('a sparkline shows %s', (_what, values, line) => {
  expect(sparkline(values)).toBe(line)
})

const both = after([chain(), miners(1), miners(5), chain({ height: 8, timeMs: START_MS + 2_000, balance: 31n })])

test('the text has every panel and fits 80 columns', () => {
  const text = dashboardText(viewOf(both))
  for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(80)
  expect(text.match(/^\S.*$/gm)).toEqual(['Chain', 'Network', 'Work', 'Earnings'])
  expect(text).toMatch(/^ {2}Block {7}8, 1 s ago$/m)
  expect(text).toMatch(/^ {2}Held by {5}1-3 by 2, 4-6 by 1$/m)
  expect(text).toMatch(/^ {2}Since start \+1 DLLM$/m)
})

test('what the market says of the model and of the miner is in it', () => {
  const text = dashboardText(viewOf(after([{ ...chain(), miner: registered(), price: '17' }, miners(1)])))
  expect(text).toMatch(/^ {2}Model {7}genesis, 17 grains per CU$/m)
  expect(text).toMatch(/^ {2}Registered {2}active, 1 open lot\n {2}Audited {5}12 receipts, 99.5 % reliable$/m)
  expect(text).toMatch(/^ {2}This epoch {2}0\.5 DLLM of audited work\n {2}Deposit {5}50 DLLM, locked 5 DLLM$/m)
})

test('what mining brought comes first, from all that the node knows', () => {
  const seen = { ...chain(), miner: registered(), mined: mined() }
  const text = dashboardText(viewOf(after([seen, miners(1)])))
  for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(80)
  expect(text).toMatch(/\nEarnings\n {2}Today {7}0\.5 DLLM\n {2}Earned {6}12\.25 DLLM\n {2}Claimable {3}1 DLLM\n/)
  expect(text).toMatch(
    /^ {2}Locked {6}5 DLLM of 50 DLLM\n {2}By hour {5}▁{15}█\n {2}This epoch {2}0\.5 DLLM of audited work$/m,
  )
  expect(text.match(/This epoch/g)).toHaveLength(1)
  expect(text).toMatch(/^ {2}Audits {6}11 passed, 1 failed$/m)
  expect(text).not.toContain('No earnings yet')
})

test.each([
  ['a total of a part says so', { isWhole: false }, /Earned {6}more than 12\.25 DLLM$/m],
  ['what is lost is told', { total: { ...mined().total, lost: '7' } }, /^ {2}Lost {8}0\.000000007 DLLM of deposits$/m],
  [
    'a day without pay says why',
    { today: { ...mined().today, earned: '0' }, none: { code: 'NOT_SETTLED', message: 'Two lots wait.' } },
    /^ {2}No earnings yet: no chat is open\.$/m,
  ],
])('%s', (_what, change, line) => {
  const seen = { ...chain(), miner: registered(), mined: mined(change) }
  expect(dashboardText(viewOf(after([miners(0, 0), seen])))).toMatch(line)
})

test('without a wallet it shows what miners of this machine brought', () => {
  const { wallet: _wallet, ...subject } = SUBJECT
  const text = dashboardText(viewOf(after([{ ...chain(), accounts: [], mined: mined() }], subject)))
  expect(text).toMatch(/\nEarnings\n {2}Today {7}0\.5 DLLM\n/)
  expect(text).not.toContain('--wallet')
})

test('a block that does not come is called late', () => {
  const late = reduce(both, { type: 'tick', atMs: START_MS + 60_000, monotonicMs: 0 })
  expect(panelsOf(viewOf(late))[0]?.rows[0]?.value).toBe('8, 58 s ago: it is late')
})

test('money that went away has a minus sign', () => {
  const text = dashboardText(viewOf(after([chain(), chain({ height: 8, balance: 29n })])))
  expect(text).toMatch(/^ {2}Since start −1 DLLM$/m)
})

test('it says how to start where nothing runs, and only there', () => {
  const nothing = after([NONE])
  const none = { ...nothing, chain: NONE }
  expect(howToStart(viewOf(none))).toMatch(/`dllm node --network lab` and `dllm mine --network lab`/)
  expect(howToStart(viewOf({ ...none, subject: { ...SUBJECT, network: 'local' } }))).toMatch(/`dllm devnet up`/)
  expect(howToStart(viewOf(after([chain(), NONE])))).toBeUndefined()
  expect(howToStart(viewOf(initialState(SUBJECT, START_MS)))).toBeUndefined()
})
