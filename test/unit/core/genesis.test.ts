/** Genesis files: what is read, what is refused with the name of its field, and the state and identity that follow. */
import { createHash } from 'node:crypto'
import { bytesToHex } from '@noble/hashes/utils.js'
import { describe, expect, test } from 'vitest'
import { hash } from '../../../src/base/brand.ts'
import { MARKET_LIMITS } from '../../../src/base/chain-limits.ts'
import { genesisState, networkIdOf } from '../../../src/core/genesis.ts'
import { formatGenesis, parseGenesis } from '../../../src/core/genesis-file.ts'
import { INITIAL_PARAMETERS } from '../../../src/core/parameters.ts'
import { getAccount, TREASURY } from '../../../src/core/state/accounts.ts'
import { getBaseFee } from '../../../src/core/state/base-fee-record.ts'
import { conservationFault } from '../../../src/core/state/conservation.ts'
import { stateFaults } from '../../../src/core/state/invariants.ts'
import { getModel, modelHashes, newModel } from '../../../src/core/state/models.ts'
import { getParameters } from '../../../src/core/state/parameters-record.ts'
import { getSeed } from '../../../src/core/state/seed-record.ts'
import { createStateStore } from '../../../src/core/state/state.ts'
import { getSupply } from '../../../src/core/state/supply.ts'
import { getValidatorSet } from '../../../src/core/state/validator-sets.ts'
import { DLLM, genesisValidator, person, TEST_PARAMETERS, testGenesis } from '../../chain-accounts.ts'

const models = ['c3', 'd4'].map((digits, index) => ({
  ...{ model: hash(digits.repeat(32)), name: `example-${index}`, context: 512, price: BigInt(index) },
  segments: [
    { linear: 393_216n, attention: 384n },
    { linear: 786_432n, attention: 0n },
  ],
}))
const genesis = { ...testGenesis(), models }
const file = JSON.parse(formatGenesis(genesis))

test('a genesis is read back from its file as it was', () => {
  expect(parseGenesis(formatGenesis(genesis))).toEqual(genesis)
})

test('the order of accounts, validators, models and fields does not matter', () => {
  const mixed = {
    ...Object.fromEntries(Object.entries(file).reverse()),
    accounts: file.accounts.toReversed(),
    validators: file.validators.toReversed(),
    models: file.models.toReversed(),
  }
  expect(networkIdOf(parseGenesis(JSON.stringify(mixed)))).toBe(networkIdOf(genesis))
})

test('parameters may be left out, and be numbers or texts', () => {
  const { parameters, ...rest } = file
  expect(parseGenesis(JSON.stringify(rest)).parameters).toEqual(INITIAL_PARAMETERS)
  const some = { ...rest, parameters: { epochBlocks: 10, bondMin: '5000000' } }
  expect(parseGenesis(JSON.stringify(some)).parameters).toEqual({
    ...INITIAL_PARAMETERS,
    epochBlocks: 10n,
    bondMin: 5_000_000n,
  })
  expect(parameters.epochBlocks).toBe(String(TEST_PARAMETERS.epochBlocks))
})

test('models may be left out', () => {
  const { models: _, ...rest } = file
  expect(parseGenesis(JSON.stringify(rest)).models).toEqual([])
})

test('models can be leased from the start, and nobody has published them', () => {
  const state = createStateStore(genesisState(genesis))
  const [{ model, ...claim }] = models as [(typeof models)[0]]
  expect(getModel(state, model)).toEqual(newModel(claim, { publisher: TREASURY, height: 0 }))
  expect([...modelHashes(state)]).toHaveLength(2)
})

test('the first state holds what the file says and is sound', () => {
  const changes = genesisState(genesis)
  const state = createStateStore(changes)
  expect(stateFaults(state)).toEqual([])
  expect(conservationFault(createStateStore([]), changes)).toBeUndefined()
  expect(getSupply(state)).toEqual({
    genesis: 4_200n * DLLM,
    issued: 0n,
    burnt: 0n,
    pool: 0n,
    bonded: 200n * DLLM,
    proposalsMade: 0,
  })
  expect(getAccount(state, person(1).id)).toEqual({ balance: 1_000n * DLLM, nonce: 0n, bonded: 100n * DLLM })
  expect(getParameters(state)).toEqual(TEST_PARAMETERS)
  expect(getBaseFee(state)).toBe(1n)
  expect(getValidatorSet(state, 0)?.hash).toBe(getValidatorSet(state, 1)?.hash)
  expect(getValidatorSet(state, 0)?.members.map(({ id }) => id)).toEqual([person(1).id, person(2).id].sort())
  expect(getValidatorSet(state, 2)).toBeUndefined()
})

