import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createDraftIndex, type DraftIndex } from '../../../src/ml/draft-index.ts'

function indexOf(tokens: readonly number[], capacity = 4_096): DraftIndex {
  const index = createDraftIndex(capacity)
  for (const token of tokens) index.append(token)
  return index
}

describe('drafts from the past of a text', () => {
  test.each<[string, number[], number, number[], number]>([
    ['nothing of an empty text', [], 4, [], 0],
    ['nothing of one token', [1], 4, [], 0],
    ['nothing where the end was never seen', [1, 2, 3, 4, 5], 4, [], 0],
    ['nothing of one equal token', [1, 2, 3, 9, 2], 4, [], 0],
    ['what followed two equal tokens', [1, 2, 3, 4, 9, 1, 2], 2, [3, 4], 2],
    ['what followed the longest suffix, not the latest', [5, 1, 2, 7, 6, 1, 2, 8, 0, 5, 1, 2], 1, [7], 3],
    ['what followed the latest of two equally long ones', [0, 1, 2, 7, 0, 1, 2, 8, 0, 1, 2], 1, [8], 3],
    ['a period, which goes on', [1, 2, 3, 1, 2, 3, 1, 2], 7, [3, 1, 2, 3, 1, 2, 3], 5],
    ['one token again and again', [4, 4, 4], 4, [4, 4, 4, 4], 2],
    ['no more than is asked for', [1, 2, 3, 4, 9, 1, 2], 0, [], 0],
  ])('%s', (_case, tokens, count, expected, match) => {
    expect(indexOf(tokens).propose(count)).toEqual({ tokens: expected, match })
  })

  test('a cut forgets what came after it, and what it was not told of is like nothing', () => {
    const index = indexOf([1, 2, 3, 4, 5, 1, 2])
    index.cut(5)
    index.append(1)
    index.append(2)
    expect(index.propose(2).tokens).toEqual([3, 4])
    index.cut(2)
    expect(index.propose(2).tokens).toEqual([])
    index.cut(5)
    expect(index.length).toBe(5)
    for (const token of [1, 2]) index.append(token)
    expect(index.propose(2).tokens).toEqual([])
  })

  test('a full index takes no more, and still answers', () => {
    const index = indexOf([1, 2, 3, 1, 2, 3, 3, 3], 5)
    expect(index.length).toBe(5)
    expect(index.propose(3).tokens).toEqual([3, 1, 2])
  })

  test('after any appends and cuts drafts are what stands behind an earlier place with the same end', () => {
    const moves = fc.array(
      fc.oneof(
        fc.nat(3).map((token) => ({ token })),
        fc.nat(40).map((cut) => ({ cut })),
      ),
      {
        maxLength: 200,
      },
    )
    fc.assert(
      fc.property(moves, (list) => {
        const index = createDraftIndex(300)
        const text: number[] = []
        for (const move of list) {
          if ('token' in move) {
            index.append(move.token)
            text.push(move.token)
          } else if (move.cut < text.length) {
            index.cut(move.cut)
            text.length = move.cut
          }
          const { tokens, match } = index.propose(5)
          expect(index.length).toBe(text.length)
          if (match === 0) continue
          const all = [...text, ...tokens]
          const places = [...text.keys()].filter((place) => {
            const isSame = Array.from({ length: match }, (_, back) => all[place - 1 - back] === text.at(-1 - back))
            return place >= match && isSame.every(Boolean) && tokens.every((token, at) => all[place + at] === token)
          })
          expect(places).not.toEqual([])
        }
      }),
      { numRuns: 150 },
    )
  })
})
