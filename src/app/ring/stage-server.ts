/**
 * The stage server of a miner: accepts control channels from clients and links from neighbours, opens sessions
 * within the bounds of memory and number, and joins each link to its session. A peer that sends garbage loses
 * its channel and its session, never the miner.
 * Spec: docs/spec/wire.md §4.1, §4.2.
 * @module
 */
import { type Hash, milliseconds, type SessionId } from '../../base/brand.ts'
import { codeOf, messageOf } from '../../base/error.ts'
import { DEADLINES, SESSION_LIMITS } from '../../base/limits.ts'
import type { Clock, Log } from '../../base/ports.ts'
import type { ModelConfig } from '../../ml/config.ts'
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
import { RingError } from './ring-error.ts'
import { addStatistics, NO_STATISTICS } from './stage-meter.ts'
import { StageSession } from './stage-session.ts'
import { withDeadline } from './timer.ts'

/** A run of segments of one model that this miner has in an engine. */
export interface ServedSegments {
  readonly model: Hash
  readonly config: ModelConfig
  readonly firstSegment: number
  /** Exclusive. */
  readonly lastSegment: number
  /** The engine of exactly these segments. */
  readonly host: EngineHost
}

export interface StageServer {
  readonly sessionCount: number
  /** All sessions since the start, and the one opened latest. */
  statistics(): { total: StageStatistics; latest: StageStatistics }
  /** Ends all sessions. */
  close(): Promise<void>
}

type OpenMessage = StageMessageOf<'open'>

interface LinkWaiter {
  readonly resolve: (session: StageSession) => void
}

export async function createStageServer(
  served: readonly ServedSegments[],
  ports: { wire: Wire; clock: Clock; log: Log },
): Promise<StageServer> {
  const { wire, clock, log } = ports
  const sessions = new Map<SessionId, StageSession>()
  let ended = NO_STATISTICS
  let latest: StageSession | undefined
  /** Links that came before the client's `open` reached us. */
  const waiters = new Map<SessionId, LinkWaiter>()
  /** Sessions whose previous stage has not linked yet. */
  const linked = new Map<SessionId, () => void>()

  const opening = {
    clock,
    delayMs: DEADLINES.openSessionMs,
    late: () => new RingError('RING_STEP_DEADLINE', 'The other side took too long to open the session.'),
  }

  const firstMessage = async (channel: Channel): Promise<StageMessage> => {
    const bytes = await withDeadline(opening, (signal) => channel.receive(signal))
    if (bytes === undefined) throw new RingError('RING_BAD_MESSAGE', 'The channel ended before its first message.')
    return decodeStageMessage(bytes)
  }

  const findSession = async (id: SessionId): Promise<StageSession> => {
    const known = sessions.get(id)
    if (known) return known
    if (waiters.size >= SESSION_LIMITS.sessionsMax || waiters.has(id)) {
      throw new RingError('RING_BUSY', 'Too many links wait for their sessions.')
    }
    return new Promise((resolve, reject) => {
      const cancel = clock.schedule(milliseconds(DEADLINES.openSessionMs), () => {
        waiters.delete(id)
        reject(new RingError('RING_BAD_MESSAGE', 'A link came for a session that no client opened.'))
      })
      waiters.set(id, {
        resolve: (session) => {
          cancel()
          waiters.delete(id)
          resolve(session)
        },
      })
    })
  }

  const acceptLink = async (channel: Channel, id: SessionId): Promise<void> => {
    const session = await findSession(id)
    if (session.place.previous !== channel.peer || !linked.has(id)) {
      throw new RingError('RING_BAD_MESSAGE', 'A link came from a peer that is not the stage before this one.')
    }
    const reading = session.attachPrevious(channel)
    linked.get(id)!()
    linked.delete(id)
    await reading
  }

  const openSession = async (control: Channel, open: OpenMessage): Promise<StageSession> => {
    const segments = checkOpen(open, served, wire)
    if (sessions.has(open.session)) throw new RingError('RING_SESSION_EXISTS', 'This session is open already.')
    if (sessions.size >= SESSION_LIMITS.sessionsMax) {
      throw new RingError('RING_BUSY', 'This miner serves as many sessions as it can; try again or use another one.')
    }
    const cache = await segments.host.openCache(open.capacity)
    const session = new StageSession(
      {
        open,
        control,
        host: segments.host,
        cache,
        hiddenSize: segments.config.hiddenSize,
        endTokens: segments.config.endTokens,
        onClosed: () => {
          ended = addStatistics(ended, session.statistics())
          sessions.delete(open.session)
          linked.delete(open.session)
        },
      },
      ports,
    )
    sessions.set(open.session, session)
    latest = session
    return session
  }

  /** Opens our link and waits for the previous stage's, then says ready. */
  const join = async (session: StageSession, id: SessionId): Promise<void> => {
    const { next } = session.place
    if (next !== undefined) {
      const previous = new Promise<void>((resolve) => linked.set(id, resolve))
      waiters.get(id)?.resolve(session)
      const channel = await withDeadline(opening, (signal) =>
        wire.open(next, STAGE_PROTOCOL, STAGE_PROTOCOL_OPTIONS, signal),
      )
      channel.send(encodeStageMessage({ type: 'link', session: id }))
      session.attachNext(channel)
      await previous
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
      else throw new RingError('RING_BAD_MESSAGE', `A channel may not begin with "${message.type}".`)
    } catch (error) {
      log.write('warn', 'channel.refused', { peer: channel.peer, code: codeOf(error), why: messageOf(error) })
      refuse(channel, error)
    }
  })

  return {
    get sessionCount() {
      return sessions.size
    },
    statistics: () => ({
      total: [...sessions.values()].reduce((sum, session) => addStatistics(sum, session.statistics()), ended),
      latest: latest?.statistics() ?? NO_STATISTICS,
    }),
    close: async () => {
      const gone = new RingError('RING_CLOSED', 'The miner is shutting down.')
      await Promise.all([...sessions.values()].map((session) => session.fail(gone)))
    },
  }
}

