import { describe, expect, test } from 'vitest'
import { createKeptRows, type KeptRows, windowRowsOf } from '../../../../src/app/ring/kept-rows.ts'
import { MODEL_LIMITS, SESSION_LIMITS, WIRE_LIMITS } from '../../../../src/base/limits.ts'

type Step = Parameters<KeptRows['step']>[0]

const decode = (position: number, rows = 1, turn = 1): Step => {
  return { turn, position, acknowledge: false, tokens: new Int32Array(rows) }
}
const prompt = (position: number, rows: number, turn = 1): Step => {
  return { turn, position, acknowledge: true, tokens: new Int32Array(rows) }
}

function begun(hasLease = true): KeptRows {
  const kept = createKeptRows(hasLease)
  kept.step(prompt(0, 10))
  kept.step(decode(10, 6))
  return kept
}

describe('rows on trial', () => {
  test.each([
    [11, 5],
    [13, 3],
    [16, 0],
  ])('a next step at %i forgets %i of them', (position, forgotten) => {
    const kept = begun()
    expect(kept.open).toEqual({ turn: 1, position: 10 })
    expect(kept.step(decode(position))).toBe(forgotten)
    expect(kept.open).toBeUndefined()
    expect([kept.drafts, kept.draftsKept]).toEqual([5, position - 11])
  })

  test('who knows at once forgets once, and says it with the next step or by itself', () => {
    const kept = begun()
    expect(kept.settle(12)).toBe(4)
    expect(kept.unsaid).toEqual({ turn: 1, position: 12 })
    expect(kept.step(decode(12))).toBe(0)
    kept.step(decode(13, 3))
    kept.settle(14)
    expect(kept.keep(1, 14)).toBe(0)
    expect(kept.step(prompt(14, 5, 2))).toBe(0)
  })

  test('who is told forgets then', () => {
    const kept = begun()
    expect(kept.keep(1, 15)).toBe(1)
    expect(kept.step(prompt(15, 5, 2))).toBe(0)
  })

  test.each([
    [2_048, 64],
    [16_384, 64],
    [32_000, 32],
    [128_256, 8],
    [262_144, 4],
    [1_048_577, 1],
  ])('with %i tokens a step has %i rows at the most', (vocabularySize, rows) => {
    expect(windowRowsOf(vocabularySize)).toBe(rows)
    const kept = createKeptRows(false, rows)
    expect(kept.draftsAllowed).toBe(rows - 1)
    expect(() => kept.step(decode(0, rows + 1))).toThrow(expect.objectContaining({ code: 'RING_BAD_MESSAGE' }))
  })

  test('a window of the widest model fits into a stage frame', () => {
    const bytes = SESSION_LIMITS.windowRowsMax * (MODEL_LIMITS.hiddenMax * 4 + 4)
    expect(bytes).toBeLessThan(WIRE_LIMITS.stageMessageBytesMax - 1_024)
  })

  test('a window of all rows of which one stays leaves room for four drafts for each row, and is not repeated', () => {
    const kept = createKeptRows(false)
    const all = SESSION_LIMITS.windowRowsMax
    kept.step(decode(0, all))
    expect(kept.settle(1)).toBe(all - 1)
    expect(kept.draftsAllowed).toBe(SESSION_LIMITS.draftsLostFree + SESSION_LIMITS.draftsLostPerRow - (all - 1))
    expect(() => kept.step(decode(1, all))).toThrow(expect.objectContaining({ code: 'RING_BAD_MESSAGE' }))
  })

  test('a window of all rows that stay is followed by another', () => {
    const kept = createKeptRows(true)
    const all = SESSION_LIMITS.windowRowsMax
    for (let position = 0; position < 10 * all; position += all) {
      expect(kept.step(decode(position, all))).toBe(0)
      expect(kept.settle(position + all)).toBe(0)
    }
    expect(kept.draftsKept).toBe(10 * (all - 1))
  })

  test('without a lease a new turn may begin before anybody knows', () => {
    const kept = begun(false)
    expect(kept.step(prompt(14, 5, 2))).toBe(0)
    expect(kept.open).toBeUndefined()
    expect(kept.draftsAllowed).toBe(SESSION_LIMITS.windowRowsMax - 1)
  })

  test.each<[string, (kept: KeptRows) => unknown]>([
    ['a step that forgets the row that was certain', (kept) => kept.step(decode(10))],
    ['a step behind all of them', (kept) => kept.step(decode(17))],
    ['a step that does not go on where it was settled', (kept) => [kept.settle(12), kept.step(decode(13))]],
    ['a turn before it is said what stays', (kept) => kept.step(prompt(11, 1, 2))],
    ['a turn behind what stays', (kept) => [kept.keep(1, 12), kept.step(prompt(13, 1, 2))]],
    ['what stays, of another turn', (kept) => kept.keep(2, 12)],
    ['what stays, twice', (kept) => [kept.keep(1, 12), kept.keep(1, 12)]],
    ['what stays, otherwise than it was settled', (kept) => [kept.settle(12), kept.keep(1, 13)]],
    ['nothing that stays', (kept) => kept.settle(10)],
    ['a word about no step', (kept) => [kept.settle(11), kept.settle(11)]],
    ['a step of too many rows', (kept) => kept.step(decode(11, SESSION_LIMITS.windowRowsMax + 1))],
  ])('refuses %s', (_what, act) => {
    expect(() => act(begun())).toThrow(expect.objectContaining({ code: 'RING_BAD_MESSAGE' }))
  })

  test('without a lease all stages allow the same again with each turn, whatever a cancel kept from some of them', () => {
    const [first, other] = [createKeptRows(false), createKeptRows(false)]
    for (let turn = 1; turn < 5; turn++) {
      for (const kept of [first, other]) {
        kept.step(prompt(0, 10, turn))
        kept.step(decode(10, 16, turn))
      }
      first.settle(26)
      // Computed at stage 1 when the cancel comes, and not sent.
      first.step(decode(26, 1, turn))
    }
    for (const kept of [first, other]) kept.step(prompt(0, 10, 5))
    let position = 10
    for (; first.draftsAllowed > 0; position++) {
      const step = decode(position, 1 + first.draftsAllowed, 5)
      first.step(step)
      expect(() => other.step(step)).not.toThrow()
      first.settle(position + 1)
      if (position > 100) break
    }
    expect(position).toBeGreaterThan(15)
  })

  test('too many that were wrong are refused, more where more were right', () => {
    const kept = createKeptRows(false)
    let position = 0
    let steps = 0
    const wrong = () => {
      for (; kept.draftsAllowed >= 15; steps++) {
        kept.step(decode(position, 16))
        kept.settle(++position)
      }
    }
    wrong()
    // Each loses 15, and has a row that stays.
    expect(steps).toBe(Math.ceil((SESSION_LIMITS.draftsLostFree - 14) / (15 - SESSION_LIMITS.draftsLostPerRow)))
    expect(() => kept.step(decode(position, 16))).toThrow(expect.objectContaining({ code: 'RING_BAD_MESSAGE' }))
    for (let row = 0; row < 8; row++) kept.step(decode(position++))
    const { draftsLostFree, draftsLostPerRow } = SESSION_LIMITS
    expect(kept.draftsAllowed).toBe(draftsLostFree + draftsLostPerRow * (steps + 8) - 15 * steps)
  })
})
