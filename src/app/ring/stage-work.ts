/**
 * What one stage computes of a session: steps go through the engine, or come from memory (session-cache.ts), and on to the next stage. The tail draws tokens and sends them to stage 1 and, beside it,
 * to the client. Rows on trial are forgotten when it is known that they were wrong.
 * Spec: docs/spec/wire.md §4.3, §4.4, §4.8, §4.9.
 * @module
 */
import { assert } from '../../base/assert.ts'
import type { Clock } from '../../base/ports.ts'
import { floatBytes } from '../../ml/digest.ts'
import type { StageMessage, StageMessageOf } from '../../net/protocols/stage.ts'
import type { StageStatistics } from '../../net/protocols/statistics.ts'
import type { Channel } from '../../net/wire.ts'
import { createFirstStage, type FirstStage } from './first-stage.ts'
import { createKeptRows, type KeptRows, windowRowsOf } from './kept-rows.ts'
import type { TokenStep } from './prompt-steps.ts'
import type { RingPlace } from './ring-place.ts'
import type { LogitsWish } from './session-cache.ts'
import type { SessionTimers } from './session-timers.ts'
import type { SessionTurns } from './session-turns.ts'
import { settled } from './settled.ts'
import type { StageLink } from './stage-link.ts'
import { createMeter, type StageMeter } from './stage-meter.ts'
import type { StageSessionOptions } from './stage-session.ts'
import { type Answer, createTail, type Scores, type Tail } from './tail.ts'

export interface StageWorkParts
  extends Pick<
    StageSessionOptions,
    'open' | 'cache' | 'hiddenSize' | 'vocabularySize' | 'endTokens' | 'lease' | 'draftModel'
  > {
  readonly place: RingPlace
  readonly turns: SessionTurns
  readonly timers: SessionTimers
  readonly isClosed: () => boolean
  readonly next: () => StageLink | undefined
  readonly toClient: (message: StageMessage) => void
  /** Runs work after the one before it. */
  readonly start: (work: () => Promise<void>) => void
}

export interface StageWork {
  /** At stage 1. */
  readonly first: FirstStage | undefined
  run(step: TokenStep): Promise<void>
  /** Stage 1 has said what stays of the step before. @throws RING_BAD_MESSAGE. */
  keep(message: StageMessageOf<'keep'>): void
  statistics(channels: readonly (Channel | undefined)[]): StageStatistics
}

export function createStageWork(parts: StageWorkParts, ports: { clock: Clock }): StageWork {
  return new Work(parts, ports)
}

class Work implements StageWork {
  readonly first: FirstStage | undefined
  readonly #parts: StageWorkParts
  readonly #meter: StageMeter = createMeter()
  readonly #kept: KeptRows
  readonly #tail: Tail | undefined
  /** Resolves when all that was run has been passed on. */
  #passed: Promise<void> = Promise.resolve()

