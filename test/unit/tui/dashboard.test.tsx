/** The components as frames of text, in terminals of several sizes. */
import { cleanup, render } from 'ink-testing-library'
import { afterEach, describe, expect, test } from 'vitest'
import { type DashboardView, viewOf } from '../../../src/app/dashboard/view.ts'
import { Dashboard } from '../../../src/tui/dashboard.tsx'
import type { Leaving } from '../../../src/tui/leaving.ts'
import { until } from '../../fake-clock.ts'
import { after, chain, mined, miners, NONE, SUBJECT } from '../app/dashboard/dashboard-looks.ts'

afterEach(cleanup)

const BUSY = viewOf(after([chain(), miners(1), miners(5), chain({ height: 8, balance: 31n })]))
const KEYS = { tab: '\t', backTab: '\x1b[Z', right: '\x1b[C', down: '\x1b[B', enter: '\r', escape: '\x1b' }

interface Screen {
  frame(): string
  /** The title that has the focus. */
  focus(): string | undefined
  type(keys: string): void
  show(view: DashboardView): void
  readonly left: readonly Leaving[]
}

function open(columns: number, rows: number, first: DashboardView = BUSY): Screen {
  let view = first
  const listeners = new Set<() => void>()
  const left: Leaving[] = []
  const store = {
    view: () => view,
    subscribe: (listener: () => void) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
  const { stdout, stdin, lastFrame } = render(
    <Dashboard store={store} hasColor={false} onLeave={(how) => left.push(how)} />,
  )
  Object.defineProperty(stdout, 'columns', { value: columns })
  Object.defineProperty(stdout, 'rows', { value: rows })
  stdout.emit('resize')
  const frame = () => lastFrame() ?? ''
  return {
    ...{ frame, left, type: (keys) => stdin.write(keys) },
    focus: () => /▸ (\w+)/.exec(frame())?.[1],
    show: (next) => {
      view = next
      for (const listener of listeners) listener()
    },
  }
}

async function opened(columns: number, rows: number, view?: DashboardView): Promise<Screen> {
  const screen = open(columns, rows, view)
  const widest = () =>
    Math.max(
      ...screen
        .frame()
        .split('\n')
        .map((line) => line.length),
    )
  await until(() => widest() === columns, `a frame of ${columns} columns`)
  return screen
}

test('at 80 × 24 the figures of mining fit their panels', async () => {
  const screen = await opened(80, 24, viewOf(after([miners(1), { ...chain(), mined: mined() }, miners(5)])))
  const frame = screen.frame()
  for (const words of [
    'Today       0.5 DLLM',
    'Earned      12.25 DLLM',
    'Claimable   1 DLLM',
    'Audits      11 passed',
  ]) {
    expect(frame).toContain(words)
  }
  for (const words of ['Locked      5 DLLM of 50 DLLM', 'By hour     ▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁█']) expect(frame).toContain(words)
})

describe.each([
  [80, 24],
  [81, 25],
  [120, 40],
  [200, 60],
])('at %i × %i', (columns, rows) => {
  test('four panels fill the room and no more', async () => {
    const screen = await opened(columns, rows)
    const lines = screen.frame().split('\n')
    expect(lines).toHaveLength(rows - 1)
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(columns)
    for (const title of ['▸ Chain', 'Network', 'Work', 'Earnings']) expect(screen.frame()).toContain(` ${title} `)
    for (const words of ['Block       8, ', '6 of 6 held', 'Own miners', '+1 DLLM'])
      expect(screen.frame()).toContain(words)
  })
})

test('more rows fit a larger terminal; what has no room is counted', async () => {
  expect((await opened(80, 24)).frame()).toMatch(/… \d+ more \(Enter\)/)
  const large = (await opened(120, 40)).frame()
  expect(large).toContain('Reward pool')
  expect(large).not.toContain('more (Enter)')
})

test.each([
  [79, 24],
  [80, 23],
  [20, 5],
])('%i × %i is too small, and says so', async (columns, rows) => {
  const screen = open(columns, rows)
  await until(() => screen.frame().includes('terminal'), 'a frame')
  const said = screen.frame().replace(/\s+/g, ' ')
  expect(said).toContain(`needs 80 × 24; this terminal has ${columns} × ${rows}.`)
})

test.each([
  ['Tab', [KEYS.tab], 'Network'],
  ['Tab around', [KEYS.tab, KEYS.tab, KEYS.tab, KEYS.tab], 'Chain'],
  ['Tab backwards', [KEYS.backTab], 'Earnings'],
  ['arrows', [KEYS.right, KEYS.down], 'Earnings'],
  ['down', [KEYS.down], 'Work'],
])('%s moves the focus', async (_keys, typed, title) => {
  const screen = await opened(80, 24)
  for (const key of typed) {
    const before = screen.focus()
    screen.type(key)
    await until(() => screen.focus() !== before, 'a move')
  }
  expect(screen.focus()).toBe(title)
})

test('Enter shows one panel with all its rows, Escape all panels', async () => {
  const screen = await opened(80, 24)
  screen.type(KEYS.enter)
  await until(() => !screen.frame().includes('Earnings'), 'one panel')
  expect(screen.frame()).toContain('Reward pool')
  expect(screen.frame().split('\n')).toHaveLength(23)
  screen.type(KEYS.escape)
  await until(() => screen.frame().includes('Earnings'), 'all panels')
})

test('? shows the keys and hides them', async () => {
  const screen = await opened(80, 24)
  screen.type('?')
  await until(() => screen.focus() === 'Keys', 'help')
  screen.type(KEYS.tab)
  screen.type('?')
  await until(() => screen.focus() === 'Chain', 'all panels')
})

test.each([
  ['q', 'quit'],
  ['\x03', 'interrupted'],
])('%j leaves', async (key, how) => {
  const screen = await opened(80, 24)
  screen.type(key)
  await until(() => screen.left.length > 0, 'leaving')
  expect(screen.left).toEqual([how])
})

test('keys that were typed faster than they are read all count', async () => {
  const screen = await opened(80, 24)
  screen.type('xyz\t')
  await until(() => screen.focus() === 'Network', 'a move')
  screen.type('\rq')
  await until(() => screen.left.length > 0, 'leaving')
  expect(screen.left).toEqual(['quit'])
})

test('draws what changes', async () => {
  const screen = await opened(80, 24)
  screen.show(viewOf(after([chain({ height: 4_242 })])))
  await until(() => screen.frame().includes('4242, now'), 'the new height')
})

test('says how to start where nothing runs, and shows no character that moves the cursor', async () => {
  const none = { ...NONE, message: 'bad\x1b[2J\nnews' }
  const screen = await opened(80, 24, viewOf({ ...after([none], { ...SUBJECT, network: 'local' }), chain: none }))
  expect(screen.frame()).toContain('Nothing of the local network runs. `dllm devnet up` starts it.')
  expect(screen.frame()).toContain('bad [2J news')
})
