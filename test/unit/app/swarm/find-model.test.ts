import { expect, test } from 'vitest'
import { openModelStore } from '../../../../src/app/model-store.ts'
import { findModel, type Registries } from '../../../../src/app/swarm/find-model.ts'
import { depositsBehind, mostServed } from '../../../../src/app/swarm/same-name.ts'
import { hash } from '../../../../src/base/brand.ts'
import { DLLM } from '../../../chain-accounts.ts'
import { placement } from '../mining/views.ts'

const store = openModelStore({ home: '/nowhere' })
const genesis = store.find('genesis')
const [ONE, TWO] = [hash('1'.repeat(64)), hash('2'.repeat(64))]

type Registered = Awaited<ReturnType<Registries['models']>>[number]
type Told = Awaited<ReturnType<Registries['offers']>>[number]

/** `behind`: grains, by the model's first digit. */
function registries(
  models: readonly Registered[],
  offers: readonly (readonly [string, typeof ONE])[],
  behind: Readonly<Record<string, bigint>> = {},
): Registries {
  const told = offers.map(([modelName, model]) => ({ offer: { modelName, model } }) as Told)
  return {
    models: async () => models,
    standing: async (asked) => asked.map((model) => ({ ...model, behind: behind[model.model.charAt(0)] })),
    offers: async () => told,
  }
}

const nobody = registries([], [])
const model = (name: string, digits: typeof ONE, status: Registered['status'], registeredHeight = 7): Registered => ({
  ...{ name, model: digits, status, registeredHeight },
})
/** Of the name, both active. */
const two = [model('llama', TWO, 'active', 3), model('llama', ONE, 'active')]

test.each([
  ['its name', 'genesis'],
  ['its hash', genesis.hash],
  ['its hash in capitals', genesis.hash.toUpperCase()],
])('a model that is here is found by %s, and nobody is asked', async (_what, text) => {
  const reject = () => Promise.reject(new Error('asked'))
  const asked = { models: reject, standing: reject, offers: reject }
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

test.each<[string, Registries]>([
  ['behind which more is deposited', registries(two, [['llama', TWO]], { 1: 2n * DLLM, 2: DLLM })],
  [
    'that was registered first where the same is behind them',
    registries([model('llama', TWO, 'active', 8), ...two.slice(1)], [], { 1: 0n, 2: 0n }),
  ],
])('of several active models of a name the one is meant %s, and the others are named', async (_what, asked) => {
  const found = await findModel('llama', store, asked)
  expect(found).toEqual({
    type: 'there',
    hash: ONE,
    note: expect.stringContaining('2 active models are called llama.'),
  })
  expect((found as { note: string }).note).toMatch(
    /This is 1{64} \(\d DLLM behind it, registered at block 7\)\. Others: 2{64}/,
  )
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
  [
    'several are active, and nobody knows what is behind them,',
    'SWARM_AMBIGUOUS_MODEL',
    registries(two, [['llama', ONE]]),
    /^2 models are called llama: 2{64} \(registered at block 3\), 1{64} \(registered at block 7\)\. Name one by its hash\.$/,
  ],
  [
    'several are active, and nothing separates them,',
    'SWARM_AMBIGUOUS_MODEL',
    registries([model('llama', TWO, 'active', 0), model('llama', ONE, 'active', 0)], [], { 1: DLLM, 2: DLLM }),
    /1{64} \(1 DLLM behind it, of the genesis file\)/,
  ],
])('where %s it is refused', async (_what, code, asked, sentence) => {
  await expect(findModel('llama', store, asked)).rejects.toMatchObject({
    code,
    message: expect.stringMatching(sentence),
  })
})

test.each([
  ['nobody serves it', [], 0n],
  ['a segment is served by nobody', [placement({ first: 0, end: 2, deposit: '9' })], 0n],
  ['the weakest segment counts', [placement({ deposit: '5' }), placement({ first: 0, end: 2, deposit: '9' })], 5n],
  ['what is not live counts for nothing', [placement({ deposit: '5' }), placement({ live: false, deposit: '9' })], 5n],
  ['more than the model has counts for nothing', [placement({ end: 64, deposit: '5' })], 5n],
])('what is deposited behind a model: %s', (_case, placements, expected) => {
  expect(depositsBehind(3, placements)).toBe(expected)
})

test('the first two decide whether anything separates models, whatever the rest are', () => {
  const of = (digit: string, behind: bigint | undefined, height: number) => ({
    ...model('llama', hash(digit.repeat(64)), 'active', height),
    behind,
  })
  const [best, same, low] = [of('1', 9n, 1), of('2', 9n, 1), of('3', 1n, 0)]
  expect(mostServed([low, best])).toBe(best)
  expect(mostServed([low, best, same])).toBeUndefined()
  expect(mostServed([best, low, of('4', 1n, 0)])).toBe(best)
  expect(mostServed([best, of('4', undefined, 0)])).toBeUndefined()
})