test('the network id follows from the spec', () => {
  const u = (value: bigint | number, bytes: number) => {
    const field = Buffer.alloc(8)
    field.writeBigUInt64LE(BigInt(value))
    return field.subarray(0, bytes)
  }
  const text = (value: string) => Buffer.concat([u(value.length, 4), Buffer.from(value, 'ascii')])
  const { accounts, validators, parameters } = genesis
  const bytes = Buffer.concat([
    ...[u(1, 2), text('test'), u(2, 1), u(1_700_000_000_000, 8)],
    ...[
      u(Object.keys(parameters).length, 4),
      ...Object.values(parameters).map((value) => u(value, 8)),
      u(accounts.length, 4),
    ],
    ...accounts.flatMap(({ id, balance }) => [Buffer.from(id, 'hex'), u(balance, 8)]),
    u(validators.length, 4),
    ...validators.flatMap((one) => [
      ...[Buffer.from(one.id, 'hex'), text(one.name), one.consensusKey, one.seedKey],
      ...[one.consensusProof, one.seedProof, u(one.bond, 8)],
    ]),
    u(models.length, 4),
    ...models.flatMap((one) => [
      ...[Buffer.from(one.model, 'hex'), text(one.name), u(one.context, 4), u(one.price, 8), u(2, 4)],
      ...one.segments.flatMap(({ linear, attention }) => [u(linear, 8), u(attention, 8)]),
    ]),
  ])
  const sha256 = (...parts: (string | Uint8Array)[]) => {
    const digest = createHash('sha256')
    for (const part of parts) digest.update(part)
    return digest.digest()
  }
  const prefix = sha256('dllm/genesis')
  expect(networkIdOf(genesis)).toBe(sha256(prefix, prefix, bytes).toString('hex'))
  // Fixed: another value means that every network's id changed.
  expect(networkIdOf(genesis)).toMatchInlineSnapshot(
    `"e1861e95c3ee814f65a43360cdd30435c018d00e0c33ebfe5d8eb2fdab911bd6"`,
  )
})

test('any other fact makes another network, with another seed', () => {
  const [account, ...accounts] = genesis.accounts
  const [validator, ...validators] = genesis.validators
  const others = [
    genesis,
    { ...genesis, name: 'other' },
    { ...genesis, kind: 'testnet' as const },
    { ...genesis, timeMs: (genesis.timeMs + 1) as typeof genesis.timeMs },
    { ...genesis, parameters: { ...genesis.parameters, voteMs: 999n } },
    { ...genesis, accounts: [{ ...account!, balance: 1n }, ...accounts] },
    { ...genesis, validators: [{ ...validator!, bond: validator!.bond + 1n }, ...validators] },
    { ...genesis, models: models.slice(1) },
    { ...genesis, models: [{ ...models[0]!, price: 9n }, models[1]!] },
    { ...genesis, models: [{ ...models[0]!, segments: models[0]!.segments.toReversed() }, models[1]!] },
  ]
  expect(new Set(others.map(networkIdOf)).size).toBe(others.length)
  const seeds = others.map((other) => getSeed(createStateStore(genesisState(other))))
  expect(new Set(seeds).size).toBe(others.length)
})