  constructor(parts: StageWorkParts, ports: { clock: Clock }) {
    const { open, place, endTokens, vocabularySize, lease } = parts
    this.#parts = parts
    this.#kept = createKeptRows(lease !== undefined, windowRowsOf(vocabularySize))
    this.#tail = place.isTail ? createTail({ endTokens, capacity: open.capacity }) : undefined
    const run = (step: TokenStep) => this.run(step)
    const toNext = (message: StageMessage) => parts.next()?.send(message)
    this.first = place.isFirst ? createFirstStage({ ...parts, kept: this.#kept, run, toNext }, ports) : undefined
  }

  statistics(channels: readonly (Channel | undefined)[]): StageStatistics {
    return this.#meter.statistics(channels, this.#kept)
  }

  keep(message: StageMessageOf<'keep'>): void {
    this.#forget(this.#kept.keep(message.turn, message.position))
    if (!this.#tail) this.#parts.next()?.send(message)
  }

  run(message: TokenStep): Promise<void> {
    const earlier = this.#passed
    const work = this.#run(message, earlier)
    this.#passed = settled(earlier, work)
    return work
  }

  async #run(message: TokenStep, earlier: Promise<void>): Promise<void> {
    const { cache, lease, turns, isClosed } = this.#parts
    const { turn } = message
    // Stage 1 decides which steps there are, and has settled what is left of the one before.
    const isWanted = () => (this.first ? turns.isCurrent(turn) : turns.goesOn(turn))
    if (!this.first) this.#forget(this.#kept.step(message))
    const paid = lease && (await lease.begin(message, isWanted))
    // It may have ended just when it was paid.
    if (lease && (!paid || isClosed())) return
    if (this.first) this.#forget(this.#kept.step(message))
    this.first?.begun(message)
    if (message.generation) this.#tail?.begin(message.generation)
    const run = await cache.run(message, this.#wishOf(message), earlier)
    if (isClosed()) return
    this.#parts.timers.touch()
    this.#meter.step(message.tokens.length, run)
    this.first?.ran(run.computeMs)
    if (run.output.type === 'failed') throw run.output.error
    const { type, values } = run.output
    const answer = this.#answer(message, type === 'logits' ? (run.output.largest ?? values) : undefined)
    paid?.({ output: type === 'hidden' ? values : answer?.drawn, computeMs: run.computeMs + run.recalledMs })
    if (answer && this.#kept.open) this.#forget(this.#kept.settle(answer.keptTo))
    if (!turns.goesOn(turn)) return
    if (type === 'hidden') await this.#passOn(message, values)
    else if (answer && turns.isCurrent(turn)) this.#tell(answer)
    else if (lease) this.#tellProgress(message, answer)
  }

  /** Rows on trial that were wrong: nobody pays for them. */
  #forget(rows: number): void {
    this.#parts.lease?.forget(rows)
  }

  #wishOf({ sample, acknowledge, tokens }: TokenStep): LogitsWish {
    if (!this.#tail || !sample) return { logits: 'none' }
    return { logits: acknowledge || tokens.length === 1 ? 'last' : 'all', largestOnly: this.#tail.takesLargest }
  }

  /** The tail: after the last row of a prompt, or rows of decoding, tokens are drawn. */
  #answer(message: TokenStep, scores: Scores | undefined): Answer | undefined {
    const { turns } = this.#parts
    const { turn, position, tokens, sample } = message
    if (scores && sample && turns.goesOn(turn)) {
      // Nobody waits for what a turn that was cancelled would say next: the row that was certain is paid.
      return this.#tail?.answer(message, scores, turns.isCurrent(turn) ? tokens.length : 1)
    }
    this.#tail?.note(position, tokens)
    return undefined
  }

  async #passOn(message: TokenStep, values: Float32Array): Promise<void> {
    const next = this.#parts.next()
    assert(next, 'a stage without the head has a next one')
    if (message.acknowledge) await next.credit()
    if (!this.#parts.isClosed()) next.send({ ...message, rows: floatBytes(values) })
  }

  /** Closes the ring, to stage 1 by link, or straight back when this is the only stage; beside it, the client hears. */
  #tell({ toFirst, toClient }: Answer): void {
    const next = this.#parts.next()
    if (next) next.send(toFirst)
    else if (toFirst.type === 'token') this.#parts.start(async () => this.first?.tokens(toFirst))
    else this.first?.end(toFirst)
    for (const message of toClient) this.#parts.toClient(message)
  }

  /** Nobody waits for what was drawn, but all count the same rows. */
  #tellProgress({ turn, position, tokens, acknowledge }: TokenStep, answer: Answer | undefined): void {
    const isTrial = answer && !acknowledge && tokens.length > 1
    // Stage 1 may hear of the cancel later than this: it must not go on from a token that the client never hears of.
    if (isTrial) this.#parts.next()?.send({ type: 'end', turn, reason: 'max-tokens', position: answer.keptTo })
    this.#parts.toClient({ type: 'progress', turn, position: isTrial ? answer.keptTo : position + tokens.length })
  }
}
