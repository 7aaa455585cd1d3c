import { describe, expect, test } from 'vitest'
import { DEADLINES, SESSION_LIMITS } from '../../../src/base/limits.ts'
import { createDraftWindow, type DraftSource, type DraftWindow, sourceOf } from '../../../src/ml/draft-window.ts'

interface Ring {
  readonly stepMs: number
  readonly rowMs: number
  readonly computeMs: number
}

interface Text {
  /** How many of the drafts at this token are right; undefined: there are no drafts. */
  readonly rightAt: (at: number) => number | undefined
  readonly source: DraftSource
}

const FAR: Ring = { stepMs: 76, rowMs: 0.3, computeMs: 0.3 }
const NEAR: Ring = { stepMs: 1.6, rowMs: 1.3, computeMs: 0.4 }
const DRAFTS = 15
const MOST = SESSION_LIMITS.windowRowsMax - 1

interface Made {
  readonly gain: number
  readonly sent: number
  /** Drafts of each step. */
  readonly windows: readonly number[]
  readonly window: DraftWindow
}

/** Makes a text of so many tokens in virtual time; how much sooner it is there than without drafts. `most`: drafts that there are. */
function gainOf(ring: Ring, text: Text, tokens: number, most = DRAFTS): Made {
  const window = createDraftWindow(3)
  const windows: number[] = []
  let [now, made, sentAll] = [0, 0, 0]
  while (made < tokens) {
    const right = text.rightAt(made)
    const sent = right === undefined ? 0 : window.choose(text.source, most).drafts
    const gained = Math.min(sent, right ?? 0) + 1
    const ms = ring.stepMs + sent * ring.rowMs
    const told = Math.min(right ?? 0, gained)
    if (right !== undefined) window.compare(text.source, { right: told, missed: told < gained && right < most })
    window.learn({ source: text.source, sent, gained, ms, computeMs: ring.computeMs })
    now += ms
    made += gained
    sentAll += sent
    windows.push(sent)
  }
  return { gain: (made * ring.stepMs) / now, sent: sentAll, windows, window }
}

const never: Text = { source: 'middle', rightAt: () => 0 }
const copied: Text = { source: 'long', rightAt: () => MOST }

describe('how many drafts go along', () => {
  test('none before a step was timed', () => {
    expect(createDraftWindow(3).choose('long', DRAFTS)).toEqual({ drafts: 0, rate: 0 })
  })

  test.each<[string, Ring, Text, number, number]>([
    ['a copied text far away', FAR, copied, 10, 17],
    ['a copied text far away, of 64 tokens', FAR, copied, 5, 17],
    [
      'a text whose drafts are right two times in three',
      FAR,
      { source: 'model', rightAt: (at) => 1 + (at % 3) },
      1.8,
      4,
    ],
    ['a text whose drafts are never right, far away', FAR, never, 0.985, 1],
    ['a text whose drafts are never right, close by', NEAR, never, 0.985, 1],
    ['a copied text close by, where rows cost as much as steps', { ...NEAR, rowMs: 1.6 }, copied, 0.985, 1.01],
    ['a copied text close by, where rows are cheap', { ...NEAR, rowMs: 0.3 }, copied, 3, 17],
    ['a text without drafts', FAR, { source: 'long', rightAt: () => undefined }, 1, 1],
  ])('%s', (name, ring, text, least, most) => {
    const { gain } = gainOf(ring, text, name.includes('64') ? 64 : 400)
    expect(gain).toBeGreaterThanOrEqual(least)
    expect(gain).toBeLessThanOrEqual(most)
  })

  test('a text that stops being copied costs little, and one that begins again is found', () => {
    const { gain } = gainOf(FAR, { source: 'long', rightAt: (at) => (at % 400 < 200 ? 15 : 0) }, 1_600)
    expect(gain).toBeGreaterThan(1.7)
    const late = gainOf(FAR, { source: 'long', rightAt: (at) => (at < 300 ? 0 : 15) }, 700)
    expect(late.gain).toBeGreaterThan(1.8)
  })

  test.each([200, 1_000, 2_000, 3_000, 6_000])(
    'a step of %i ms stays below its deadline even if each row takes as long',
    (stepMs) => {
      const { window } = gainOf({ stepMs, rowMs: 0, computeMs: 0.1 }, copied, 200)
      const { drafts } = window.choose('long', DRAFTS)
      expect((1 + drafts) * stepMs).toBeLessThan(Math.max(DEADLINES.decodeStepMs, stepMs + 1))
      expect(drafts > 0).toBe(stepMs < 3_000)
    },
  )

  test('more than 15 only behind a step that was right to its end, and then twice as many rows', () => {
    const { windows, gain } = gainOf(FAR, copied, 400, MOST)
    expect(windows.slice(0, 5)).toEqual([0, DRAFTS, 31, MOST, MOST])
    expect(gain).toBeGreaterThan(30)
    // Where 20 are right: as many as that after a step of more, and then twice as many rows again.
    const broken = gainOf(FAR, { source: 'long', rightAt: (at) => (at < 48 ? MOST : 20) }, 200, MOST).windows
    expect(Math.max(...broken.slice(5))).toBeLessThanOrEqual(41)
    expect(gainOf(FAR, { ...copied, rightAt: () => 12 }, 400, MOST).windows.every((sent) => sent <= DRAFTS)).toBe(true)
  })

  test.each<[string, Ring, number]>([
    ['where a row costs a tenth of a step', { stepMs: 10, rowMs: 1, computeMs: 0.7 }, 40],
    ['where it costs a third', { stepMs: 3, rowMs: 1, computeMs: 0.7 }, 40],
  ])(
    'a text that is copied for 40 tokens and then new for 40 loses nothing by large windows, %s',
    (_where, ring, part) => {
      const rightAt = (at: number) => Math.max(0, part - (at % (2 * part)))
      const [small, large] = [DRAFTS, MOST].map((most) => gainOf(ring, { source: 'long', rightAt }, 1_600, most).gain)
      expect(large).toBeGreaterThan(0.97 * small!)
    },
  )

  test('one after which none is right costs a hundredth of all time', () => {
    const text: Text = { source: 'long', rightAt: (at) => (at < 200 ? MOST : 0) }
    const near: Ring = { stepMs: 10, rowMs: 1, computeMs: 0.7 }
    const { windows } = gainOf(near, text, 1_500, MOST)
    const lost = windows.slice(windows.indexOf(0, 1)).reduce((sum, sent) => sum + sent * near.rowMs, 0)
    expect(lost).toBeLessThan(0.02 * 1_300 * near.stepMs)
  })

  test('a stall does not decide', () => {
    const { window } = gainOf(FAR, copied, 200)
    window.learn({ source: 'long', sent: 15, gained: 16, ms: 60_000, computeMs: 0.3 })
    expect(window.choose('long', DRAFTS).drafts).toBe(15)
  })

  test('the same inputs give the same window', () => {
    const runs = [0, 1].map(() => gainOf(FAR, { source: 'middle', rightAt: (at) => at % 7 }, 300))
    expect(runs[0]!.sent).toBe(runs[1]!.sent)
    expect(runs[0]!.gain).toBe(runs[1]!.gain)
  })

  test.each<[number, DraftSource]>([
    [2, 'short'],
    [3, 'short'],
    [4, 'middle'],
    [8, 'long'],
    [16, 'long'],
  ])('a match of %i tokens is %s', (match, source) => {
    expect(sourceOf(match)).toBe(source)
  })
})
