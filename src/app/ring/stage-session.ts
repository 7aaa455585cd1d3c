/**
 * One session at one stage: its channels, and its life. Takes prompts (stage 1) or activations (the others), one after the other; what is computed of them
 * stands in stage-work.ts. Ends by the client, by a failure, by silence; every end frees the cache once.
 * Spec: docs/spec/wire.md §4.
 * @module
 */
import { milliseconds } from '../../base/brand.ts'
import { codeOf, messageOf } from '../../base/error.ts'
import { DEADLINES } from '../../base/limits.ts'
import type { Clock, Log } from '../../base/ports.ts'
import {
  decodeStageMessage,
  encodeStageMessage,
  type StageMessage,
  type StageMessageOf,
} from '../../net/protocols/stage.ts'
import type { StageStatistics } from '../../net/protocols/statistics.ts'
import type { Channel } from '../../net/wire.ts'
import type { StageLease } from '../market/stage-lease.ts'
import type { DraftModel } from './draft-model.ts'
import { endChannel, tellFailure } from './farewell.ts'
import { checkPrompt, checkShape, type TokenStep } from './prompt-steps.ts'
import { badMessage } from './ring-error.ts'
import { placeIn, type RingPlace } from './ring-place.ts'
import type { SessionCache } from './session-cache.ts'
import { createSessionTimers, type SessionTimers } from './session-timers.ts'
import { createSessionTurns, type SessionTurns } from './session-turns.ts'
import { createStageLink, type StageLink, watchLink } from './stage-link.ts'
import { createStageWork, type StageWork } from './stage-work.ts'
import { createTimer } from './timer.ts'

export interface StageSessionOptions {
  readonly open: StageMessageOf<'open'>
  readonly control: Channel
  readonly cache: SessionCache
  readonly hiddenSize: number
  readonly vocabularySize: number
  readonly endTokens: readonly number[]
  readonly lease: StageLease | undefined
  /** That drafts at stage 1, where there is one. */
  readonly draftModel?: DraftModel | undefined
  /** Called once, when everything of the session is freed. */
  readonly onClosed: () => void
}

export class StageSession {
  readonly place: RingPlace
  readonly #options: StageSessionOptions
  readonly #log: Log
  readonly #work: StageWork
  readonly #linked = Promise.withResolvers<void>()
  #next: StageLink | undefined
  #previous: Channel | undefined
  #isReady = false
  readonly #turns: SessionTurns
  #closed = false
  #isFailing = false
  /** The client has sent all that it will send. */
  readonly #heardAll = Promise.withResolvers<void>()
  readonly #clock: Clock
  /** The prompt that has not begun yet: one at most, a newer one takes its place. */
  #waiting: StageMessageOf<'prompt'> | undefined
  /** Prompts and, in a ring of one, decode steps: one after the other. */
  #running: Promise<unknown> = Promise.resolve()
  readonly #timers: SessionTimers
  /** `fail` waits for `#running`, so it must not be awaited from inside it. */
  readonly #failLater = (error: unknown): void => void this.fail(error)

  constructor(options: StageSessionOptions, ports: { clock: Clock; log: Log }) {
    this.place = placeIn(options.open)
    this.#options = options
    this.#log = ports.log
    this.#clock = ports.clock
    this.#turns = createSessionTurns(options.lease !== undefined)
    this.#timers = createSessionTimers(ports.clock, this.#failLater)
    this.#timers.touch()
    this.#work = createStageWork(
      {
        ...{ ...options, place: this.place, turns: this.#turns, timers: this.#timers, isClosed: () => this.#closed },
        ...{
          next: () => this.#next,
          toClient: (message) => this.#toClient(message),
          start: (work) => this.#start(work),
        },
      },
      ports,
    )
  }

