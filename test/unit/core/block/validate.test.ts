/** A good block with one thing changed at a time: each is refused with the code of what was changed. */
import { beforeAll, describe, expect, test } from 'vitest'
import { accountId, hash, milliseconds } from '../../../../src/base/brand.ts'
import { CHAIN_LIMITS } from '../../../../src/base/chain-limits.ts'
import { type Block, type Commit, commitHash, type Header } from '../../../../src/core/block/block.ts'
import { transactionsRoot } from '../../../../src/core/block/transactions-root.ts'
import { checkBlock } from '../../../../src/core/block/validate.ts'
import { decodeTransaction } from '../../../../src/core/transaction/transaction.ts'
import { DLLM, type Person, signCall, testGenesis } from '../../../chain-accounts.ts'
import { type ChainWorld, chainWorld, crowd, signCommit } from '../../../chain-world.ts'

const people = crowd(4)
const [ann, , cleo, dan] = people as [Person, Person, Person, Person]
const OTHER = hash('ab'.repeat(32))

let world: ChainWorld
let good: Block

const pay = (from: Person, amount: bigint, rest: object = {}): Uint8Array =>
  signCall(world.chain.networkId, from, {
    ...{ type: 1, body: { to: ann.id, amount, memo: new Uint8Array(0) } },
    ...rest,
  })

beforeAll(() => {
  world = chainWorld(testGenesis({ blockUnitsMax: 10_000n, blockUnitsTarget: 5_000n }), people)
  world.grow()
  world.chain.mempool.add(pay(cleo, DLLM))
  world.chain.mempool.add(pay(dan, DLLM, { tip: 1n }))
  good = world.propose(1)
})

const codeOf = (block: Block, isCommitted = false): string => {
  try {
    checkBlock(block, world.chain.place(), { isCommitted })
    return 'valid'
  } catch (error) {
    return (error as { code: string }).code
  }
}

const withHeader = (change: Partial<Header>, body: Partial<Block> = {}): Block => ({
  ...good,
  ...body,
  header: { ...good.header, ...change },
})
/** The same block with other transactions, which its header names. */
const withTransactions = (transactions: readonly Uint8Array[], change: Partial<Header> = {}): Block => {
  const ids = transactions.map((bytes) => decodeTransaction(bytes).id)
  return withHeader({ transactionsRoot: transactionsRoot(ids), units: 10 * ids.length, ...change }, { transactions })
}
/** The same block with another commit of its parent, which its header names. */
const withCommit = (lastCommit: Commit | undefined): Block =>
  withHeader({ lastCommitHash: commitHash(lastCommit) }, { lastCommit })

test('the good block is valid', () => {
  expect(good.transactions).toHaveLength(2)
  expect(codeOf(good)).toBe('valid')
})

