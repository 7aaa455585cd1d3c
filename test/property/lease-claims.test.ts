/** Claims of one lease, of an honest client or another: whatever their order, the state after them is the same, byte for byte. */
import { hexToBytes } from '@noble/hashes/utils.js'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { hash } from '../../src/base/brand.ts'
import { hashOf } from '../../src/core/fields.ts'
import { getLease, type LeaseRecord } from '../../src/core/state/leases.ts'
import type { StateKey } from '../../src/core/state/state.ts'
import { EMPTY_TREE, treeRoot, updateTree } from '../../src/core/state/tree.ts'
import type { Person } from '../chain-accounts.ts'
import { rowsOf, unitsOf } from '../lease-account.ts'
import { call, claimBody, type LeaseWorld, leaseWorld, MINERS, open, PAYERS, serve, voucherOf } from '../lease-world.ts'

const CAP = 200_000n
const small = fc.bigInt({ min: 0n, max: 400n })
const claims = fc.array(
  fc.record({
    ...{ lot: fc.nat(2), seq: fc.bigInt({ min: 0n, max: 3n }), transcript: fc.nat(2), root: fc.nat(2) },
    ...{ promptRows: small, promptPositions: small, decodeRows: small, decodePositions: small },
    /** Per mille of what the voucher pays for. */
    share: fc.constantFrom(0n, 300n, 1_000n),
  }),
  { minLength: 2, maxLength: 7 },
)
type Claim = typeof claims extends fc.Arbitrary<(infer Value)[]> ? Value : never

/** Two lots of one miner each, and a third. */
function opened(): { readonly world: LeaseWorld; readonly lease: LeaseRecord; readonly id: ReturnType<typeof open> } {
  const world = leaseWorld()
  serve(
    world,
    MINERS.slice(0, 3).map(({ id }) => ({ miner: id })),
  )
  const id = open(world, PAYERS[0]!, { cuts: [2, 4], cap: CAP })
  return { world, lease: getLease(world.state, id)!, id }
}

function rootOf({ state }: LeaseWorld): string {
  const entries = [...state.entries('' as StateKey)].map(([key, value]) => ({ key: hexToBytes(key), value }))
  return hashOf(treeRoot(updateTree(EMPTY_TREE, entries)))
}

/** The root of the state after these claims, and the lease. */
function after(list: readonly Claim[]): readonly [string, LeaseRecord] {
  const { world, lease, id } = opened()
  for (const { lot, share, root, transcript, ...paid } of list) {
    const voucher = voucherOf(world, id, { ...paid, transcript: hash(`0${transcript}`.repeat(32)) })
    const rows = Number((rowsOf(lease, voucher.counters) * share) / 1_000n)
    const by = MINERS.find(({ id: operator }) => operator === lease.lots[lot]!.operator) as Person
    call(world, by, { type: 15, body: claimBody(id, { lot, voucher, rows, root: hash(`0${root}`.repeat(32)) }) })
  }
  return [rootOf(world), getLease(world.state, id)!]
}

test('claims in any order give one state, and none lowers what another gave', () => {
  const { lease: sample } = opened()
  const payable = claims.filter((list) => list.every((claim) => unitsOf(sample, claim) * sample.terms.price <= CAP))
  fc.assert(
    fc.property(payable, fc.infiniteStream(fc.nat()), (list, numbers) => {
      const [root, lease] = after(list)
      const [greatest] = list.map((claim) => unitsOf(lease, claim)).toSorted((one, other) => (one > other ? -1 : 1))
      expect(unitsOf(lease, lease.counters)).toBe(greatest)
      for (const other of [list.toReversed(), shuffled(list, numbers), shuffled(list, numbers)]) {
        expect(after(other)).toEqual([root, lease])
      }
    }),
    { numRuns: 25, seed: 5, endOnFailure: true },
  )
})

function shuffled<Item>(items: readonly Item[], numbers: Iterator<number>): Item[] {
  const left = [...items]
  return items.map(() => left.splice(numbers.next().value % left.length, 1)[0]!)
}
