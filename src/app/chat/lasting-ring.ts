/**
 * A ring session that outlives its ring: when a miner goes away, or the session was idle for too long, another ring is
 * opened, takes all tokens so far, and the answer goes on. Numbers are exact and tokens are drawn by position, so the
 * text is that of an unbroken run. So it goes on with another lease when one is spent. Knows neither models nor networks.
 * @module
 */
import { codeOf, HouseError } from '../../base/error.ts'
import type { ChatNeed } from '../market/client-cap.ts'
import { SENT_BY_STAGES } from '../market/client-faults.ts'
import { leaseError } from '../market/lease-error.ts'
import type { RingEvent, RingSession, TurnOptions } from '../ring/ring-session.ts'

export interface LastingRingOptions {
  readonly first: RingSession
  /** Another ring for the same model and capacity; `why` is what ended the one before, `need` what it has to compute. */
  readonly reopen: (why: unknown, need: ChatNeed, signal: AbortSignal | undefined) => Promise<RingSession>
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
  // A miner has moved to other segments, and its offer was heard before.
  'RING_MODEL_NOT_SERVED',
  'RING_NO_ROUTE',
  'NO_MINER',
])

/** Another lease does not help where none was wanted. */
const NO_LOSS = 'LEASE_REQUIRED'

export function createLastingRing({ first, reopen }: LastingRingOptions): RingSession {
  let ring = first
  /** All that was said when the latest ring was lost: the one that came after it may be lost as well before it has heard of it. */
  let said: readonly number[] = []
  /** The lease of the ring pays for no more. */
  let isSpent = false

  const tokensNow = (): readonly number[] => (said.length > ring.tokens.length ? said : ring.tokens)

  async function* generate(prompt: readonly number[], options: TurnOptions): AsyncGenerator<RingEvent, void, void> {
    const all = [...tokensNow(), ...prompt]
    let pending: readonly number[] = all.slice(ring.tokens.length)
    let left = options.generation.maxTokens
    const goOn = async (why: unknown): Promise<void> => {
      ring = await reopen(why, { promptRows: all.length, decodeRows: left }, options.signal)
      isSpent = false
      pending = all
    }
    if (isSpent) await goOn(leaseError('LEASE_SPENT'))
    for (let reopenings = 0; ; reopenings++) {
      try {
        const generation = { ...options.generation, maxTokens: left }
        for await (const event of ring.generate(pending, { ...options, generation })) {
          if (event.type === 'token') {
            all.push(event.token)
            left--
          } else isSpent = event.reason === 'lease-spent'
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
        said = [...all]
        await goOn(error)
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
      return tokensNow()
    },
    generate,
    rewind(length) {
      said = said.slice(0, length)
      ring.rewind(Math.min(length, ring.tokens.length))
    },
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
  const told = isStage ? String(error.details['stageCode']) : code
  if (told === NO_LOSS) return false
  if (isStage && SENT_BY_STAGES.has(told)) return true
  return LOSSES.has(told) || told.startsWith('LEASE_') || told.startsWith('VOUCHER_')
}