  /** Takes over the link to the next stage; a session that has ended drops it. */
  attachNext(channel: Channel): void {
    if (this.#closed) {
      channel.abort('session closed')
      return
    }
    this.#next = createStageLink(channel, (message) => this.#options.lease?.onCountersignature(message))
    watchLink(this.#next.finished, this.place.next, this.#failLater)
  }

  /** Takes over the link of the stage before; resolves when it is no longer read. Throws RING_BAD_MESSAGE for any other. */
  async attachPrevious(channel: Channel): Promise<void> {
    if (this.place.previous?.peer !== channel.peer || this.#previous !== undefined || this.#closed) {
      throw badMessage('A link came that is not the one of the stage before this one.')
    }
    this.#previous = channel
    const reading = this.#readPrevious(channel)
    watchLink(reading, this.place.previous, this.#failLater)
    this.#linked.resolve()
    await reading.catch(() => undefined)
  }

  /** Waits for the link of the stage before, where there is one. */
  get linked(): Promise<void> {
    return this.place.previous === undefined ? Promise.resolve() : this.#linked.promise
  }

  /** To the stage before, if its link still stands. */
  toPrevious(message: StageMessageOf<'countersignature'>): void {
    if (!this.#closed) this.#previous?.send(encodeStageMessage(message))
  }

  /** Tells the client that both links stand. */
  ready(): void {
    if (this.#closed) return
    this.#isReady = true
    this.#toClient({ type: 'ready' })
  }

  /** What this session has cost here so far. */
  statistics(): StageStatistics {
    return this.#work.statistics([this.#options.control, this.#previous, this.#next?.channel])
  }

  /** Reads the client's messages until it closes; resolves when the session is over. */
  async serve(): Promise<void> {
    const { control } = this.#options
    try {
      for (let bytes = await control.receive(); bytes !== undefined; bytes = await control.receive()) {
        this.#timers.touch()
        this.#onControl(decodeStageMessage(bytes))
      }
      this.#heardAll.resolve()
      await this.close()
    } catch (error) {
      this.#heardAll.resolve()
      await this.fail(error)
    }
  }

  /** Tells the client why, as far as it still listens, and ends the session. */
  async fail(error: unknown): Promise<void> {
    if (this.#closed || this.#isFailing) return
    this.#isFailing = true
    const code = codeOf(error)
    // When a client ends its session, the stages hear of it one after the other, some by their links first.
    const level = code === 'RING_LINK_LOST' ? 'debug' : 'warn'
    this.#log.write(level, 'session.failed', { session: this.#options.open.session, code, why: messageOf(error) })
    tellFailure(this.#options.control, error)
    // A neighbour that has heard of the end first takes its link away before this stage has read what the client paid last.
    if (code === 'RING_LINK_LOST' && this.#options.lease) await this.#lastVoucher()
    await this.close()
  }

  /** Until the client has said all, which it does when it hears of the failure, or is gone. */
  async #lastVoucher(): Promise<void> {
    const timer = createTimer(this.#clock)
    const late = new Promise<void>((resolve) => timer.arm(milliseconds(DEADLINES.lastVoucherMs), resolve))
    await Promise.race([this.#heardAll.promise, late])
    timer.disarm()
  }

  /** Frees everything once: links, control channel and, after the steps under way, the cache. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#turns.end()
    this.#timers.stop()
    // Who waits to be paid is let go, or the running step would never end.
    const paid = this.#options.lease?.close()
    const drafted = this.#work.first?.close()
    const rested = this.#options.cache.end()
    this.#next?.channel.abort('session closed')
    this.#previous?.abort('session closed')
    const told = endChannel(this.#options.control)
    // Not after the channel's end: the client may be about to open its next session here.
    await Promise.allSettled([this.#running, paid, drafted, rested])
    await told
    this.#options.onClosed()
  }

  #onControl(message: StageMessage): void {
    switch (message.type) {
      case 'prompt':
        this.#onPrompt(message)
        return
      case 'cancel':
        this.#turns.cancel(message.turn)
        this.#options.lease?.recheck()
        if (!this.#turns.isCurrent(this.#turns.latest)) this.#timers.stepDone()
        return
      case 'voucher':
        if (!this.#options.lease) throw badMessage('A voucher came for a session without a lease.')
        this.#options.lease.onVoucher(message.voucher)
        return
      case 'ask-statistics':
        this.#toClient({ type: 'statistics', statistics: this.statistics() })
        return
      default:
        throw badMessage(`A client may not send "${message.type}".`)
    }
  }

  #onPrompt(prompt: StageMessageOf<'prompt'>): void {
    checkPrompt(prompt, { isFirst: this.place.isFirst, isReady: this.#isReady, latestTurn: this.#turns.latest })
    this.#turns.note(prompt.turn)
    this.#options.lease?.recheck()
    if (this.#waiting === undefined) this.#start(() => this.#prefill())
    this.#waiting = prompt
  }

  async #readPrevious(channel: Channel): Promise<void> {
    const { first } = this.#work
    for (let bytes = await channel.receive(); bytes !== undefined; bytes = await channel.receive()) {
      this.#timers.touch()
      const message = decodeStageMessage(bytes)
      if (message.type === 'step' && !first) {
        await this.#onStep(message)
        if (message.acknowledge) channel.send(encodeStageMessage({ type: 'acknowledge', turn: message.turn }))
      } else if (message.type === 'keep' && !first && this.#options.lease) {
        this.#work.keep(message)
      } else if (message.type === 'token' && first) {
        await first.tokens(message)
      } else if (message.type === 'end' && first) {
        first.end(message)
      } else {
        throw badMessage(`The stage before sent "${message.type}" where it may not.`)
      }
    }
  }

  /** Runs one piece of work after the one before it; a failure ends the session. */
  #start(work: () => Promise<void>): void {
    this.#running = this.#running.then(work).catch(this.#failLater)
  }

  /** Stage 1: the prompt that waits. */
  async #prefill(): Promise<void> {
    const prompt = this.#waiting
    this.#waiting = undefined
    if (prompt) await this.#work.first?.prompt(prompt)
  }

  async #onStep(message: TokenStep): Promise<void> {
    checkShape(message, this.#options.hiddenSize)
    this.#turns.note(message.turn)
    if (!this.#turns.goesOn(message.turn)) return
    await this.#work.run(message)
  }

  #toClient(message: StageMessage): void {
    this.#options.control.send(encodeStageMessage(message))
  }
}
