/**
 * An auditor's side of the audit protocol: asks the miner of a lot for what went into it, a part ahead of what is being computed, and no more. A miner
 * that is slow, silent or refuses is one that has no data.
 * Spec: docs/spec/wire.md §6.
 * @module
 */
import type { Milliseconds } from '../../base/brand.ts'
import { codeOf, messageOf } from '../../base/error.ts'
import { DEADLINES } from '../../base/limits.ts'
import type { Clock } from '../../base/ports.ts'
import { type AuditId, auditIdBytes } from '../../core/state/audits.ts'
import { withDeadline } from '../../net/deadline.ts'
import {
  AUDIT_PROTOCOL,
  AUDIT_PROTOCOL_OPTIONS,
  type AuditAnswer,
  type AuditItem,
  decodeAuditAnswer,
  encodeAuditQuestion,
} from '../../net/protocols/audit.ts'
import type { Channel, PeerAddress, Wire } from '../../net/wire.ts'
import { AuditError, asBadData, badData } from './audit-error.ts'
import type { LotInputs } from './recompute.ts'

export interface FetchedInputs extends LotInputs {
  /** Time that was spent waiting for the miner so far. */
  readonly waitedMs: Milliseconds
  /** Drops the channel; also when all was read. */
  close(): void
}

export interface FetchPorts {
  readonly wire: Wire
  readonly clock: Clock
  readonly signal: AbortSignal
  /** Gets every message as it came, before it is believed. */
  readonly onMessage?: (message: Uint8Array) => Promise<void>
}

/** Parts that are on their way while one is computed. */
const PARTS_AHEAD = 2

/**
 * Asks and waits for the covering receipt; the rest comes as `items` is read. @throws AuditError AUDIT_NO_DATA, AUDIT_BAD_DATA, and so does
 * `items`; the signal's reason.
 */
export async function fetchInputs(to: PeerAddress, audit: AuditId, ports: FetchPorts): Promise<FetchedInputs> {
  const { wire, clock, signal } = ports
  const late = () => new AuditError('AUDIT_NO_DATA', 'The miner took too long to send what went into the lot.')
  let waitedMs = 0
  const timed = async <Value>(wait: (inTime: AbortSignal) => Promise<Value>): Promise<Value> => {
    const startedMs = clock.now()
    try {
      return await withDeadline({ clock, limitMs: DEADLINES.auditPartMs, late, signal }, wait)
    } catch (error) {
      signal.throwIfAborted()
      throw asNoData(error)
    } finally {
      waitedMs += clock.now() - startedMs
    }
  }
  const channel = await timed((inTime) => wire.open(to, AUDIT_PROTOCOL, AUDIT_PROTOCOL_OPTIONS, inTime))
  const receive = async (): Promise<AuditAnswer | undefined> => {
    const bytes = await timed((inTime) => channel.receive(inTime))
    if (bytes === undefined) return undefined
    await ports.onMessage?.(bytes)
    return decoded(bytes)
  }
  const ask = (): void => sendTo(channel, encodeAuditQuestion({ type: 'next' }))
  async function* items(): AsyncGenerator<AuditItem, void, void> {
    for (let ahead = 0; ahead < PARTS_AHEAD; ahead++) ask()
    for (let part = await receive(); part !== undefined; part = await receive()) {
      if (part.type !== 'part') throw refusalOf(part)
      if (part.items.length === 0) throw badData('a part is empty')
      ask()
      yield* part.items
    }
  }

  try {
    sendTo(channel, encodeAuditQuestion({ type: 'ask', audit: auditIdBytes(audit) }))
    const cover = await receive()
    if (cover?.type !== 'cover') throw refusalOf(cover)
    return {
      cover,
      items: items(),
      get waitedMs() {
        return waitedMs as Milliseconds
      },
      close: () => channel.abort('read'),
    }
  } catch (error) {
    channel.abort('no data')
    throw error
  }
}

/** What a miner that is done with us does not hear is no matter. */
function sendTo(channel: Channel, message: Uint8Array): void {
  try {
    channel.send(message)
  } catch {
    // The next `receive` tells why.
  }
}

function refusalOf(answer: AuditAnswer | undefined): AuditError {
  if (answer?.type !== 'refused') return badData('it is no answer to the question')
  // Words of a stranger do not go to the terminal.
  const code = /^[A-Z_]{1,64}$/.test(answer.code) ? answer.code : 'without a code'
  return new AuditError('AUDIT_NO_DATA', `The miner refuses to send what went into the lot (${code}).`)
}

function decoded(bytes: Uint8Array): AuditAnswer {
  try {
    return decodeAuditAnswer(bytes)
  } catch (error) {
    throw asBadData(error)
  }
}

/** A wire of ours that was stopped is no fault of the miner. */
function asNoData(error: unknown): unknown {
  const code = codeOf(error)
  if (code === undefined || !code.startsWith('WIRE_') || code === 'WIRE_STOPPED') return error
  return new AuditError('AUDIT_NO_DATA', `The miner cannot be asked: ${messageOf(error)}`)
}
