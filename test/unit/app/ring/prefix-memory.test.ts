import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createPrefixMemory, type OutputRoom, type PrefixMemory } from '../../../../src/app/ring/prefix-memory.ts'
import { createOutputRoom } from '../../../../src/app/ring/prefix-shelf.ts'

const KEY_WORDS = 2
const WIDTH = 3

/** What a memory should have: of each row what went in, what came out, and when. */
type Row = { readonly key: number; readonly out: number; readonly ms: number }

const keysOf = (rows: readonly Row[]): Int32Array => Int32Array.from(rows.flatMap(({ key }) => [key, -key]))
const outOf = (rows: readonly Row[]): Float32Array =>
  Float32Array.from(rows.flatMap(({ out }) => [out, out + 1, out + 2]))
const computed = (rows: readonly Row[]) => {
  return { keys: keysOf(rows), values: outOf(rows), computeMs: rows.reduce((sum, { ms }) => sum + ms, 0) }
}

function expectSame(memory: PrefixMemory, rows: readonly Row[]): void {
  expect(memory.rows).toBe(rows.length)
  expect([...memory.keys(rows.length)]).toEqual([...keysOf(rows)])
  for (let from = 0; from < rows.length; from += 3) {
    const some = rows.slice(from, from + 5)
    expect([...memory.recall(from, some.length)!]).toEqual([...outOf(some)])
    expect(memory.computeMs(from, some.length)).toBeCloseTo(
      some.reduce((sum, { ms }) => sum + ms, 0),
      6,
    )
  }
}

const row = fc.record({
  key: fc.integer({ min: 1, max: 3 }),
  out: fc.integer({ min: 0, max: 999 }),
  ms: fc.constant(2),
})
const action = fc.oneof(
  fc.record({ type: fc.constant('note' as const), at: fc.nat(9), rows: fc.array(row, { minLength: 1, maxLength: 9 }) }),
  fc.record({ type: fc.constant('cut' as const), at: fc.nat(40) }),
  fc.record({ type: fc.constant('share' as const), at: fc.nat(40) }),
)

test('a memory has what was noted and not cut, whoever shares it, and gives all of its room back', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(3), action), { maxLength: 40 }), (actions) => {
      const room = countedRoom()
      const all = [{ memory: createPrefixMemory({ keyWords: KEY_WORDS, width: WIDTH }, room), rows: [] as Row[] }]
      for (const [which, act] of actions) {
        const one = all[which % all.length]!
        if (act.type === 'note') {
          const position = Math.max(0, one.rows.length - act.at)
          one.memory.note(position, computed(act.rows))
          one.rows = [...one.rows.slice(0, position), ...act.rows]
        } else if (act.type === 'cut') {
          one.memory.cut(act.at)
          one.rows = one.rows.slice(0, act.at)
        } else all.push({ memory: one.memory.share(act.at), rows: one.rows.slice(0, act.at) })
        for (const { memory, rows } of all) expectSame(memory, rows)
      }
      expect(room.bytes()).toBeLessThanOrEqual(all.reduce((sum, { rows }) => sum + rows.length, 0) * WIDTH * 4)
      for (const { memory } of all) memory.cut(0)
      expect(room.bytes()).toBe(0)
    }),
    { numRuns: 150 },
  )
})

function countedRoom(): OutputRoom & { bytes(): number } {
  let bytes = 0
  return {
    hold(piece) {
      if (piece.users++ === 0) bytes += piece.values.byteLength
      return true
    },
    release(piece) {
      if (--piece.users === 0) bytes -= piece.values.byteLength
    },
    bytes: () => bytes,
  }
}

const ROWS: readonly Row[] = [5, 6, 7, 8].map((key) => ({ key, out: key * 10, ms: 1 }))

test.each([
  ['all of them', 0, ROWS, 4],
  ['from a later position', 2, ROWS.slice(2), 2],
  ['as far as they go', 0, [...ROWS, ROWS[0]!], 4],
  ['up to the first that differs', 1, [ROWS[1]!, ROWS[0]!, ROWS[3]!], 1],
  ['none, where the first one differs', 0, ROWS.slice(1), 0],
  ['none, where nothing is', 4, ROWS, 0],
  ['none, behind what is there', 9, ROWS, 0],
])('rows match: %s', (_name, position, wanted, count) => {
  const memory = createPrefixMemory({ keyWords: KEY_WORDS, width: WIDTH }, countedRoom())
  memory.note(0, computed(ROWS))
  expect(memory.matching(position, keysOf(wanted))).toBe(count)
})

test('a row whose key differs in one bit of one word is another row', () => {
  const memory = createPrefixMemory({ keyWords: KEY_WORDS, width: WIDTH }, countedRoom())
  memory.note(0, computed(ROWS))
  for (let bit = 0; bit < 32 * KEY_WORDS; bit++) {
    const keys = keysOf(ROWS)
    keys[KEY_WORDS + (bit >> 5)]! ^= 1 << (bit & 31)
    expect(memory.matching(0, keys)).toBe(1)
  }
})

test('what is noted behind the end is not remembered, since a cache cannot begin there', () => {
  const memory = createPrefixMemory({ keyWords: KEY_WORDS, width: WIDTH }, countedRoom())
  memory.note(2, computed(ROWS))
  expect(memory.rows).toBe(0)
})

test('without room the beginning is remembered, and what comes behind is not', () => {
  const room = createOutputRoom(6 * WIDTH * 4, () => false)
  const memory = createPrefixMemory({ keyWords: KEY_WORDS, width: WIDTH }, room)
  memory.note(0, computed(ROWS))
  memory.note(4, computed(ROWS))
  memory.note(8, computed(ROWS))
  expectSame(memory, ROWS)
  memory.cut(2)
  memory.note(2, computed(ROWS))
  expectSame(memory, [...ROWS.slice(0, 2), ...ROWS])
})

test('few rows of a long output do not keep the memory of all', () => {
  let kept = 0
  const hold: OutputRoom['hold'] = ({ values }) => {
    kept = values.buffer.byteLength
    return true
  }
  const memory = createPrefixMemory({ keyWords: KEY_WORDS, width: WIDTH }, { hold, release: () => undefined })
  memory.note(0, { ...computed(ROWS), values: outOf([...ROWS, ...ROWS]).subarray(0, ROWS.length * WIDTH) })
  expect(kept).toBe(ROWS.length * WIDTH * 4)
  memory.cut(1)
  expect(kept).toBe(WIDTH * 4)
})

test('at the tail nothing came out, and the time is remembered', () => {
  const memory = createPrefixMemory({ keyWords: KEY_WORDS, width: 0 }, countedRoom())
  memory.note(0, { ...computed(ROWS), values: undefined })
  expect([memory.recall(1, 3), memory.computeMs(1, 3)]).toEqual([undefined, 3])
})
