import { expect, test } from 'vitest'
import type { Home } from '../../../../src/app/home.ts'
import { openModelStore, type StoredModel } from '../../../../src/app/model-store.ts'
import { LOCAL_NETWORK } from '../../../../src/app/networks.ts'
import { canDraftFor, findDrafter } from '../../../../src/app/posts/drafter.ts'
import type { OpenEngine } from '../../../../src/app/posts/open-engine.ts'
import type { PostWish } from '../../../../src/app/posts/post.ts'
import { createSystem } from '../../../../src/app/system.ts'
import { hash } from '../../../../src/base/brand.ts'

const home = { path: '/nowhere' } as Home
const genesis = openModelStore({ home: home.path }).find('genesis')
const post = (model: StoredModel, firstSegment = 0): PostWish => ({ model, firstSegment, lastSegment: 3 })

/** The same model with another tokenizer. */
function otherTokens(): StoredModel {
  const { manifest } = genesis
  return {
    ...genesis,
    manifest: { ...manifest, files: manifest.files.map((file) => ({ ...file, root: hash('ff'.repeat(32)) })) },
  }
}

function find(posts: readonly PostWish[], name?: string) {
  const opened: PostWish[] = []
  const leaving: boolean[] = []
  const found = findDrafter(
    {
      ...{ home, system: createSystem({ level: 'silent' }), signal: new AbortController().signal },
      ...{ flags: { 'draft-model': name }, print: () => undefined },
    },
    {
      ...{ network: LOCAL_NETWORK, posts, files: { ensure: async () => undefined } },
      engines: {
        open: async (wish) => {
          opened.push(wish)
          return { ...wish, setLeaving: (isLeaving) => void leaving.push(isLeaving) } as OpenEngine
        },
      },
    },
  )
  return { found, opened, leaving }
}

test('a model drafts for posts at which rings begin, with the same tokenizer', () => {
  expect(canDraftFor({ model: genesis }, post(genesis))).toBe(true)
  expect(canDraftFor({ model: genesis }, post(genesis, 1))).toBe(false)
  expect(canDraftFor({ model: genesis }, post(otherTokens()))).toBe(false)
  const without = { ...genesis, manifest: { ...genesis.manifest, files: [] } }
  expect(canDraftFor({ model: without }, post(without))).toBe(false)
})

test('it is loaded whole, and the posts come first', async () => {
  const { found, opened, leaving } = find([post(otherTokens()), post(genesis)], 'genesis')
  expect((await found)?.model.hash).toBe(genesis.hash)
  expect(opened).toMatchObject([{ firstSegment: 0, lastSegment: genesis.manifest.segments.length }])
  expect(leaving).toEqual([true])
})

test('none is loaded where none is wanted, and one that is of no use is refused', async () => {
  const none = find([post(genesis)])
  expect(await none.found).toBeUndefined()
  const useless = find([post(otherTokens()), post(genesis, 2)], 'genesis')
  await expect(useless.found).rejects.toMatchObject({ code: 'USAGE' })
  expect([...none.opened, ...useless.opened]).toEqual([])
})