describe('a genesis file is refused', () => {
  const first = file.validators[0]
  const foreign = genesisValidator(person(7), 'seven', 100n * DLLM)
  const withValidator = (change: object) => ({ validators: [{ ...first, ...change }, file.validators[1]] })
  const withModel = (change: object) => ({ models: [{ ...file.models[0], ...change }, file.models[1]] })
  const manyModels = Array.from({ length: MARKET_LIMITS.modelsMax + 1 }, (_, index) => {
    return { ...file.models[0], manifest: index.toString(16).padStart(64, '0') }
  })
  const withAccount = (change: object) => ({ accounts: [file.accounts[0], { ...file.accounts[1], ...change }] })
  test.each([
    ['with a name of capitals', { name: 'Home' }, 'name'],
    ['without a name', { name: undefined }, 'name'],
    ['of an unknown kind', { kind: 'private' }, 'kind'],
    ['with a time in the past of the past', { timeMs: -1 }, 'timeMs'],
    ['with a time as text', { timeMs: '1700000000000' }, 'timeMs'],
    ['with a field that is not known', { chainId: 1 }, 'chainId'],
    ['with a parameter that is not known', { parameters: { epochLength: 1 } }, 'parameters.epochLength'],
    ['with a parameter out of bounds', { parameters: { epochBlocks: 1 } }, 'parameters'],
    ['with a parameter that is no whole number', { parameters: { epochBlocks: 1.5 } }, 'parameters.epochBlocks'],
    ['with accounts that are no list', { accounts: {} }, 'accounts'],
    [
      'with an address that is mistyped',
      withAccount({ address: `${file.accounts[1].address.slice(0, -1)}q` }),
      'accounts[1].address',
    ],
    ['with an address of another kind of network', { kind: 'testnet' }, 'accounts[0].address'],
    ['with an account twice', withAccount({ address: file.accounts[0].address }), 'accounts[1].address'],
    ['with an empty account', withAccount({ balance: '0' }), 'accounts[1].balance'],
    ['with a balance as a number', withAccount({ balance: 5 }), 'accounts[1].balance'],
    ['with more grains than there can be', withAccount({ balance: String(2n ** 64n - 1n) }), 'accounts'],
    ['with a model twice', { models: [file.models[0], file.models[0]] }, 'models[1].manifest'],
    ['with a model of no name', withModel({ name: '' }), 'models[0].name'],
    ['with a model of no context', withModel({ context: 0 }), 'models[0].context'],
    ['with a model of too long a context', withModel({ context: 2 ** 32 }), 'models[0].context'],
    ['with a model of no segments', withModel({ segments: [] }), 'models[0].segments'],
    ['with a segment of no work', withModel({ segments: [{ linear: '0', attention: '1' }] }), 'models[0].segments'],
    ['with a segment that is no object', withModel({ segments: [5] }), 'models[0].segments[0]'],
    ['with work as a number', withModel({ segments: [{ linear: 5, attention: '1' }] }), 'models[0].segments[0].linear'],
    ['with a price above the highest', withModel({ price: String(2n ** 63n) }), 'models[0].price'],
    ['with a manifest that is no hash', withModel({ manifest: 'c3' }), 'models[0].manifest'],
    ['with more models than can be', { models: manyModels }, 'models'],
    ['without validators', { validators: [] }, 'validators'],
    ['with a validator twice', { validators: [first, first] }, 'validators[1].address'],
    [
      'with a consensus key twice',
      withValidator({ consensusKey: file.validators[1].consensusKey }),
      'validators[1].consensusKey',
    ],
    ['with a bond that is too small', withValidator({ bond: String(DLLM - 1n) }), 'validators[0].bond'],
    ['with a validator without a name', withValidator({ name: '' }), 'validators[0].name'],
    ['with a key of the wrong length', withValidator({ seedKey: '00' }), 'validators[0].seedKey'],
    ['with a key in capitals', withValidator({ seedKey: first.seedKey.toUpperCase() }), 'validators[0].seedKey'],
    [
      'with the proof of another consensus key',
      withValidator({ consensusProof: bytesToHex(foreign.consensusProof) }),
      'validators[0].consensusProof',
    ],
    [
      'with the proof of another seed key',
      withValidator({ seedProof: bytesToHex(foreign.seedProof) }),
      'validators[0].seedProof',
    ],
  ])('%s', (_case, change, field) => {
    expect(() => parseGenesis(JSON.stringify({ ...file, ...change }))).toThrow(
      expect.objectContaining({ code: 'GENESIS_BAD_FIELD', details: { field } }),
    )
  })

  test.each([
    ['that is no JSON', '{', 'GENESIS_NOT_JSON'],
    ['that is no object', '[]', 'GENESIS_BAD_FIELD'],
    ['that is too large', ' '.repeat(4 * 1024 * 1024 + 1), 'GENESIS_TOO_LARGE'],
  ])('%s', (_case, text, code) => {
    expect(() => parseGenesis(text)).toThrow(expect.objectContaining({ code }))
  })
})
