/** The tables of leases: what the sweep over a state sees when they do not agree, and what their ids are made of. */
import { createHash } from 'node:crypto'
import { beforeEach, describe, expect, test } from 'vitest'
import { accountId, type Hash, hash } from '../../../../src/base/brand.ts'
import { conservationFault } from '../../../../src/core/state/conservation.ts'
import { stateFaults } from '../../../../src/core/state/invariants.ts'
import { addLeaseDue, leaseDues, removeLeaseDue } from '../../../../src/core/state/lease-dues.ts'
import {
  getLease,
  type LeaseRecord,
  type LotRecord,
  leaseIdOf,
  openLeases,
  putLease,
} from '../../../../src/core/state/leases.ts'
import { getMiner, putMiner } from '../../../../src/core/state/miners.ts'
import { burn } from '../../../../src/core/state/money.ts'
import { getPlacement, putPlacement } from '../../../../src/core/state/placements.ts'
import {
  createStateStore,
  overlayOn,
  type StateKey,
  stateKey,
  type WriteState,
} from '../../../../src/core/state/state.ts'
import { TABLE } from '../../../../src/core/state/tables.ts'
import { person } from '../../../chain-accounts.ts'
import { type LeaseWorld, leaseWorld, MINERS, MODEL, open, PAYERS, serve } from '../../../lease-world.ts'

const [first, second] = MINERS.map(({ id }) => id) as [Id, Id]
type Id = ReturnType<typeof person>['id']
let world: LeaseWorld
let id: Hash

beforeEach(() => {
  world = leaseWorld()
  serve(world, [
    { miner: first, placement: { end: 3 } },
    { miner: second, placement: { first: 3 } },
  ])
  id = open(world, PAYERS[0]!, { cuts: [3] })
})

/** Faults after a change that nothing of the program would make. */
function faultsAfter(write: (state: WriteState) => void): string[] {
  const overlay = overlayOn(world.state)
  write(overlay)
  const whole = createStateStore([...world.state.entries('' as StateKey)])
  whole.merge(overlay.changes())
  return stateFaults(whole)
}

const edit = (state: WriteState, change: (lease: LeaseRecord) => Partial<LeaseRecord>) => {
  const lease = getLease(state, id)!
  putLease(state, id, { ...lease, ...change(lease) })
}
const editLot = (state: WriteState, index: number, change: Partial<LotRecord>) => {
  edit(state, ({ lots }) => ({ lots: lots.map((lot, at) => (at === index ? { ...lot, ...change } : lot)) }))
}

describe('a lease id', () => {
  test('is the tagged hash of network, payer and nonce', () => {
    const prefix = createHash('sha256').update('dllm/lease').digest()
    const parts = `${world.networkId}${first}0700000000000000`
    const expected = createHash('sha256').update(prefix).update(prefix).update(parts, 'hex').digest('hex')
    expect(leaseIdOf(world.networkId, first, 7n)).toBe(expected)
  })
})

describe('the open leases of a payer', () => {
  test('follow the status', () => {
    const overlay = overlayOn(world.state)
    expect([...openLeases(overlay, PAYERS[0]!.id)]).toEqual([id])
    expect([...openLeases(overlay, PAYERS[1]!.id)]).toEqual([])
    edit(overlay, () => ({ status: 'closing' }))
    expect([...openLeases(overlay)]).toEqual([])
    edit(overlay, () => ({ status: 'open' }))
    putLease(overlay, id, undefined)
    expect([...openLeases(overlay)]).toEqual([])
  })
})

test('dues come in the order of their heights', () => {
  const overlay = overlayOn(createStateStore([]))
  const heights = [300, 7, 2 ** 40, 255, 256]
  for (const height of heights) addLeaseDue(overlay, { height, lease: id })
  removeLeaseDue(overlay, { height: 255, lease: id })
  expect([...leaseDues(overlay)]).toEqual([7, 256, 300, 2 ** 40].map((height) => ({ height, lease: id })))
})

test('a sound lease has no faults, and its escrow is counted', () => {
  expect(faultsAfter(() => undefined)).toEqual([])
  const overlay = overlayOn(world.state)
  edit(overlay, ({ escrow }) => ({ escrow: escrow + 1n }))
  expect(conservationFault(world.state, overlay.changes())).toMatch(/made or lost 1 grains/)
})

test.each<[string, (state: WriteState) => void, RegExp]>([
  ['holds less than its cap', (state) => burn(state, { type: 'escrow', lease: id }, 1n), /has a cap of/],
  [
    'keeps too dear a voucher',
    (state) => edit(state, ({ counters }) => ({ counters: { ...counters, promptRows: 2n ** 60n } })),
    /above its cap/,
  ],
  ['ends before it begins', (state) => edit(state, () => ({ openedHeight: 25 })), /ended before it began/],
  [
    'is due at another height than its expiry',
    (state) => edit(state, () => ({ dueHeight: 24 })),
    /not due at its expiry/,
  ],
  [
    'counts audits while it is open',
    (state) => edit(state, () => ({ openAudits: 1 })),
    /is open and has 1 open audits/,
  ],
  ['has no lots', (state) => edit(state, () => ({ lots: [] })), /has 0 lots/],
  ['has an empty lot', (state) => editLot(state, 1, { end: 3 }), /has an empty lot, 1/],
  ['has a miner twice', (state) => editLot(state, 1, { operator: first }), /has a miner twice/],
  ['has receipts before a claim', (state) => editLot(state, 0, { rows: 1 }), /has receipts of nobody, lot 0/],
  ['has a fault before audits', (state) => editLot(state, 0, { state: 'faulted' }), /has a fault too early, lot 0/],
  ['is not due', (state) => removeLeaseDue(state, { height: 25, lease: id }), /is due at undefined/],
  ['is due twice', (state) => addLeaseDue(state, { height: 26, lease: id }), /is due twice/],
  ['is due and gone', (state) => addLeaseDue(state, { height: 26, lease: MODEL }), /is due and was settled/],
  [
    'is missing among the open ones',
    (state) => state.set(stateKey(TABLE.openLease, PAYERS[0]!.id, id), undefined),
    /the open leases of .* are others/,
  ],
  [
    'is open and gone',
    (state) => state.set(stateKey(TABLE.openLease, PAYERS[0]!.id, hash('00'.repeat(32))), Uint8Array.of(0)),
    /are others/,
  ],
  [
    'is open and of nobody',
    (state) => state.set(stateKey(TABLE.openLease, accountId('00'.repeat(20)), id), Uint8Array.of(0)),
    /an open lease of nobody/,
  ],
  ['locks other grains than it says', (state) => editLot(state, 0, { task: 1n }), /grains locked/],
  [
    'is not counted by its miner',
    (state) => putMiner(state, first, { ...getMiner(state, first)!, openLots: 2 }),
    /counts 2 lots and has 1/,
  ],
  ['has a lot of no miner', (state) => editLot(state, 0, { operator: person(99).id }), /has lots and is no miner/],
  [
    'is not counted by its placement',
    (state) => {
      const at = { model: MODEL, operator: first }
      putPlacement(state, at, { ...getPlacement(state, at)!, used: 2 })
    },
    /counts 2 open lots and has 1/,
  ],
  [
    'has lost its placement',
    (state) => putPlacement(state, { model: MODEL, operator: first }, undefined),
    /open lots and no placement/,
  ],
])('a lease that %s is seen', (_case, write, fault) => {
  expect(faultsAfter(write).join('\n')).toMatch(fault)
})
