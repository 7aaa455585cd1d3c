import { describe, expect, test } from 'vitest'
import { openModelStore, type StoredModel } from '../../../../src/app/model-store.ts'
import { type PostFlags, parsePosts } from '../../../../src/app/posts/post-flags.ts'
import { type Hash, hash } from '../../../../src/base/brand.ts'
import { SESSION_LIMITS } from '../../../../src/base/limits.ts'

const genesis = openModelStore({ home: '/nowhere' }).find('genesis')

/** Any name but `unknown` is a model; the same one for the same first letter. */
const store = {
  find(name: string): StoredModel {
    if (name === 'genesis') return genesis
    const named: Hash = hash(name.charCodeAt(0).toString(16).padStart(64, '0'))
    return { ...genesis, manifest: { ...genesis.manifest, name }, hash: named }
  },
}

const runs = (flags: PostFlags): unknown[] =>
  parsePosts(flags, 'genesis', store).map(({ model, firstSegment, lastSegment }) => {
    return [model.manifest.name, firstSegment, lastSegment]
  })

test.each<[string, PostFlags, unknown[]]>([
  ['nothing: the model of the settings', {}, [['genesis', 0, 6]]],
  ['--segments', { segments: '2-3' }, [['genesis', 1, 3]]],
  ['--model NAME --segments', { model: ['a'], segments: '6' }, [['a', 5, 6]]],
  ['--model NAME:SEGMENTS', { model: ['a:2-4'] }, [['a', 1, 4]]],
  [
    '--model twice',
    { model: ['a:2', 'genesis'] },
    [
      ['a', 1, 2],
      ['genesis', 0, 6],
    ],
  ],
])('takes %s', (_case, flags, expected) => {
  expect(runs(flags)).toEqual(expected)
})

describe('refuses', () => {
  test.each<[string, PostFlags, string]>([
    ['--segments with several models', { model: ['a', 'b'], segments: '1' }, '--segments goes with one model'],
    ['--segments beside NAME:SEGMENTS', { model: ['a:1'], segments: '1' }, '--segments goes with one model'],
    ['a model twice', { model: ['a:1', 'b', 'a:2'] }, 'names a twice'],
    ['no segments after the colon', { model: ['a:'] }, '--model a:SEGMENTS takes a range such as 1-6'],
    ['segments that the model does not have', { model: ['a:3-7'] }, 'not "3-7"'],
  ])('%s', (_case, flags, text) => {
    expect(() => runs(flags)).toThrow(
      expect.objectContaining({ code: 'USAGE', message: expect.stringContaining(text) }),
    )
  })

  test('more models than one miner serves', () => {
    const names = Array.from({ length: SESSION_LIMITS.postsMax + 1 }, (_, index) => String.fromCharCode(65 + index))
    expect(runs({ model: names.slice(1) })).toHaveLength(SESSION_LIMITS.postsMax)
    expect(() => runs({ model: names })).toThrow(expect.objectContaining({ code: 'USAGE' }))
  })
})
