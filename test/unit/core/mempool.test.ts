/** The mempool: what it takes, in which order it gives, whom it lets go, and that it stays within its bounds. */
import { beforeEach, describe, expect, test } from 'vitest'
import { hash } from '../../../src/base/brand.ts'
import { MEMPOOL_LIMITS } from '../../../src/base/chain-limits.ts'
import { createMempool, type Mempool, type MempoolLimits, type PoolHead } from '../../../src/core/mempool.ts'
import { verdictOf } from '../../../src/core/mempool-error.ts'
import { getAccount, putAccount } from '../../../src/core/state/accounts.ts'
import { overlayOn, type WriteState } from '../../../src/core/state/state.ts'
import { type CallDraft, DLLM, type Person, person, signCall, testGenesis, testNetwork } from '../../chain-accounts.ts'

const network = testNetwork(testGenesis())
const [ann, ben, cleo, dan] = [1, 2, 3, 4].map(person) as [Person, Person, Person, Person]
const BASE_FEE = network.context.baseFee

let state: WriteState

beforeEach(() => {
  state = overlayOn(network.state)
})

const headAt = (change: Partial<PoolHead['context']> = {}): PoolHead => ({
  state,
  context: { ...network.context, ...change },
})
const pool = (limits: Partial<MempoolLimits> = {}): Mempool => createMempool(headAt(), { ...MEMPOOL_LIMITS, ...limits })
const pay = (sender: Person, rest: Partial<CallDraft> = {}): Uint8Array =>
  signCall(network.networkId, sender, {
    ...{ type: 1, body: { to: ben.id, amount: DLLM, memo: new Uint8Array(0) }, maxFee: 1_000n, tip: 10n },
    ...rest,
  })
const setNonce = (who: Person, nonce: bigint): void =>
  putAccount(state, who.id, { ...getAccount(state, who.id), nonce })
const refusal = (act: () => unknown): unknown => {
  try {
    act()
    return undefined
  } catch (error) {
    return error
  }
}
/** Names of senders and nonces in the order in which the pool gives them, if all of them are taken. */
const order = (mempool: Mempool): string[] => {
  const names = new Map([ann, ben, cleo, dan].map(({ id }, index) => [id, 'abcd'.charAt(index)]))
  const given: string[] = []
  const candidates = mempool.candidates()
  for (let next = candidates.next(true); !next.done; next = candidates.next(true)) {
    given.push(`${names.get(next.value.transaction.sender)}${next.value.transaction.nonce}`)
  }
  return given
}

describe('a transaction is refused', () => {
  test.each<[string, string, 'ignore' | 'reject', () => Uint8Array]>([
    ['that cannot be read', 'CODEC_TRUNCATED', 'reject', () => pay(ann).slice(0, 50)],
    ['that waits already', 'MEMPOOL_KNOWN', 'ignore', () => pay(ann)],
    ['of another network', 'WRONG_NETWORK', 'reject', () => signCall(hash('ab'.repeat(32)), ann, callOf())],
    ['whose nonce was used', 'NONCE_TOO_LOW', 'ignore', () => pay(cleo)],
    ['too far ahead', 'MEMPOOL_NONCE_TOO_FAR', 'ignore', () => pay(ann, { nonce: 64n })],
    ['that offers less than the base fee', 'FEE_BELOW_BASE', 'ignore', () => pay(dan, { maxFee: BASE_FEE - 1n })],
    [
      'that replaces another for too little fee',
      'MEMPOOL_REPLACEMENT_TOO_CHEAP',
      'ignore',
      () => pay(ann, { maxFee: 1_099n, tip: 11n }),
    ],
    [
      'that replaces another for too little tip',
      'MEMPOOL_REPLACEMENT_TOO_CHEAP',
      'ignore',
      () => pay(ann, { maxFee: 1_100n, tip: 10n }),
    ],
    ['whose sender cannot pay the fee', 'MEMPOOL_UNPAYABLE', 'ignore', () => pay(person(9))],
    [
      'whose sender cannot pay all its fees',
      'MEMPOOL_UNPAYABLE',
      'ignore',
      () => pay(ann, { nonce: 1n, maxFee: 99_999_999_999n }),
    ],
    [
      'with a bad signature',
      'BAD_SIGNATURE',
      'reject',
      () => pay(dan).map((byte, at, all) => (at === all.length - 1 ? byte ^ 1 : byte)),
    ],
    [
      'that its contract refuses',
      'INSUFFICIENT_FUNDS',
      'ignore',
      () => pay(dan, { body: { to: ben.id, amount: 2_000n * DLLM, memo: new Uint8Array(0) } }),
    ],
    [
      'that can be valid in no state',
      'ZERO_AMOUNT',
      'reject',
      () => pay(dan, { body: { to: ben.id, amount: 0n, memo: new Uint8Array(0) } }),
    ],
  ])('%s: %s, %s', (_case, code, verdict, make) => {
    const mempool = pool()
    mempool.add(pay(ann))
    setNonce(cleo, 1n)
    const error = refusal(() => mempool.add(make()))
    expect(error).toMatchObject({ code })
    expect(verdictOf(error)).toBe(verdict)
    expect(mempool.size).toBe(1)
  })

  test('a bug is no verdict', () => {
    expect(() => verdictOf(new TypeError('bug'))).toThrow('bug')
  })

  const callOf = (): CallDraft => ({ type: 1, body: { to: ben.id, amount: 1n, memo: new Uint8Array(0) } })
})