describe('a header with', () => {
  test.each<[string, string, () => Partial<Header>]>([
    ['a height too low', 'BLOCK_WRONG_HEIGHT', () => ({ height: 1 })],
    ['a height too high', 'BLOCK_WRONG_HEIGHT', () => ({ height: 3 })],
    ['another parent', 'BLOCK_WRONG_PARENT', () => ({ parentHash: OTHER })],
    ['the time of its parent', 'BLOCK_TIME_NOT_LATER', () => ({ timeMs: world.chain.head().timeMs })],
    ['a time before its parent', 'BLOCK_TIME_NOT_LATER', () => ({ timeMs: milliseconds(1) })],
    ['other validators', 'BLOCK_WRONG_VALIDATORS', () => ({ validatorsHash: OTHER })],
    ['other next validators', 'BLOCK_WRONG_NEXT_VALIDATORS', () => ({ nextValidatorsHash: OTHER })],
    ['a higher base fee', 'BLOCK_WRONG_BASE_FEE', () => ({ baseFee: good.header.baseFee + 1n })],
    ['a base fee of nothing', 'BLOCK_WRONG_BASE_FEE', () => ({ baseFee: 0n })],
    ['too many units', 'BLOCK_TOO_MANY_UNITS', () => ({ units: 10_001 })],
    ['another commit of the parent', 'BLOCK_WRONG_LAST_COMMIT', () => ({ lastCommitHash: OTHER })],
    ['another proposer', 'BLOCK_WRONG_PROPOSER', () => ({ proposer: accountId('07'.repeat(20)) })],
    ['a seed signature of zeros', 'BLOCK_BAD_SEED_SIGNATURE', () => ({ seedSignature: new Uint8Array(96) })],
    [
      'the seed signature of another height',
      'BLOCK_BAD_SEED_SIGNATURE',
      () => ({ seedSignature: world.chain.header.seedSignature }),
    ],
    ['another transactions root', 'BLOCK_WRONG_TRANSACTIONS', () => ({ transactionsRoot: OTHER })],
    ['a unit less', 'BLOCK_WRONG_UNITS', () => ({ units: good.header.units - 1 })],
    ['another state root', 'BLOCK_WRONG_STATE', () => ({ stateRoot: OTHER })],
  ])('%s is refused: %s', (_case, code, change) => {
    expect(codeOf(withHeader(change()))).toBe(code)
  })

  test('a round whose proposer is another is refused', () => {
    const { proposerOf } = world.chain.place()
    const other = Array.from({ length: 99 }, (_, round) => round).find((round) => proposerOf(round) !== proposerOf(1))
    expect(codeOf(withHeader({ round: other! }))).toBe('BLOCK_WRONG_PROPOSER')
  })

  test('a wrong seed signature is not looked at once the block is committed, and leads to another state', () => {
    expect(codeOf(withHeader({ seedSignature: new Uint8Array(96) }), true)).toBe('BLOCK_WRONG_STATE')
  })
})

describe('a commit of the parent', () => {
  const signed = (change: Partial<Commit>, signers?: readonly number[]): Commit => {
    const { height, hash: parentHash, validators: set } = world.chain.head()
    const owners = new Map(people.map((one) => [one.id, one]))
    const commit = signCommit(parentHash, height, { networkId: world.chain.networkId, set, owners, signers })
    return { ...commit, ...change }
  }

  test.each<[string, string, () => Commit | undefined]>([
    ['that is not there', '', () => undefined],
    ['of another height', 'COMMIT_WRONG_HEIGHT', () => signed({ height: 2 })],
    ['for another block', 'COMMIT_WRONG_BLOCK', () => signed({ blockHash: OTHER })],
    ['of another round than was signed', 'COMMIT_BAD_SIGNATURE', () => signed({ round: 1 })],
    ['with too few entries', 'COMMIT_WRONG_MEMBERS', () => signed({ signatures: signed({}).signatures.slice(1) })],
    [
      'with too many entries',
      'COMMIT_WRONG_MEMBERS',
      () => signed({ signatures: [...signed({}).signatures, undefined] }),
    ],
    ['of half the stake', 'COMMIT_TOO_LITTLE_STAKE', () => signed({}, [0])],
    ['of nobody', 'COMMIT_TOO_LITTLE_STAKE', () => signed({}, [])],
    [
      'with signatures swapped',
      'COMMIT_BAD_SIGNATURE',
      () => signed({ signatures: signed({}).signatures.toReversed() }),
    ],
    [
      'with a signature of zeros',
      'COMMIT_BAD_SIGNATURE',
      () => signed({ signatures: [new Uint8Array(64), ...signed({}).signatures.slice(1)] }),
    ],
  ])('%s is refused (%s)', (_case, cause, make) => {
    const block = withCommit(make())
    expect(() => checkBlock(block, world.chain.place(), {})).toThrow(
      expect.objectContaining({
        code: 'BLOCK_BAD_LAST_COMMIT',
        ...(cause === '' ? {} : { details: expect.objectContaining({ cause }) }),
      }),
    )
  })

  test('at height 1 there can be none', () => {
    const first = chainWorld(testGenesis(), people)
    const block = first.propose()
    const lastCommit = signed({})
    const header = { ...block.header, lastCommitHash: commitHash(lastCommit) }
    expect(first.chain.check({ ...block, header, lastCommit })).toMatchObject({ code: 'BLOCK_BAD_LAST_COMMIT' })
  })
})