/** The segments that an `open` asks for; throws when we do not serve them or the request contradicts itself. */
function checkOpen(open: OpenMessage, served: readonly ServedSegments[], wire: Wire): ServedSegments {
  const stage = open.stages[open.stageIndex]
  if (stage === undefined || stage.peer !== wire.peer) {
    throw new RingError('RING_BAD_MESSAGE', 'The route of this session does not name this miner at its stage.')
  }
  if (new Set(open.stages.map(({ peer }) => peer)).size !== open.stages.length) {
    throw new RingError('RING_BAD_MESSAGE', 'The route of this session names a miner twice.')
  }
  const found = served.find(
    ({ model, firstSegment, lastSegment }) =>
      model === open.model && firstSegment === stage.firstSegment && lastSegment === stage.lastSegment,
  )
  if (found === undefined) {
    throw new RingError('RING_MODEL_NOT_SERVED', 'This miner does not serve these segments of this model.', {
      details: { model: open.model, firstSegment: stage.firstSegment, lastSegment: stage.lastSegment },
    })
  }
  if (open.capacity < 1 || open.capacity > found.config.contextLength) {
    throw new RingError('RING_BAD_MESSAGE', 'The session asks for more positions than the model has.', {
      details: { capacity: open.capacity, contextLength: found.config.contextLength },
    })
  }
  return found
}

/** Tells the peer why, then ends the channel. */
function refuse(channel: Channel, error: unknown): void {
  const code = codeOf(error) ?? 'RING_STAGE_FAILED'
  try {
    channel.send(encodeStageMessage({ type: 'failed', code, message: codeOf(error) ? messageOf(error) : 'Failed.' }))
    void channel.close()
  } catch {
    channel.abort('refused')
  }
}