describe('candidates', () => {
  test('come best tip first, then who came first, each sender by nonce', () => {
    const mempool = pool()
    mempool.add(pay(ann, { tip: 5n }))
    mempool.add(pay(ben, { tip: 9n, nonce: 1n }))
    mempool.add(pay(ben, { tip: 5n }))
    mempool.add(pay(cleo, { tip: 7n }))
    mempool.add(pay(ann, { tip: 100n, nonce: 1n }))
    expect(order(mempool)).toEqual(['c0', 'a0', 'a1', 'b0', 'b1'])
  })

  test('are ranked by what they really pay above the base fee', () => {
    const mempool = pool()
    mempool.add(pay(ann, { tip: 500n, maxFee: BASE_FEE + 3n }))
    mempool.add(pay(ben, { tip: 4n }))
    expect(order(mempool)).toEqual(['b0', 'a0'])
  })

  test('skip what waits for a nonce before it, until that comes', () => {
    const mempool = pool()
    mempool.add(pay(ann, { nonce: 1n }))
    expect(order(mempool)).toEqual([])
    expect(mempool.nextNonce(ann.id)).toBe(0n)
    mempool.add(pay(ann))
    expect(order(mempool)).toEqual(['a0', 'a1'])
    expect(mempool.nextNonce(ann.id)).toBe(2n)
  })

  test('give nothing more of a sender whose transaction was not taken', () => {
    const mempool = pool()
    for (const nonce of [0n, 1n]) mempool.add(pay(ann, { nonce, tip: 20n }))
    mempool.add(pay(ben))
    const candidates = mempool.candidates()
    expect(candidates.next(true).value?.transaction.sender).toBe(ann.id)
    expect(candidates.next(false).value?.transaction.sender).toBe(ben.id)
    expect(candidates.next(true).done).toBe(true)
  })

  test('leave out those that offer less than the base fee has become, and have them again when it falls', () => {
    const mempool = pool()
    mempool.add(pay(ann, { maxFee: 20n }))
    mempool.add(pay(ben, { tip: 1n }))
    mempool.advance(headAt({ baseFee: 21n }), [ann.id])
    expect(order(mempool)).toEqual(['b0'])
    mempool.advance(headAt({ baseFee: 15n }), [])
    expect(order(mempool)).toEqual(['a0', 'b0'])
  })
})

describe('replacing', () => {
  test('takes the place of the one before for a tenth more of fee and tip', () => {
    const mempool = pool()
    mempool.add(pay(ann))
    const second = mempool.add(pay(ann, { maxFee: 1_100n, tip: 11n }))
    expect(mempool.transactionsOf(ann.id).map(({ transaction }) => transaction.id)).toEqual([second.transaction.id])
    expect(mempool.byteLength).toBe(second.transaction.byteLength)
  })

  test('needs no more room in a full pool', () => {
    const mempool = pool({ transactionsMax: 1 })
    mempool.add(pay(ann))
    mempool.add(pay(ann, { maxFee: 1_100n, tip: 11n }))
    expect(mempool.size).toBe(1)
  })
})

