/**
 * The stage server of a miner: accepts control channels from clients and links from neighbours, opens sessions
 * within the bounds of memory and number, and joins each link to its session. A peer that sends garbage loses
 * its channel and its session, never the miner.
 * Spec: docs/spec/wire.md §4.1, §4.2.
 * @module
 */
import { type Milliseconds, milliseconds, type PeerId, type SessionId } from '../../base/brand.ts'
import { codeOf, messageOf } from '../../base/error.ts'
import { DEADLINES, WIRE_LIMITS } from '../../base/limits.ts'
import type { Clock, Log } from '../../base/ports.ts'
import { withDeadline } from '../../net/deadline.ts'
import {
  decodeStageMessage,
  encodeStageMessage,
  STAGE_PROTOCOL,
  STAGE_PROTOCOL_OPTIONS,
  type StageMessage,
  type StageMessageOf,
} from '../../net/protocols/stage.ts'
import type { StageStatistics } from '../../net/protocols/statistics.ts'
import type { Channel, Wire } from '../../net/wire.ts'
import type { EngineHost } from '../engine-host.ts'
import type { LeaseDesk, LeaseHolder } from '../market/lease-desk.ts'
import { leaseError } from '../market/lease-error.ts'
import type { StageLease } from '../market/stage-lease.ts'
import { checkOpen, type ServedSegments, type StagePart } from './check-open.ts'
import { endChannel, tellFailure } from './farewell.ts'
import { createPrefixShelf, type PrefixBounds } from './prefix-shelf.ts'
import { createRecallPace } from './recall-pace.ts'
import { badMessage, RingError } from './ring-error.ts'
import { placeIn } from './ring-place.ts'
import { createServedTable, type ServedTable } from './served-table.ts'
import { createSessionCache, type SessionCache } from './session-cache.ts'
import { settled } from './settled.ts'
import { addStatistics, NO_STATISTICS } from './stage-meter.ts'
import { StageSession } from './stage-session.ts'

export interface StageServer {
  readonly sessionCount: number
  /** What it serves: the table's, which whoever has the server changes. */
  readonly table: Pick<ServedTable, 'all' | 'add' | 'setLeaving' | 'free'>
  /** No new sessions there; resolves when the last one has ended. Those that last longer than this are ended. */
  withdraw(served: ServedSegments, lastMs: Milliseconds): Promise<void>
  /** All sessions since the start, and the one opened latest. */
  statistics(): { total: StageStatistics; latest: StageStatistics }
  /** Ends all sessions. */
  close(): Promise<void>
}

type OpenMessage = StageMessageOf<'open'>

interface LinkWaiter {
  readonly peer: PeerId
  readonly resolve: (session: StageSession) => void
}

interface Reserved {
  readonly lease: StageLease | undefined
  readonly cache: SessionCache
}

/** What asks for a session. */
interface Opening {
  readonly open: OpenMessage
  readonly control: Channel
  readonly holder: LeaseHolder
}

interface OpenSession {
  readonly session: StageSession
  readonly host: EngineHost
}

/** Links of one peer that may wait for their sessions; a client opens all stages at once, so few are early. */
const WAITING_LINKS_PER_PEER_MAX = 16

export interface StageServerOptions {
  /** Default: no leases are taken. */
  readonly market?: LeaseDesk | undefined
  /** Default: nothing is remembered of sessions. */
  readonly prefixes?: PrefixBounds | undefined
}

