import { expect, test } from 'vitest'
import { openModelStore } from '../../../../src/app/model-store.ts'
import { findModel, type Registries } from '../../../../src/app/swarm/find-model.ts'
import { hash } from '../../../../src/base/brand.ts'

const store = openModelStore({ home: '/nowhere' })
const genesis = store.find('genesis')
const [ONE, TWO] = [hash('1'.repeat(64)), hash('2'.repeat(64))]

type Registered = Awaited<ReturnType<Registries['models']>>[number]
type Told = Awaited<ReturnType<Registries['offers']>>[number]

function registries(models: readonly Registered[], offers: readonly (readonly [string, typeof ONE])[]): Registries {
  const told = offers.map(([modelName, model]) => ({ offer: { modelName, model } }) as Told)
  return { models: async () => models, offers: async () => told }
}

const nobody = registries([], [])
const model = (name: string, digits: typeof ONE, status: Registered['status']): Registered => ({
  ...{ name, model: digits, status },
})

test.each([
  ['its name', 'genesis'],
  ['its hash', genesis.hash],
  ['its hash in capitals', genesis.hash.toUpperCase()],
])('a model that is here is found by %s, and nobody is asked', async (_what, text) => {
  const asked = { models: () => Promise.reject(new Error('asked')), offers: () => Promise.reject(new Error('asked')) }
  expect(await findModel(text, store, asked)).toEqual({ type: 'here', model: genesis })
})

test.each<[string, string, Registries]>([
  ['a hash', ONE, nobody],
  ['a name of the chain', 'llama', registries([model('llama', ONE, 'active')], [])],
  ['a name that miners offer', 'llama', registries([model('qwen', TWO, 'active')], [['llama', ONE]])],
  [
    'the active one of several with the name',
    'llama',
    registries([model('llama', TWO, 'retired'), model('llama', ONE, 'active')], [['llama', TWO]]),
  ],
  ['a name that chain and miners agree on', 'llama', registries([model('llama', ONE, 'retired')], [['llama', ONE]])],
])('a model that is not here is meant by %s', async (_what, text, asked) => {
  expect(await findModel(text, store, asked)).toEqual({ type: 'there', hash: ONE })
})

test.each<[string, string, Registries, RegExp]>([
  ['nobody knows any', 'SWARM_NO_MODEL', nobody, /Nobody who could be asked offers any/],
  [
    'others are known',
    'SWARM_NO_MODEL',
    registries([model('qwen', ONE, 'active')], [['mistral', TWO]]),
    /There are: mistral, qwen\.$/,
  ],
  [
    'several have the name',
    'SWARM_AMBIGUOUS_MODEL',
    registries(
      [],
      [
        ['llama', ONE],
        ['llama', TWO],
      ],
    ),
    /^2 models are called llama: 1{64}, 2{64}\. Name one by its hash\.$/,
  ],
])('where %s it is refused', async (_what, code, asked, sentence) => {
  await expect(findModel('llama', store, asked)).rejects.toMatchObject({
    code,
    message: expect.stringMatching(sentence),
  })
})
