/**
 * Close-lease: the payer ends its lease; miners claim what they are owed until it is due. Spec: docs/spec/transactions.md §15.
 * @module
 */
import type { AccountId, Hash } from '../../base/brand.ts'
import { readHash, writeHash } from '../fields.ts'
import { closeLease as endLease } from '../market/settle.ts'
import type { LeaseRecord } from '../state/leases.ts'
import type { Contract } from './contract.ts'
import { TransactionError } from './contract.ts'
import { requireLease } from './refusals.ts'

export interface CloseLease {
  readonly lease: Hash
}

export const closeLease: Contract<CloseLease> = {
  type: 14,
  name: 'close-lease',
  read: (reader) => ({ lease: readHash(reader) }),
  write(writer, { lease }) {
    writeHash(writer, lease)
  },
  units: () => 20,
  validate({ sender, body }, state) {
    requireOpenOf(sender, requireLease(state, body.lease))
  },
  apply({ body: { lease } }, state, { height, parameters }) {
    endLease(state, lease, height + Number(parameters.disputeBlocks))
  },
  describe: ({ lease }) => ({ lease }),
  touches: () => [],
}

/** @throws TransactionError NOT_THE_PAYER, LEASE_CLOSED. */
export function requireOpenOf(sender: AccountId, { payer, status }: Pick<LeaseRecord, 'payer' | 'status'>): void {
  if (payer !== sender) {
    throw new TransactionError('NOT_THE_PAYER', 'Another account pays for this lease. Only that one can close it.')
  }
  if (status !== 'open')
    throw new TransactionError('LEASE_CLOSED', 'The lease is closed already. Nothing is to be done.')
}
