/** Contract 15, claim-lease: what it changes when accepted, and by which code each refusal is known. */
import { beforeEach, describe, expect, test } from 'vitest'
import { hash } from '../../../../src/base/brand.ts'
import { sign } from '../../../../src/core/ed25519.ts'
import { voucherDigest } from '../../../../src/core/market/voucher.ts'
import { stateFaults } from '../../../../src/core/state/invariants.ts'
import { getLease } from '../../../../src/core/state/leases.ts'
import type { ClaimLease } from '../../../../src/core/transaction/claim-lease.ts'
import { DLLM, type Person, person } from '../../../chain-accounts.ts'
import {
  call,
  claimBody,
  endBlocks,
  expectRefused,
  type LeaseWorld,
  MINERS,
  type MODEL,
  open,
  PRICE,
  twoLotWorld,
  VOUCHER_KEYS,
  voucherOf,
} from '../../../lease-world.ts'

const [ann, ben] = [1, 2].map(person) as [Person, Person]
const [first, second, _third] = MINERS as [Person, Person, Person]
const NOBODY = hash('ee'.repeat(32))
let world: LeaseWorld

beforeEach(() => {
  world = twoLotWorld()
})

const sound = () => expect(stateFaults(world.state)).toEqual([])

function refuses(by: Person, type: number, body: unknown, code: string): void {
  expectRefused(world, by, { type, body, code })
}

describe('claim-lease', () => {
  const claim = (by: Person, body: ClaimLease) => call(world, by, { type: 15, body })

  test('keeps the voucher and the root of the lot', () => {
    const id = open(world, ann, { cuts: [3] })
    const voucher = voucherOf(world, id, { seq: 4n, promptRows: 10n, promptPositions: 45n, transcript: NOBODY })
    claim(second, claimBody(id, { voucher, lot: 1, rows: 10 }))
    const { lots, ...lease } = getLease(world.state, id)!
    expect(lease).toMatchObject({ seq: 4n, counters: voucher.counters, transcript: NOBODY })
    expect(lots.map(({ state, rows }) => [state, rows])).toEqual([
      ['unclaimed', 0],
      ['claimed', 10],
    ])
    sound()
  })

  test('without a voucher claims with that of another', () => {
    const id = open(world, ann, { cuts: [3] })
    refuses(first, 15, claimBody(id, { rows: 10 }), 'TOO_MANY_ROWS')
    claim(second, claimBody(id, { voucher: voucherOf(world, id, { promptRows: 10n }), lot: 1 }))
    claim(first, claimBody(id, { rows: 10 }))
    expect(getLease(world.state, id)!.lots[0]).toMatchObject({ state: 'claimed', rows: 10 })
  })

  test('counts the greater work: neither an old voucher nor one with a high number lowers anything', () => {
    const id = open(world, ann, { cuts: [3] })
    claim(first, claimBody(id, { voucher: voucherOf(world, id, { seq: 5n, decodeRows: 100n }), rows: 400 }))
    const before = getLease(world.state, id)
    claim(first, claimBody(id, { voucher: voucherOf(world, id, { seq: 4n, decodeRows: 90n }), rows: 300 }))
    claim(first, claimBody(id, { voucher: voucherOf(world, id, { seq: 900n, decodeRows: 1n }), rows: 4 }))
    expect(getLease(world.state, id)).toEqual(before)
  })

  test('counts an equal claim with the greater root, and one with more rows always', () => {
    const id = open(world, ann, { cuts: [3] })
    const voucher = voucherOf(world, id, { promptRows: 10n })
    const [low, high] = [hash('01'.repeat(32)), hash('02'.repeat(32))]
    const rootAfter = (rows: number, root: typeof low) => {
      claim(first, claimBody(id, { voucher, rows, root }))
      return getLease(world.state, id)!.lots[0]!.root
    }
    expect([rootAfter(4, high), rootAfter(4, low), rootAfter(5, low), rootAfter(4, high)]).toEqual([
      high,
      high,
      low,
      low,
    ])
  })

  test.each<[string, (id: typeof MODEL) => ClaimLease, string]>([
    ['of no lease', () => claimBody(NOBODY, {}), 'NO_SUCH_LEASE'],
    ['of the lot of another', (id) => claimBody(id, { lot: 1 }), 'NOT_A_LOT_OF_YOURS'],
    ['of a lot that there is not', (id) => claimBody(id, { lot: 2 }), 'NOT_A_LOT_OF_YOURS'],
    ['of rows that nobody pays', (id) => claimBody(id, { rows: 1 }), 'TOO_MANY_ROWS'],
    [
      'of more rows than the voucher pays',
      (id) => claimBody(id, { voucher: voucherOf(world, id, { promptRows: 3n, decodeRows: 2n }), rows: 12 }),
      'TOO_MANY_ROWS',
    ],
    [
      'with the voucher of another lease',
      (id) => claimBody(id, { voucher: voucherOf(world, NOBODY, {}) }),
      'VOUCHER_OF_ANOTHER_LEASE',
    ],
    [
      'with a voucher above the cap',
      (id) => claimBody(id, { voucher: voucherOf(world, id, { promptRows: DLLM }) }),
      'VOUCHER_ABOVE_CAP',
    ],
    [
      'with a changed voucher',
      (id) => claimBody(id, { voucher: { ...voucherOf(world, id, { promptRows: 1n }), seq: 2n } }),
      'BAD_VOUCHER_SIGNATURE',
    ],
  ])('%s is refused', (_case, bodyOf, code) => {
    const id = open(world, ann, { cuts: [3] })
    refuses(first, 15, bodyOf(id), code)
  })

  test('with a voucher that another key signed is refused', () => {
    const id = open(world, ann, { cuts: [3] })
    const { owner } = ben
    const voucher = voucherOf(world, id, { promptRows: 1n })
    const signature = sign(voucherDigest(world.networkId, voucher), owner.secretKey)
    const forged = { ...voucher, signature }
    const shown = { key: owner.publicKey, voucher: forged }
    refuses(first, 15, claimBody(id, { shown }), 'BAD_VOUCHER_SIGNATURE')
    refuses(
      first,
      15,
      claimBody(id, { shown: { key: VOUCHER_KEYS.publicKey, voucher: forged } }),
      'BAD_VOUCHER_SIGNATURE',
    )
  })

  test('up to the cap is accepted', () => {
    const charge = 12n * PRICE * 100n
    const id = open(world, ann, { cuts: [3], cap: charge })
    refuses(first, 15, claimBody(id, { voucher: voucherOf(world, id, { promptRows: 101n }) }), 'VOUCHER_ABOVE_CAP')
    claim(first, claimBody(id, { voucher: voucherOf(world, id, { promptRows: 100n }), rows: 100 }))
    sound()
  })

  test('ends before the block whose seed draws the audits', () => {
    const id = open(world, ann, { cuts: [3] })
    call(world, ann, { type: 14, body: { lease: id } })
    endBlocks(world, 3)
    claim(first, claimBody(id, {}))
    endBlocks(world)
    refuses(first, 15, claimBody(id, {}), 'LEASE_CLOSED')
    expect(endBlocks(world)).toHaveLength(1)
  })

  test('is possible after the expiry, while it is disputed', () => {
    const id = open(world, ann, { cuts: [3], expiryHeight: 6 })
    endBlocks(world, 2)
    expect(getLease(world.state, id)?.status).toBe('closing')
    claim(first, claimBody(id, {}))
    sound()
  })
})
