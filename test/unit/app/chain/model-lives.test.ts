/** The lives of models as commands show them: which versions belong together, what is told of each, and what calls people make. */
import { expect, test } from 'vitest'
import type { ChainAccess, ProposalView } from '../../../../src/app/chain/chain-access.ts'
import type { ModelView, ReadinessView } from '../../../../src/app/chain/market-access.ts'
import { proposeModelCall, publishCall, publishedModel } from '../../../../src/app/chain/model-calls.ts'
import { viewLives } from '../../../../src/app/chain/model-lives.ts'
import { livesText } from '../../../../src/app/chain/model-lives-text.ts'
import { viewParameterValues } from '../../../../src/app/chain/state-views.ts'
import { type Hash, hash } from '../../../../src/base/brand.ts'
import { INITIAL_PARAMETERS } from '../../../../src/core/parameters.ts'

const ALL = String(2n ** 64n - 1n)
const numbered = (number: number): Hash => hash(number.toString(16).padStart(64, '0'))
const [V1, V2, V3, OTHER] = [1, 2, 3, 9].map(numbered) as [Hash, Hash, Hash, Hash]
const values = viewParameterValues(INITIAL_PARAMETERS)

function model(of: Hash, change: Partial<ModelView> = {}): ModelView {
  return {
    ...{ model: of, name: 'n'.repeat(64), publisher: 'p', deposit: '0', context: 9, status: 'active', price: '7' },
    ...{ segments: [{ linear: '1', attention: '0' }], registeredHeight: 0, tries: 0 },
    ...change,
  }
}
const proposal: ProposalView = {
  ...{ number: 2 ** 31, proposer: 'p', deposit: ALL, endHeight: 2 ** 31, kind: 'model', changes: {} },
  model: { model: V3, activationHeight: 2 ** 41, name: 'three', status: 'published', takes: V2 },
  ...{ votes: [], yesStake: '3', noStake: '1', totalStake: '8' },
}
const readiness: ReadinessView = {
  ...{ model: V3, height: 50, needed: 2, owners: Array.from({ length: 64 }, (_, index) => index % 3) },
  ...{ passed: 1_024, passedDeposits: ALL, failed: 1, failedDeposits: ALL, lack: 'unserved' },
}
const line = [
  model(V1, { status: 'superseded', successor: V2, dueHeight: 2 ** 40, canary: { root: V1, bytes: 2 ** 28 } }),
  model(V2, { predecessor: V1 }),
  model(V3, { status: 'approved', predecessor: V2, dueHeight: 99, tries: 3, canary: { root: V1, bytes: 1 } }),
]
const all = [...line, model(OTHER, { name: 'other' })]

function chainOf(source: 'node' | 'light'): ChainAccess {
  const market = {
    models: async () => all,
    model: async (of: Hash) => {
      const found = all.find(({ model }) => model === of)
      if (found === undefined) throw Object.assign(new Error('none'), { code: 'NO_SUCH_MODEL' })
      return found
    },
    readiness: async () => readiness,
  }
  const parameters = async () => ({ values, proposals: [proposal] })
  return { source, market, parameters, head: async () => ({ height: 50 }) } as unknown as ChainAccess
}

test('without a name there are all models, each with its votes; who serves it is asked of approved ones alone', async () => {
  const { height, models } = await viewLives(chainOf('node'), undefined, undefined)
  expect(height).toBe(50)
  expect(models.map(({ model, proposals, readiness }) => [model, proposals?.length, readiness?.needed])).toEqual([
    [V1, 0, undefined],
    [V2, 0, undefined],
    [V3, 1, 2],
    [OTHER, 0, undefined],
  ])
})

test.each([V1, V2, V3])('a model comes with all versions before and after it', async (of) => {
  const { models } = await viewLives(chainOf('node'), of, undefined)
  expect(models.map(({ model }) => model)).toEqual([V1, V2, V3])
})

test('one that is not there is refused', async () => {
  await expect(viewLives(chainOf('node'), numbered(7), undefined)).rejects.toMatchObject({ code: 'NO_SUCH_MODEL' })
})

test('a light client knows the record alone', async () => {
  expect(await viewLives(chainOf('light'), V3, undefined)).toEqual({ height: 50, models: [line[2]] })
})

test('everything fits 80 columns', async () => {
  const text = livesText(await viewLives(chainOf('node'), undefined, undefined))
  expect(text.split('\n').filter((line) => line.length > 80)).toEqual([])
  expect(text).toContain('Served     21 of 64 segments have 2 owners or more\n')
  expect(text).toContain('Looked at  3 times, and not enough serve it\n')
  expect(text).toContain('not 1, 2, 4, 5')
  expect(livesText({ height: 1, models: [] })).toContain('`dllm model publish`')
})

test('a version is published at the price that is typed, else at that of its predecessor, else at the lowest', () => {
  const named = (price: bigint) => ({
    model: V2,
    name: 'two',
    context: 9,
    price,
    segments: [{ linear: 1n, attention: 0n }],
  })
  const priceOf = (typed: string | undefined, supersedes: ModelView | undefined) =>
    publishedModel(named, typed, { supersedes, values }).price
  expect([priceOf('12', line[0]), priceOf(undefined, line[0]), priceOf(undefined, undefined)]).toEqual([12n, 7n, 0n])
  expect(() => priceOf('0.5', undefined)).toThrow(expect.objectContaining({ code: 'AMOUNT_BAD' }))
  const nameless = (price: bigint) => ({ ...named(price), name: 'a b' })
  expect(() => publishedModel(nameless, undefined, { supersedes: undefined, values })).toThrow(
    expect.objectContaining({ code: 'MODEL_BAD_MANIFEST' }),
  )
  const { spends, body, lines } = publishCall(named(7n), { supersedes: line[0], canary: undefined, deposit: 5n })
  expect([spends, body, lines.length]).toMatchObject([5n, { predecessor: V1, price: 7n }, 5])
})

test.each([
  ['an active model', line[1]!, 'MODEL_ACTIVE'],
  ['an approved one', line[2]!, 'MODEL_APPROVED'],
])('%s is not proposed', (_case, view, code) => {
  expect(() => proposeModelCall(view, 0, 1n)).toThrow(expect.objectContaining({ code }))
})

test('a superseded one is proposed in the place of its successor', () => {
  const { lines, body, spends } = proposeModelCall(line[0]!, 70, 5n)
  expect([body, spends]).toEqual([{ model: V1, activationHeight: 70 }, 5n])
  expect(lines.join('\n')).toContain(`for     ${V2}`)
})
