/**
 * One attempt at an audit: looks the lot up, fetches what went into it, recomputes, and tells whose fault it is when nothing comes of it.
 * Spec: docs/spec/market.md §8.
 * @module
 */
import { hexToBytes } from '@noble/hashes/utils.js'
import type { Hash, PeerId } from '../../base/brand.ts'
import { codeOf, HouseError, messageOf } from '../../base/error.ts'
import type { Clock } from '../../base/ports.ts'
import { rangeOf } from '../../ml/manifest.ts'
import type { Wire } from '../../net/wire.ts'
import type { ChainAccess } from '../chain/chain-access.ts'
import type { AuditView, LeaseView } from '../chain/market-access.ts'
import { peerOfPublicKey } from '../node-identity.ts'
import type { ServedSegments, StagePart } from '../ring/check-open.ts'
import { type FetchedInputs, fetchInputs } from './audit-client.ts'
import { recompute } from './recompute.ts'

export type AttemptOutcome =
  | { readonly type: 'found'; readonly finding: Hash }
  /** The miner of the lot did not send what it must; `isBad`: it sent something else. */
  | { readonly type: 'missing'; readonly why: string; readonly isBad: boolean }
  /** This machine could not. */
  | { readonly type: 'unable'; readonly why: string }

export interface AttemptOptions {
  readonly chain: Pick<ChainAccess, 'market'>
  readonly served: readonly ServedSegments[]
  readonly locate: (peer: PeerId, signal: AbortSignal) => Promise<readonly string[]>
  readonly isBusy: () => boolean
}

/** The reason of a signal that ends an attempt because its time is up. */
export class OutOfTime extends HouseError<'AUDIT_OUT_OF_TIME'> {}

export function outOfTime(): OutOfTime {
  return new OutOfTime('AUDIT_OUT_OF_TIME', 'The time to commit is up.')
}

/** @throws what is a bug; the signal's reason, unless it is `outOfTime()`. */
export async function attemptAudit(
  audit: AuditView,
  options: AttemptOptions,
  ports: { readonly wire: Wire; readonly clock: Clock; readonly signal: AbortSignal },
): Promise<AttemptOutcome> {
  const { signal, clock } = ports
  const startedMs = clock.now()
  let inputs: FetchedInputs | undefined
  let isAsked = false
  try {
    const lease = await options.chain.market.lease(audit.lease, signal)
    const engine = engineFor(lease, audit.lot, options.served)
    if (engine === undefined) return { type: 'unable', why: 'this miner does not have the segments of the lot loaded' }
    const peer = peerOfPublicKey(hexToBytes(lease.lots[audit.lot]!.peerKey))
    const addresses = await options.locate(peer, signal)
    isAsked = true
    inputs = await fetchInputs({ peer, addresses }, audit, ports)
    const finding = await recompute(inputs, { audited: auditedLot(lease, audit), engine, ...options, signal }, ports)
    return { type: 'found', finding }
  } catch (error) {
    if (signal.aborted && !(signal.reason instanceof OutOfTime)) throw signal.reason
    if (signal.aborted) return lateOutcome(isAsked, clock.now() - startedMs, inputs?.waitedMs)
    return outcomeOf(error)
  } finally {
    inputs?.close()
  }
}

function engineFor({ model, lots }: LeaseView, lot: number, served: readonly ServedSegments[]): StagePart | undefined {
  const { first, end } = lots[lot]!
  const found = served.find((one) => one.model === model && one.firstSegment <= first && end <= one.lastSegment)
  return found && { config: found.config, host: found.host, part: rangeOf(found, first, end) }
}

function auditedLot({ id, terms, lots }: LeaseView, { lot, row }: AuditView) {
  const { decodeWeight, receiptRows } = terms
  const kept = { decodeWeight: BigInt(decodeWeight), receiptRows: BigInt(receiptRows) }
  return { lease: id, lot, row, root: lots[lot]!.root, terms: kept }
}

/** Without inputs, or when most of the time was spent waiting for them, it is the miner that was late. */
function lateOutcome(isAsked: boolean, elapsedMs: number, waitedMs: number | undefined): AttemptOutcome {
  if (isAsked && (waitedMs === undefined || waitedMs * 2 > elapsedMs)) {
    return { type: 'missing', why: 'the miner sent it too slowly', isBad: false }
  }
  return { type: 'unable', why: 'this machine was too slow' }
}

function outcomeOf(error: unknown): AttemptOutcome {
  if (!(error instanceof HouseError)) throw error
  const why = messageOf(error)
  const code = codeOf(error)
  if (code === 'AUDIT_NO_DATA' || code === 'AUDIT_BAD_DATA') {
    return { type: 'missing', why, isBad: code === 'AUDIT_BAD_DATA' }
  }
  return { type: 'unable', why }
}
