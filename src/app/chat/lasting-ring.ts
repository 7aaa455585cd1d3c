/**
 * A ring session that outlives its ring: when a miner goes away, or the session was idle for too long, another ring is
 * opened, takes all tokens so far, and the answer goes on. Numbers are exact and tokens are drawn by position, so the
 * text is that of an unbroken run. Knows neither models nor networks.
 * @module
 */
import { codeOf, HouseError } from '../../base/error.ts'
import type { RingEvent, RingSession, TurnOptions } from '../ring/ring-session.ts'

export interface LastingRingOptions {
  readonly first: RingSession
  /** Another ring for the same model and capacity; `why` is what ended the one before. */
  readonly reopen: (why: unknown, signal: AbortSignal | undefined) => Promise<RingSession>
}

/** Rings that one turn may use up before its failure is told. */
const REOPENINGS_MAX = 3

/** Failures after which another ring, or the same one opened anew, can go on. */
const LOSSES: ReadonlySet<string> = new Set([
  'RING_STAGE_LOST',
  'RING_LINK_LOST',
  'RING_STEP_DEADLINE',
  'RING_SESSION_IDLE',
  'RING_CLOSED',
  'RING_NO_ROUTE',
])

export function createLastingRing({ first, reopen }: LastingRingOptions): RingSession {
  let ring = first

  async function* generate(prompt: readonly number[], options: TurnOptions): AsyncGenerator<RingEvent, void, void> {
    const all = [...ring.tokens, ...prompt]
    let pending = prompt
    let left = options.generation.maxTokens
    for (let reopenings = 0; ; reopenings++) {
      try {
        const generation = { ...options.generation, maxTokens: left }
        for await (const event of ring.generate(pending, { ...options, generation })) {
          if (event.type === 'token') {
            all.push(event.token)
            left--
          }
          yield event
        }
        return
      } catch (error) {
        if (!isLoss(error) || options.signal?.aborted || reopenings >= REOPENINGS_MAX) throw error
        if (left === 0) {
          // Only the end marker was lost; the next turn opens another ring.
          yield { type: 'end', reason: 'max-tokens' }
          return
        }
        ring = await reopen(error, options.signal)
        pending = all
      }
    }
  }

  return {
    get id() {
      return ring.id
    },
    get route() {
      return ring.route
    },
    get tokens() {
      return ring.tokens
    },
    generate,
    rewind: (length) => ring.rewind(length),
    statistics: () => ring.statistics(),
    close: () => ring.close(),
  }
}

/** Whether another ring, or another try, may do better. */
export function isLoss(error: unknown): boolean {
  const code = codeOf(error)
  if (code === undefined) return false
  if (code.startsWith('WIRE_')) return true
  const isStage = code === 'RING_STAGE_FAILED' && error instanceof HouseError
  return LOSSES.has(isStage ? String(error.details['stageCode']) : code)
}
