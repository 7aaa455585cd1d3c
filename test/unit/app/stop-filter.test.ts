import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createStopFilter } from '../../../src/app/chat/stop-filter.ts'

/** What is shown of a text that comes in these pieces. */
function shownOf(stops: readonly string[], pieces: readonly string[]): { shown: string; stopped: boolean } {
  const filter = createStopFilter(stops)
  let shown = ''
  for (const piece of pieces) shown += filter.push(piece)
  return { shown: shown + filter.finish(''), stopped: filter.stopped }
}

describe('a stop text ends what is shown', () => {
  test.each<[string, string[], string[], string]>([
    ['in one piece', ['END'], ['one END two'], 'one '],
    ['letter by letter', ['END'], ['o', ' ', 'E', 'N', 'D', 'x'], 'o '],
    ['after a false start', ['END'], ['EN', 'EN', 'D'], 'EN'],
    ['that repeats itself', ['aab'], ['a', 'a', 'a', 'b', 'c'], 'a'],
    ['at the very start', ['END'], ['END'], ''],
    ['the first of several', ['two', 'one'], ['zero one two'], 'zero '],
    ['the one that begins first, when both end at once', ['bcd', 'd'], ['abcd'], 'a'],
    ['a line end', ['\n\n'], ['a\n', 'b\n', '\nc'], 'a\nb'],
    ['beyond the basic plane', ['🦊🐇'], ['x🦊', '🦊', '🐇y'], 'x🦊'],
  ])('%s', (_case, stops, pieces, shown) => {
    expect(shownOf(stops, pieces)).toEqual({ shown, stopped: true })
  })
})

test.each<[string, string[], string[], string]>([
  ['no stop texts', [], ['a', 'b'], 'ab'],
  ['only empty ones', ['', ''], ['a', 'b'], 'ab'],
  ['a beginning that comes to nothing', ['END'], ['the EN'], 'the EN'],
])('with %s everything is shown', (_case, stops, pieces, shown) => {
  expect(shownOf(stops, pieces)).toEqual({ shown, stopped: false })
})

test('nothing is held back that cannot become a stop text', () => {
  const filter = createStopFilter(['END'])
  expect([filter.push('one '), filter.push('E'), filter.push('x'), filter.push('EN')]).toEqual(['one ', '', 'Ex', ''])
  expect(filter.finish('')).toBe('EN')
})

test('nothing is shown after the end', () => {
  const filter = createStopFilter(['.'])
  expect([filter.push('a.b'), filter.push('c'), filter.finish('d')]).toEqual(['a', '', ''])
})

test('however a text is cut, what is shown is its part before the first stop text', () => {
  const letters = fc.constantFrom('a', 'b', 'c')
  const word = (minLength: number, maxLength: number) =>
    fc.array(letters, { minLength, maxLength }).map((parts) => parts.join(''))
  fc.assert(
    fc.property(fc.array(word(1, 4), { maxLength: 3 }), fc.array(word(0, 4), { maxLength: 12 }), (stops, pieces) => {
      const text = pieces.join('')
      const ends = stops.map((stop) => text.indexOf(stop)).filter((at) => at >= 0)
      // A text that is complete sooner ends the answer before another that begins earlier is complete.
      const { shown, stopped } = shownOf(stops, pieces)
      expect(stopped).toBe(ends.length > 0)
      expect(text.startsWith(shown)).toBe(true)
      if (!stopped) expect(shown).toBe(text)
      for (const stop of stops) expect(shown).not.toContain(stop)
    }),
    { numRuns: 500 },
  )
})
