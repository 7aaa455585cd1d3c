import { expect, test } from 'vitest'
import { nextVersion, type VersionChain } from '../../../../src/app/chat/next-version.ts'
import { type Hash, hash } from '../../../../src/base/brand.ts'
import { TransactionError } from '../../../../src/core/transaction/contract.ts'

const [first, second, third, fourth] = ['11', '22', '33', '44'].map((byte) => hash(byte.repeat(32))) as [
  Hash,
  Hash,
  Hash,
  Hash,
]
const [retired, later] = ['77', '88'].map((byte) => hash(byte.repeat(32))) as [Hash, Hash]
const { signal } = new AbortController()
const superseded = new TransactionError('MODEL_SUPERSEDED', 'Lease another.')

/** `first` is gone, `second` took its place, `third` that of `second`; `fourth` waits for a vote. */
function chain(): VersionChain & { closed: number } {
  const models = [
    { model: second, name: 'two', predecessor: first, successor: third, status: 'superseded' as const },
    { model: third, name: 'three', predecessor: second, status: 'active' as const },
    { model: retired, name: 'before', status: 'retired' as const },
    { model: later, name: 'later', predecessor: retired, status: 'active' as const },
    { model: fourth, name: 'four', predecessor: third, status: 'published' as const },
  ]
  const made = {
    closed: 0,
    market: {
      model: async (model: Hash) => {
        const found = models.find((one) => one.model === model)
        if (found === undefined) throw new TransactionError('NO_SUCH_MODEL', 'There is none.')
        return found
      },
      models: async () => models,
    },
    close: async () => void made.closed++,
  }
  return made
}

test.each([
  ['that was superseded', second, { model: third, name: 'three' }],
  ['whose record is gone', first, { model: second, name: 'two' }],
  ['that is served', third, undefined],
  ['that retired and has lots open', retired, { model: later, name: 'later' }],
  ['that nobody knows', hash('55'.repeat(32)), undefined],
])('of a model %s', async (_, model, expected) => {
  const asked = chain()
  expect(await nextVersion(superseded, { model, open: async () => asked }, signal)).toEqual(expected)
  expect(asked.closed).toBe(1)
})

test('a light client, which has no lists, goes by what it has seen, and follows further from there', async () => {
  const asked = chain()
  const market = { ...asked.market, models: () => Promise.reject(new TransactionError('NO_MINER', 'A list.')) }
  const open = async () => ({ ...asked, market })
  expect(await nextVersion(superseded, { model: first, open }, signal)).toBeUndefined()
  const seen = { model: first, open, remembered: second }
  expect(await nextVersion(superseded, seen, signal)).toEqual({ model: second, name: 'two' })
  const gone = { model: first, open, remembered: hash('66'.repeat(32)) }
  expect(await nextVersion(superseded, gone, signal)).toEqual({ model: gone.remembered, name: gone.remembered })
  // What the chain says goes first: a vote may have brought it back.
  expect(await nextVersion(superseded, { model: third, open, remembered: second }, signal)).toBeUndefined()
})

test.each([
  ['the network has no chain', async () => undefined],
  ['the chain does not answer', () => Promise.reject(new TransactionError('NO_MINER', 'Nobody.'))],
])('nobody can tell where %s', async (_, open) => {
  expect(await nextVersion(superseded, { model: first, open }, signal)).toBeUndefined()
})

test.each([
  ['money', new TransactionError('INSUFFICIENT_FUNDS', 'Too little.')],
  ['a bug', new TypeError('no')],
])('nobody is asked where %s is in the way', async (_, why) => {
  const open = () => Promise.reject(new Error('asked'))
  expect(await nextVersion(why, { model: second, open }, signal)).toBeUndefined()
})