describe('a full pool', () => {
  test('says which tip would get in, and lets the cheapest go for it', () => {
    const mempool = pool({ transactionsMax: 2 })
    mempool.add(pay(ann, { tip: 5n }))
    mempool.add(pay(ben, { tip: 8n }))
    const error = refusal(() => mempool.add(pay(cleo, { tip: 5n })))
    expect(error).toMatchObject({ code: 'MEMPOOL_FULL', details: { tip: '6', maxFee: String(BASE_FEE + 6n) } })
    mempool.add(pay(cleo, { tip: 6n }))
    expect(order(mempool)).toEqual(['b0', 'c0'])
  })

  test('takes from a sender the last of its sequence, so that nothing waits behind a gap', () => {
    const mempool = pool({ transactionsMax: 3 })
    mempool.add(pay(ann, { tip: 1n }))
    mempool.add(pay(ann, { tip: 50n, nonce: 1n }))
    mempool.add(pay(ben, { tip: 8n }))
    mempool.add(pay(cleo, { tip: 9n }))
    expect(order(mempool)).toEqual(['c0', 'b0', 'a0'])
  })

  test('never lets a sender push out its own', () => {
    const mempool = pool({ transactionsMax: 1 })
    mempool.add(pay(ann, { tip: 1n }))
    expect(refusal(() => mempool.add(pay(ann, { tip: 9n, nonce: 1n })))).toMatchObject({ code: 'MEMPOOL_FULL' })
  })

  test('of bytes makes as much room as is needed, or none', () => {
    const { length } = pay(ann)
    const memo = { to: ben.id, amount: 1n, memo: new Uint8Array(128) }
    const mempool = pool({ bytesMax: 2 * length + 10 })
    mempool.add(pay(ann, { tip: 1n }))
    mempool.add(pay(ben, { tip: 7n }))
    expect(refusal(() => mempool.add(pay(cleo, { tip: 5n, body: memo })))).toMatchObject({ code: 'MEMPOOL_FULL' })
    expect(mempool.size).toBe(2)
    mempool.add(pay(cleo, { tip: 8n, body: memo }))
    expect(order(mempool)).toEqual(['c0'])
  })
})

const OTHER_ID = hash('cd'.repeat(32))

describe('after a block', () => {
  test('what was applied goes, and what waits behind it stays', () => {
    const mempool = pool()
    for (const nonce of [0n, 1n, 2n]) mempool.add(pay(ann, { nonce }))
    setNonce(ann, 2n)
    expect(mempool.advance(headAt(), [ann.id])).toBe(2)
    expect(order(mempool)).toEqual(['a2'])
  })

  test('what the block holds goes by its ids, and what else its senders had in their places', () => {
    const mempool = pool()
    const [first] = [0n, 1n, 2n].map((nonce) => mempool.add(pay(ann, { nonce })).transaction.id)
    setNonce(ann, 2n)
    // With the second nonce the block holds another transaction.
    expect(mempool.advance(headAt(), [ann.id], [first!, OTHER_ID])).toBe(2)
    expect(order(mempool)).toEqual(['a2'])
  })

  test('what its sender cannot pay any more goes', () => {
    const mempool = pool()
    for (const nonce of [0n, 1n])
      mempool.add(pay(ann, { nonce, body: { to: ben.id, amount: 1n, memo: new Uint8Array(0) } }))
    putAccount(state, ann.id, { ...getAccount(state, ann.id), balance: 15_000n })
    expect(mempool.advance(headAt(), [ann.id])).toBe(1)
    expect(order(mempool)).toEqual(['a0'])
  })

  test('what its contract refuses now goes', () => {
    const mempool = pool()
    mempool.add(pay(ann))
    putAccount(state, ann.id, { ...getAccount(state, ann.id), balance: DLLM })
    expect(mempool.advance(headAt(), [ann.id])).toBe(1)
  })

  test('what nobody took for long enough goes', () => {
    const mempool = pool({ expiryBlocks: 3 })
    mempool.add(pay(ann))
    mempool.advance(headAt({ height: network.context.height + 2 }), [])
    mempool.add(pay(ben))
    expect(mempool.advance(headAt({ height: network.context.height + 3 }), [])).toBe(0)
    expect(mempool.advance(headAt({ height: network.context.height + 4 }), [])).toBe(1)
    expect(order(mempool)).toEqual(['b0'])
  })
})