/** `served`: to begin with. */
export async function createStageServer(
  served: readonly ServedSegments[],
  ports: { wire: Wire; clock: Clock; log: Log },
  { market, prefixes }: StageServerOptions = {},
): Promise<StageServer> {
  const { wire, clock, log } = ports
  const shelf = prefixes && createPrefixShelf(prefixes, { clock })
  const pace = prefixes && createRecallPace(prefixes, { clock })
  const table = createServedTable(served)
  const sessions = new Map<SessionId, OpenSession>()
  /** Sessions that wait for their cache. */
  const reserved = new Set<SessionId>()
  let ended = NO_STATISTICS
  let latest: StageSession | undefined
  let closing = false
  /** Links that came before the client's `open` reached us. */
  const waiters = new Map<SessionId, LinkWaiter>()

  const opening = {
    clock,
    limitMs: DEADLINES.openSessionMs,
    late: () => new RingError('RING_STEP_DEADLINE', 'The other side took too long to open the session.'),
  }

  const firstMessage = async (channel: Channel): Promise<StageMessage> => {
    const bytes = await withDeadline(opening, (signal) => channel.receive(signal))
    if (bytes === undefined) throw badMessage('The channel ended before its first message.')
    return decodeStageMessage(bytes)
  }

  const findSession = async (id: SessionId, peer: PeerId): Promise<StageSession> => {
    const known = sessions.get(id)
    if (known) return known.session
    const ofPeer = [...waiters.values()].filter((waiter) => waiter.peer === peer).length
    if (ofPeer >= WAITING_LINKS_PER_PEER_MAX || waiters.size >= WIRE_LIMITS.connectionsMax || waiters.has(id)) {
      throw new RingError('RING_BUSY', 'Too many links wait for their sessions.')
    }
    return new Promise((resolve, reject) => {
      const cancel = clock.schedule(milliseconds(DEADLINES.openSessionMs), () => {
        waiters.delete(id)
        reject(badMessage('A link came for a session that no client opened.'))
      })
      const take = (session: StageSession) => {
        cancel()
        waiters.delete(id)
        resolve(session)
      }
      waiters.set(id, { peer, resolve: take })
    })
  }

  const acceptLink = async (channel: Channel, id: SessionId): Promise<void> => {
    const session = await findSession(id, channel.peer)
    await session.attachPrevious(channel)
  }

  /** The lease before the cache: a stranger's session costs no memory. */
  const reserve = async (asked: Opening, { host, part, config, draftModel }: StagePart): Promise<Reserved> => {
    const { open, control, holder } = asked
    const { capacity } = open
    const { hiddenSize } = config
    const lease = market ? await market.open(open, holder) : refuseLease(open)
    const client = lease === undefined ? `peer ${control.peer}` : `payer ${lease.payer}`
    const place = shelf?.placeFor({ client, host, part })
    if (draftModel) shelf?.meet(draftModel.host)
    try {
      const cache = await host.openCache(capacity, part)
      const parts = { host, cache, capacity, part, hiddenSize, place: placeIn(open), shelf: place }
      return { lease, cache: createSessionCache({ ...parts, pace: lease ? undefined : pace }) }
    } catch (error) {
      await lease?.close()
      throw error
    }
  }

  const openSession = async (control: Channel, open: OpenMessage): Promise<StageSession> => {
    const { session: id } = open
    const place = checkOpen(open, table.all, wire.peer)
    if (closing) throw shuttingDown()
    if (sessions.has(id) || reserved.has(id)) {
      throw new RingError('RING_SESSION_EXISTS', 'This session is open already.')
    }
    const { host, config, draftModel } = place
    if (table.free(host) < 1) {
      throw new RingError('RING_BUSY', 'This miner serves as many sessions as it can; try again or use another one.')
    }
    reserved.add(id)
    const leave = table.enter(host)
    const holder = createHolder()
    const making = reserve({ open, control, holder }, place).finally(() => reserved.delete(id))
    making.catch(leave)
    const { lease, cache } = await making
    if (closing) {
      await settled(cache.end(), lease?.close())
      leave()
      throw shuttingDown()
    }
    const { hiddenSize, vocabularySize, endTokens } = config
    const onClosed = () => {
      ended = addStatistics(ended, session.statistics())
      sessions.delete(id)
      leave()
    }
    const session = new StageSession(
      { open, control, cache, hiddenSize, vocabularySize, endTokens, lease, draftModel, onClosed },
      ports,
    )
    sessions.set(id, { session, host })
    holder.hold(session)
    latest = session
    waiters.get(id)?.resolve(session)
    return session
  }

  /** Opens our link and waits for the previous stage's, then says ready. */
  const join = async (session: StageSession, id: SessionId): Promise<void> => {
    const { next } = session.place
    if (next !== undefined) {
      const channel = await withDeadline(opening, (signal) =>
        wire.open(next, STAGE_PROTOCOL, STAGE_PROTOCOL_OPTIONS, signal),
      )
      channel.send(encodeStageMessage({ type: 'link', session: id }))
      session.attachNext(channel)
      await withDeadline(opening, () => session.linked)
    }
    session.ready()
  }

  const acceptControl = async (control: Channel, open: OpenMessage): Promise<void> => {
    const session = await openSession(control, open)
    log.write('info', 'session.opened', { session: open.session, stage: open.stageIndex, capacity: open.capacity })
    join(session, open.session).catch((error: unknown) => session.fail(error))
    await session.serve()
    log.write('info', 'session.closed', { session: open.session })
  }

  await wire.handle(STAGE_PROTOCOL, STAGE_PROTOCOL_OPTIONS, async (channel) => {
    try {
      const message = await firstMessage(channel)
      if (message.type === 'open') await acceptControl(channel, message)
      else if (message.type === 'link') await acceptLink(channel, message.session)
      else throw badMessage(`A channel may not begin with "${message.type}".`)
    } catch (error) {
      log.write('warn', 'channel.refused', { peer: channel.peer, code: codeOf(error), why: messageOf(error) })
      tellFailure(channel, error)
      await endChannel(channel)
    }
  })

  return {
    get sessionCount() {
      return sessions.size
    },
    table,
    async withdraw(leaving, lastMs) {
      const { host } = leaving
      table.remove(leaving)
      const gone = new RingError('RING_CLOSED', 'The miner serves other segments now.')
      const cancel = clock.schedule(lastMs, () => {
        for (const open of sessions.values()) if (open.host === host) void open.session.fail(gone)
      })
      await shelf?.leave(host)
      await table.empty(host)
      cancel()
    },
    statistics: () => ({
      total: [...sessions.values()].reduce((sum, { session }) => addStatistics(sum, session.statistics()), ended),
      latest: latest?.statistics() ?? NO_STATISTICS,
    }),
    close: async () => {
      closing = true
      await Promise.all([...sessions.values()].map(({ session }) => session.fail(shuttingDown())))
      await shelf?.close()
    },
  }
}

function shuttingDown(): RingError {
  return new RingError('RING_CLOSED', 'The miner is shutting down.')
}

function refuseLease({ lease }: OpenMessage): undefined {
  if (lease !== undefined) throw leaseError('LEASE_UNKNOWN')
}

/** A lease may be taken from a session before the session is there. */
function createHolder(): LeaseHolder & { hold(session: StageSession): void } {
  let held: StageSession | undefined
  let early: { readonly error: unknown } | undefined
  return {
    hold(session) {
      held = session
      if (early !== undefined) void session.fail(early.error)
    },
    fail: async (error) => {
      if (held === undefined) early ??= { error }
      else await held.fail(error)
    },
    toPrevious: (message) => held?.toPrevious(message),
  }
}
