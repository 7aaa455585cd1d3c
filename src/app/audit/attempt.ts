/**
 * One attempt at the audits of a lot: looks the lot up, fetches what went into it, from its miner or else from other auditors, recomputes, and tells whose fault
 * it is when nothing comes of it.
 * Spec: docs/spec/market.md §8.
 * @module
 */
import { hexToBytes } from '@noble/hashes/utils.js'
import type { Hash, PeerId } from '../../base/brand.ts'
import { codeOf, HouseError, messageOf } from '../../base/error.ts'
import { AUDIT_LIMITS } from '../../base/limits.ts'
import type { Clock, Random } from '../../base/ports.ts'
import { accountOfAddress } from '../../core/fields.ts'
import { rangeOf } from '../../ml/manifest.ts'
import type { Wire } from '../../net/wire.ts'
import type { ChainAccess } from '../chain/chain-access.ts'
import type { AuditView, LeaseView } from '../chain/market-access.ts'
import { peerOfPublicKey } from '../node-identity.ts'
import type { ServedSegments, StagePart } from '../ring/check-open.ts'
import { type FetchedInputs, fetchInputs } from './audit-client.ts'
import type { AuditShelf } from './audit-shelf.ts'
import { type RecomputeOptions, recompute } from './recompute.ts'

export type AttemptOutcome =
  /** By the audited rows. */
  | { readonly type: 'found'; readonly findings: ReadonlyMap<number, Hash> }
  /** The miner of the lot did not send what it must; `isBad`: it sent something else. */
  | { readonly type: 'missing'; readonly why: string; readonly isBad: boolean }
  /** This machine could not. */
  | { readonly type: 'unable'; readonly why: string }

export interface AttemptOptions {
  readonly chain: Pick<ChainAccess, 'market' | 'network'>
  /** Where what comes is kept until the audit ends. */
  readonly shelf: Pick<AuditShelf, 'begin'>
  readonly served: readonly ServedSegments[]
  readonly locate: (peer: PeerId, signal: AbortSignal) => Promise<readonly string[]>
  readonly isBusy: () => boolean
}

/** The reason of a signal that ends an attempt because its time is up. */
export class OutOfTime extends HouseError<'AUDIT_OUT_OF_TIME'> {}

export function outOfTime(): OutOfTime {
  return new OutOfTime('AUDIT_OUT_OF_TIME', 'The time to commit is up.')
}

interface AttemptPorts {
  readonly wire: Wire
  readonly clock: Clock
  readonly random: Random
  readonly signal: AbortSignal
}

/**
 * `audits`: of one lot, all of which one pass over what went into it answers. @throws what is a bug; the signal's reason, unless it is
 * `outOfTime()`.
 */
export async function attemptAudits(
  audits: readonly AuditView[],
  options: AttemptOptions,
  ports: AttemptPorts,
): Promise<AttemptOutcome> {
  const { market } = options.chain
  const { signal, wire } = ports
  // What goes up to its row has what goes up to the others.
  const audit = audits.reduce((last, next) => (next.row > last.row ? next : last))
  try {
    const lease = await market.lease(audit.lease, signal)
    const engine = engineFor(lease, audit.lot, options.served)
    if (engine === undefined) return { type: 'unable', why: 'this miner does not have the segments of the lot loaded' }
    const lot: LotToAudit = { audit, engine, audited: auditedLot(lease, audits) }
    const first = await attemptFrom(peerOfPublicKey(hexToBytes(lease.lots[audit.lot]!.peerKey)), lot, options, ports)
    if (first.type !== 'missing' || signal.aborted) return first
    // What the miner does not send, it may have sent to others.
    for (const peer of await othersOf(audit, options, ports)) {
      if (peer === wire.peer) continue
      const outcome = await attemptFrom(peer, lot, options, ports)
      if (outcome.type !== 'missing') return outcome
      if (signal.aborted) break
    }
    return first
  } catch (error) {
    if (!signal.aborted) return outcomeOf(error)
    if (signal.reason instanceof OutOfTime) return TOO_SLOW
    throw signal.reason
  }
}

interface LotToAudit {
  readonly audit: AuditView
  readonly engine: StagePart
  readonly audited: RecomputeOptions['audited']
}

/** With what one peer sends; it is kept for others when it is what was claimed. */
async function attemptFrom(
  peer: PeerId,
  { audit, engine, audited }: LotToAudit,
  options: AttemptOptions,
  ports: AttemptPorts,
): Promise<AttemptOutcome> {
  const { signal, clock } = ports
  const startedMs = clock.now()
  const entry = await options.shelf.begin(audit)
  let inputs: FetchedInputs | undefined
  try {
    const addresses = await options.locate(peer, signal)
    inputs = await fetchInputs({ peer, addresses }, audit, { ...ports, onMessage: (message) => entry.add(message) })
    const findings = await recompute(inputs, { audited, engine, isBusy: options.isBusy, signal }, ports)
    await entry.keep()
    return { type: 'found', findings }
  } catch (error) {
    if (!signal.aborted) return outcomeOf(error)
    if (signal.reason instanceof OutOfTime) return lateOutcome(clock.now() - startedMs, inputs?.waitedMs)
    throw signal.reason
  } finally {
    inputs?.close()
    await entry.drop()
  }
}

/** Peers of some other auditors, in any order. */
async function othersOf(
  { auditors }: AuditView,
  { chain: { market, network } }: AttemptOptions,
  { random, signal }: AttemptPorts,
): Promise<PeerId[]> {
  const peers: PeerId[] = []
  const left = [...auditors]
  while (left.length > 0 && peers.length < AUDIT_LIMITS.othersAskedMax) {
    const index = Buffer.from(random.bytes(4)).readUInt32LE() % left.length
    const [{ operator }] = left.splice(index, 1) as [AuditView['auditors'][number]]
    const miner = await market.miner(accountOfAddress(operator, network.kind), signal).catch(unlessGone)
    if (miner !== undefined) peers.push(peerOfPublicKey(hexToBytes(miner.peerKey)))
  }
  return peers
}

function unlessGone(error: unknown): undefined {
  if (codeOf(error) !== 'NO_SUCH_MINER') throw error
}

function engineFor({ model, lots }: LeaseView, lot: number, served: readonly ServedSegments[]): StagePart | undefined {
  const { first, end } = lots[lot]!
  const found = served.find((one) => one.model === model && one.firstSegment <= first && end <= one.lastSegment)
  return found && { config: found.config, host: found.host, part: rangeOf(found, first, end) }
}

function auditedLot({ id, terms, lots }: LeaseView, audits: readonly AuditView[]): RecomputeOptions['audited'] {
  const { decodeWeight, receiptRows } = terms
  const kept = { decodeWeight: BigInt(decodeWeight), receiptRows: BigInt(receiptRows) }
  const { lot } = audits[0]!
  return { lease: id, lot, rows: audits.map(({ row }) => row), root: lots[lot]!.root, terms: kept }
}

const TOO_SLOW: AttemptOutcome = { type: 'unable', why: 'this machine was too slow' }

/** Without inputs, or when most of the time was spent waiting for them, it is the miner that was late. */
function lateOutcome(elapsedMs: number, waitedMs: number | undefined): AttemptOutcome {
  const isWaiting = waitedMs === undefined || waitedMs * 2 > elapsedMs
  return isWaiting ? { type: 'missing', why: 'the miner sent it too slowly', isBad: false } : TOO_SLOW
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
