/**
 * What the failure of a paid ring says of its lease and of its miners: whether the lease is of use any more, and whom the next one had better do
 * without. Spec: docs/spec/market.md §9.1.
 * @module
 */
import { milliseconds } from '../../base/brand.ts'
import { codeOf, HouseError } from '../../base/error.ts'
import type { Clock } from '../../base/ports.ts'
import { withDeadline } from '../../net/deadline.ts'
import type { Wire } from '../../net/wire.ts'
import { peerOfPublicKey } from '../node-identity.ts'
import type { LeasedLot, OpenLease } from './lease-source.ts'

export interface RingFault {
  /**
   * `over`: the lease is of no more use, whoever serves; `unknown`: it was settled, or a miner is behind; `miner`: it is of no use with these miners;
   * `ring`: it may have been chance.
   */
  readonly kind: 'over' | 'unknown' | 'miner' | 'ring'
  /** Whose fault it is, as far as anybody can tell. */
  readonly culprits: readonly LeasedLot[]
}

/** The lease itself. */
const OVER: ReadonlySet<string> = new Set([
  'LEASE_EXPIRED',
  'LEASE_SPENT',
  'LEASE_NOT_YOURS',
  'LEASE_OTHER_ROUTE',
  'LEASE_TAKEN_OVER',
])
/** What one miner has lost, has no room for, or does not serve. */
const OF_MINER: ReadonlySet<string> = new Set([
  'LEASE_BEHIND',
  'LEASE_NO_ROOM',
  'VOUCHER_RECEDES',
  'VOUCHER_MISCOUNTED',
  'RING_MODEL_NOT_SERVED',
  'RING_BUSY',
])
/** What a stage says that it was sent. The client keeps to the rules, so another stage does not, or the one that says so. */
export const SENT_BY_STAGES: ReadonlySet<string> = new Set(['RING_BAD_MESSAGE', 'ENGINE_NOT_FINITE'])
/** A ring that came apart. */
const OF_RING: ReadonlySet<string> = new Set([
  'RING_STAGE_LOST',
  'RING_LINK_LOST',
  'RING_STEP_DEADLINE',
  'RING_SESSION_IDLE',
  'RING_CLOSED',
  'LEASE_UNPAID',
])
/** Who is there answers within this time. */
const PING_MS = 2_000

/** undefined: a failure that no other lease or miner mends. */
export async function faultOf(
  failure: unknown,
  lease: OpenLease,
  ports: { readonly wire: Wire; readonly clock: Clock },
): Promise<RingFault | undefined> {
  if (!(failure instanceof HouseError)) return undefined
  const code = failure.code === 'RING_STAGE_FAILED' ? String(failure.details['stageCode']) : failure.code
  const named = lotNamed(failure, lease)
  if (OVER.has(code)) return { kind: 'over', culprits: [] }
  if (code === 'LEASE_UNKNOWN') return { kind: 'unknown', culprits: named }
  if (OF_MINER.has(code)) return { kind: 'miner', culprits: named }
  if (failure.code === 'RING_STAGE_FAILED' && SENT_BY_STAGES.has(code)) {
    return { kind: 'miner', culprits: withNeighbour(named, lease) }
  }
  if (!OF_RING.has(code) && !code.startsWith('WIRE_')) return undefined
  const isNamed = named.length > 0 && failure.code !== 'RING_STAGE_FAILED'
  return { kind: 'ring', culprits: isNamed ? named : await silentOf(lease.lots, ports) }
}

/** The lot whose stage or peer the failure names. */
function lotNamed({ details }: HouseError, { lots }: OpenLease): readonly LeasedLot[] {
  const { stage, peer } = details
  const byPeer = lots.filter(({ peerKey }) => peer === peerOfPublicKey(peerKey))
  if (byPeer.length > 0) return byPeer
  const lot = typeof stage === 'number' ? lots[stage - 1] : undefined
  return lot === undefined ? [] : [lot]
}

/** Who tells, and who sends to it: nobody else can know which of them it is. */
function withNeighbour([teller]: readonly LeasedLot[], { lots }: OpenLease): readonly LeasedLot[] {
  if (teller === undefined) return []
  const before = lots.at(lots.indexOf(teller) - 1)!
  return before === teller ? [teller] : [before, teller]
}

/** Those whose peers do not answer a ping. */
export async function silentOf<Miner extends { readonly peerKey: Uint8Array }>(
  miners: readonly Miner[],
  { wire, clock }: { readonly wire: Wire; readonly clock: Clock },
): Promise<Miner[]> {
  const answers = await Promise.all(
    miners.map(({ peerKey }) =>
      withDeadline({ clock, limitMs: milliseconds(PING_MS) }, (signal) =>
        wire.ping(peerOfPublicKey(peerKey), signal),
      ).then(
        () => true,
        () => false,
      ),
    ),
  )
  return miners.filter((_, index) => !answers[index])
}

/** Whether a stage refused a session because it brought no lease; then its number, from 1. */
export function requiresLease(failure: unknown): number | undefined {
  if (codeOf(failure) !== 'RING_STAGE_FAILED' || !(failure instanceof HouseError)) return undefined
  const { stage, stageCode } = failure.details
  return stageCode === 'LEASE_REQUIRED' && typeof stage === 'number' ? stage : undefined
}
