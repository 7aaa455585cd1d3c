/**
 * A desk that says which sessions it refused and whose work was not paid, and that takes none but those of open jobs while the miner is paused
 * or draining. Strangers can be refused as often as they like: each reason is said once in a while.
 * Spec: docs/spec/cli.md §10.
 * @module
 */
import { codeOf, messageOf } from '../../base/error.ts'
import type { Clock } from '../../base/ports.ts'
import type { LeaseDesk, LeaseHolder } from '../market/lease-desk.ts'
import { RingError } from '../ring/ring-error.ts'
import type { MiningNotes } from './duty.ts'
import { leaseText } from './job-words.ts'
import type { MiningMode } from './mode.ts'
import { createOnce } from './notes.ts'

/** Of one reason. */
const AGAIN_MS = 10_000
/** What a client does that ends its session without being a loss. */
const HARMLESS: readonly unknown[] = ['LEASE_TAKEN_OVER', 'LEASE_SPENT', 'LEASE_EXPIRED']

export function createTellingDesk(
  desk: LeaseDesk,
  { notes, clock, mode }: { readonly notes: MiningNotes; readonly clock: Clock; readonly mode: () => MiningMode },
): LeaseDesk {
  const once = createOnce(notes, clock, AGAIN_MS)
  const tellUnpaid = (lease: string, error: unknown): void => {
    const code = codeOf(error)
    const isLeases = code?.startsWith('LEASE_') || code?.startsWith('VOUCHER_')
    if (code === undefined || !isLeases || HARMLESS.includes(code)) return
    const text = `Not paid: a session of ${leaseText(lease)} was ended. ${messageOf(error)} (${code})`
    once.say(`${code} ${lease}`, { type: 'job-unpaid', text, details: { lease, code } })
  }
  return {
    ...desk,
    async open(open, holder) {
      const id = open.lease?.id
      try {
        if (id === undefined && mode() !== 'run') throw notNow()
        return await desk.open(open, id === undefined ? holder : watched(holder, (error) => tellUnpaid(id, error)))
      } catch (error) {
        const code = codeOf(error)
        if (code === undefined) throw error
        const text = `Refused a session: ${messageOf(error)} (${code})`
        once.say(code, { type: 'job-refused', text, details: { code, ...(id === undefined ? {} : { lease: id }) } })
        throw error
      }
    },
  }
}

function watched(holder: LeaseHolder, onFailure: (error: unknown) => void): LeaseHolder {
  return {
    fail(error) {
      onFailure(error)
      return holder.fail(error)
    },
    toPrevious: (message) => holder.toPrevious(message),
  }
}

function notNow(): RingError {
  return new RingError('RING_BUSY', 'This miner takes no new sessions now. Use another one.')
}
