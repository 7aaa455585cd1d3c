/**
 * What must hold of leases in every state, and of what they lock of miners and placements; part of invariants.ts.
 * Spec: docs/spec/market.md §5.
 * @module
 */
import type { Hash } from '../../base/brand.ts'
import { MARKET_LIMITS } from '../../base/chain-limits.ts'
import { ZERO_HASH } from '../fields.ts'
import { chargeOf } from '../market/charge.ts'
import { stakesInAudits } from './audit-invariants.ts'
import { leaseDues } from './lease-dues.ts'
import { getLease, type LeaseRecord, type LotRecord, leases, openLeases } from './leases.ts'
import { getMiner, miners } from './miners.ts'
import { getPlacement, placementIds } from './placements.ts'
import type { ReadState } from './state.ts'

/** One line for each thing that is wrong. */
export function* leaseFaults(state: ReadState): Iterable<string> {
  for (const [id, lease] of leases(state)) {
    for (const fault of faultsOf(lease)) yield `lease ${id} ${fault}`
    for (const fault of lotFaults(lease)) yield `lease ${id} ${fault}`
  }
  yield* dueFaults(state)
  yield* openFaults(state)
  yield* lockFaults(state)
  yield* slotFaults(state)
}

function* faultsOf(lease: LeaseRecord): Iterable<string> {
  const { cap, escrow, counters, lots, openedHeight, expiryHeight, dueHeight, status, openAudits } = lease
  if (escrow !== cap) yield `has a cap of ${cap} grains and holds ${escrow}`
  if (chargeOf(lease, counters) > cap) yield 'keeps a voucher above its cap'
  if (expiryHeight <= openedHeight) yield 'ended before it began'
  if (status === 'open' && dueHeight !== expiryHeight) yield 'is open and not due at its expiry'
  if ((status === 'auditing') !== openAudits > 0) yield `is ${status} and has ${openAudits} open audits`
  if (lots.length === 0 || lots.length > MARKET_LIMITS.leaseLotsMax) yield `has ${lots.length} lots`
}

function* lotFaults({ lots, status }: LeaseRecord): Iterable<string> {
  for (const [index, lot] of lots.entries()) {
    if (lot.end <= (lots[index - 1]?.end ?? 0)) yield `has an empty lot, ${index}`
    if (lots.some(({ operator }, other) => other < index && operator === lot.operator)) yield `has a miner twice`
    if (lot.state === 'unclaimed' && (lot.rows > 0 || lot.root !== ZERO_HASH))
      yield `has receipts of nobody, lot ${index}`
    if (lot.state === 'faulted' && (lot.task > 0n || status !== 'auditing')) yield `has a fault too early, lot ${index}`
  }
}

/** A lease that is not audited is due once, and nothing else is. */
function* dueFaults(state: ReadState): Iterable<string> {
  const due = new Map<Hash, number>()
  for (const { height, lease: id } of leaseDues(state)) {
    if (due.has(id)) yield `lease ${id} is due twice`
    due.set(id, height)
    if (getLease(state, id) === undefined) yield `lease ${id} is due and was settled`
  }
  for (const [id, { status, dueHeight }] of leases(state)) {
    const expected = status === 'auditing' ? undefined : dueHeight
    if (due.get(id) !== expected) yield `lease ${id} is due at ${due.get(id)} and not at ${expected}`
  }
}

/** The open leases by payer are those of the table. */
function* openFaults(state: ReadState): Iterable<string> {
  const open = [...leases(state)].filter(([, { status }]) => status === 'open')
  for (const [payer, own] of Map.groupBy(open, ([, lease]) => lease.payer)) {
    if ([...openLeases(state, payer)].join() !== own.map(([id]) => id).join())
      yield `the open leases of ${payer} are others`
    if (own.length > MARKET_LIMITS.leasesPerAccountMax) yield `${payer} has ${own.length} open leases`
  }
  if ([...openLeases(state)].length !== open.length) yield 'there is an open lease of nobody'
}

/** What is locked of a deposit is the sum of the tasks of its lots and of its stakes in audits. */
function* lockFaults(state: ReadState): Iterable<string> {
  const lots = [...leases(state)].flatMap(([, lease]) => lease.lots)
  const byOperator = Map.groupBy(lots, ({ operator }) => operator)
  for (const operator of byOperator.keys()) {
    if (getMiner(state, operator) === undefined) yield `${operator} has lots and is no miner`
  }
  const stakes = stakesInAudits(state)
  for (const [operator, { locked, openLots }] of miners(state)) {
    const own = byOperator.get(operator) ?? []
    const stake = stakes.get(operator) ?? 0n
    stakes.delete(operator)
    if (own.length !== openLots) yield `miner ${operator} counts ${openLots} lots and has ${own.length}`
    const expected = sumOf(own) + stake
    if (expected !== locked) yield `miner ${operator} has ${locked} grains locked, and lots and audits of ${expected}`
  }
  for (const operator of stakes.keys()) yield `${operator} has a stake in an audit and is no miner`
}

/** What is used of a placement are the lots of it in open leases. */
function* slotFaults(state: ReadState): Iterable<string> {
  const used = new Map<string, number>()
  for (const [, { status, model, lots }] of leases(state)) {
    if (status !== 'open') continue
    for (const { operator } of lots) used.set(`${model} ${operator}`, (used.get(`${model} ${operator}`) ?? 0) + 1)
  }
  for (const id of placementIds(state)) {
    const name = `${id.model} ${id.operator}`
    const [found, expected] = [getPlacement(state, id)?.used, used.get(name) ?? 0]
    if (found !== expected) yield `the placement of ${id.operator} counts ${found} open lots and has ${expected}`
    used.delete(name)
  }
  for (const name of used.keys()) yield `there are open lots and no placement: ${name}`
}

function sumOf(lots: readonly LotRecord[]): bigint {
  return lots.reduce((sum, { task }) => sum + task, 0n)
}
