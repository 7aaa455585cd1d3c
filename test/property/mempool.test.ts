/** The mempool under random arrivals, blocks and prices. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MEMPOOL_LIMITS } from '../../src/base/chain-limits.ts'
import { createMempool, type PoolHead } from '../../src/core/mempool.ts'
import { verdictOf } from '../../src/core/mempool-error.ts'
import { getAccount, putAccount } from '../../src/core/state/accounts.ts'
import { overlayOn } from '../../src/core/state/state.ts'
import { encodeTransaction } from '../../src/core/transaction/transaction.ts'
import { person, signCall, testGenesis, testNetwork } from '../chain-accounts.ts'

const network = testNetwork(testGenesis())
const people = [1, 2, 3, 4].map(person)

test('whatever comes, the bounds hold, sums agree and sequences have no holes made by the pool', () => {
  const step = fc.record({
    who: fc.nat(3),
    nonce: fc.nat(9),
    tip: fc.nat(60),
    memo: fc.nat(128),
    applies: fc.boolean(),
    baseFee: fc.integer({ min: 5, max: 40 }),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const state = overlayOn(network.state)
      const headAt = (change: Partial<PoolHead['context']> = {}): PoolHead => ({
        state,
        context: { ...network.context, ...change },
      })
      const limits = { ...MEMPOOL_LIMITS, transactionsMax: 8, bytesMax: 2_000, perAccountMax: 6, expiryBlocks: 20 }
      const mempool = createMempool(headAt(), limits)
      for (const [index, { who, nonce, tip, memo, applies, baseFee }] of steps.entries()) {
        const sender = people[who]!
        const body = { to: people[1]!.id, amount: 1n, memo: new Uint8Array(memo) }
        const call = { nonce: BigInt(nonce), tip: BigInt(tip), body, maxFee: 60n, type: 1 }
        try {
          mempool.add(signCall(network.networkId, sender, call))
        } catch (error) {
          verdictOf(error)
        }
        if (applies) {
          putAccount(state, sender.id, { ...getAccount(state, sender.id), nonce: mempool.nextNonce(sender.id) })
          mempool.advance(headAt({ baseFee: BigInt(baseFee), height: network.context.height + index }), [sender.id])
        }
        const all = [...mempool.all()].map(({ transaction }) => transaction)
        expect(all.length).toBe(mempool.size)
        expect(mempool.size).toBeLessThanOrEqual(limits.transactionsMax)
        expect(mempool.byteLength).toBe(all.reduce((sum, { byteLength }) => sum + byteLength, 0))
        expect(mempool.byteLength).toBeLessThanOrEqual(limits.bytesMax)
        const next = new Map(people.map(({ id }) => [id, getAccount(state, id).nonce]))
        const candidates = mempool.candidates()
        for (let at = candidates.next(true); !at.done; at = candidates.next(true)) {
          const { sender: from, nonce: given, maxFee } = at.value.transaction
          expect(given).toBe(next.get(from))
          expect(maxFee).toBeGreaterThanOrEqual(5n)
          next.set(from, given + 1n)
        }
        for (const transaction of all) expect(mempool.get(transaction.id)?.transaction).toBe(transaction)
        for (const transaction of all) expect(encodeTransaction(transaction)).toHaveLength(transaction.byteLength)
      }
    }),
    { numRuns: 30 },
  )
})
