/**
 * What must hold of audits and of power in every state; part of invariants.ts. Spec: docs/spec/market.md §8.
 * @module
 */
import type { AccountId } from '../../base/brand.ts'
import { type AuditRecord, auditDues, auditKey, audits, getAudit } from './audits.ts'
import { leases } from './leases.ts'
import { powers } from './powers.ts'
import type { ReadState } from './state.ts'
import { getValidatorSet } from './validator-sets.ts'

/** One line for each thing that is wrong. */
export function* auditFaults(state: ReadState): Iterable<string> {
  for (const [id, audit] of audits(state)) {
    for (const fault of faultsOf(audit)) yield `audit ${auditKey(id)} ${fault}`
  }
  yield* dueFaults(state)
  yield* countFaults(state)
  yield* powerFaults(state)
}

/** Grains that auditors have locked, by operator. */
export function stakesInAudits(state: ReadState): Map<AccountId, bigint> {
  const locked = new Map<AccountId, bigint>()
  for (const [, { auditors, stake }] of audits(state)) {
    for (const { operator, commitment } of auditors) {
      if (commitment !== undefined) locked.set(operator, (locked.get(operator) ?? 0n) + stake)
    }
  }
  return locked
}

function* faultsOf({ auditors, commitHeight, dueHeight, round }: AuditRecord): Iterable<string> {
  if (commitHeight >= dueHeight) yield 'has no time to reveal'
  for (const [index, { operator, commitment, finding, weight }] of auditors.entries()) {
    if (index > 0 && auditors[index - 1]!.operator >= operator) yield 'has auditors out of order'
    if (finding !== undefined && commitment === undefined) yield `has a finding of ${operator} that was not promised`
    if (weight > 0n && round !== 'last') yield `counts votes of ${operator} too early`
  }
}

/** Each audit is due once. */
function* dueFaults(state: ReadState): Iterable<string> {
  let dues = 0
  for (const [height, id] of auditDues(state)) {
    dues++
    if (getAudit(state, id)?.dueHeight !== height) yield `audit ${auditKey(id)} is not due at ${height}`
  }
  if (dues !== [...audits(state)].length) yield 'there is an audit that is never due'
}

/** Leases wait for as many audits as there are. */
function* countFaults(state: ReadState): Iterable<string> {
  const open = Map.groupBy(audits(state), ([{ lease }]) => lease)
  for (const [id, { openAudits, lots }] of leases(state)) {
    const own = open.get(id) ?? []
    if (own.length !== openAudits) yield `lease ${id} counts ${openAudits} audits and has ${own.length}`
    if (own.some(([{ lot }]) => lots[lot] === undefined)) yield `lease ${id} has an audit of no lot`
    open.delete(id)
  }
  for (const id of open.keys()) yield `there are audits of the lease ${id}, which was settled`
}

function* powerFaults(state: ReadState): Iterable<string> {
  for (const [epoch, record] of powers(state)) {
    const set = getValidatorSet(state, epoch)
    const members = new Set(set?.members.map(({ id }) => id))
    for (const id of record.keys()) if (!members.has(id)) yield `${id} has power in epoch ${epoch} and does not vote`
  }
}