describe('a transaction', () => {
  test.each<[string, string, () => readonly Uint8Array[]]>([
    ['twice', 'NONCE_TOO_LOW', () => [pay(cleo, 1n), pay(cleo, 1n)]],
    ['before its turn', 'NONCE_TOO_HIGH', () => [pay(cleo, 1n, { nonce: 1n })]],
    ['that cannot be paid', 'INSUFFICIENT_FUNDS', () => [pay(cleo, 2_000n * DLLM)]],
    ['that offers less than the base fee', 'FEE_BELOW_BASE', () => [pay(cleo, 1n, { maxFee: 0n })]],
    [
      'with a bad signature',
      'BAD_SIGNATURE',
      () => [pay(cleo, 1n).map((byte, at, all) => (at === all.length - 1 ? byte ^ 1 : byte))],
    ],
    [
      'of another network',
      'WRONG_NETWORK',
      () => [signCall(OTHER, cleo, { type: 7, body: { proposal: 0, yes: true } })],
    ],
    [
      'that its contract refuses',
      'NO_SUCH_PROPOSAL',
      () => [signCall(world.chain.networkId, cleo, { type: 7, body: { proposal: 0, yes: true } })],
    ],
  ])('%s makes the block invalid: %s', (_case, cause, make) => {
    expect(() =>
      checkBlock(withTransactions(make(), cause === 'NO_SUCH_PROPOSAL' ? { units: 15 } : {}), world.chain.place(), {}),
    ).toThrow(expect.objectContaining({ code: 'BLOCK_BAD_TRANSACTION', details: expect.objectContaining({ cause }) }))
  })

  test('that cannot be read makes the block invalid', () => {
    expect(codeOf(withHeader({}, { transactions: [new Uint8Array(9)] }))).toBe('BLOCK_BAD_TRANSACTION')
  })

  test('left out or moved makes the block invalid', () => {
    expect(codeOf(withHeader({}, { transactions: good.transactions.slice(1) }))).toBe('BLOCK_WRONG_TRANSACTIONS')
    expect(codeOf(withHeader({}, { transactions: good.transactions.toReversed() }))).toBe('BLOCK_WRONG_TRANSACTIONS')
  })
})

test('a block over its size is refused before anything else', () => {
  const transactions = Array.from({ length: 300 }, () => new Uint8Array(CHAIN_LIMITS.transactionBytesMax))
  expect(codeOf(withHeader({ height: 9 }, { transactions }))).toBe('BLOCK_TOO_LARGE')
})

test('the seed signature of a block is checked unless a quorum has committed it', () => {
  const wrong = withHeader({ seedSignature: new Uint8Array(96) })
  expect(world.chain.check(wrong)).toMatchObject({ code: 'BLOCK_BAD_SEED_SIGNATURE' })
  // The seed of the next block follows from the signature, and so does the state: only that is left to object to.
  expect(world.chain.check(wrong, { isCommitted: true })).toMatchObject({ code: 'BLOCK_WRONG_STATE' })
})

test('a valid header with another body is not taken for the block that was checked', () => {
  expect(world.chain.check(good)).toBeUndefined()
  const swapped = { ...good, transactions: good.transactions.slice(1) }
  expect(world.chain.isWhole(swapped)).toBe(false)
  expect(world.chain.check(swapped)).toMatchObject({ code: 'BLOCK_WRONG_TRANSACTIONS' })
  const lastCommit = { ...good.lastCommit!, round: 7 }
  expect(world.chain.check({ ...good, lastCommit })).toMatchObject({ code: 'BLOCK_WRONG_LAST_COMMIT' })
})

test('a final block that comes from others is refused without its commit, and changes nothing then', () => {
  const before = world.chain.head()
  const half = world.commit(good, [0])
  expect(() => world.chain.applyFinalized(good, half)).toThrow(
    expect.objectContaining({ code: 'COMMIT_TOO_LITTLE_STAKE' }),
  )
  const wrong = withHeader({ stateRoot: OTHER })
  expect(() => world.chain.applyFinalized(wrong, world.commit(wrong))).toThrow(
    expect.objectContaining({ code: 'BLOCK_WRONG_STATE' }),
  )
  expect(world.chain.head()).toEqual(before)
  world.chain.applyFinalized(good, world.commit(good))
  expect(world.chain.head().height).toBe(2)
})
