/**
 * One session at one stage: takes prompts (stage 1) or activations (the others), runs them through the engine in
 * order, and passes the result on. The tail samples and sends the token to stage 1 and, beside it, to the client.
 * Ends by the client, by a failure, by silence; every end frees the cache once.
 * Spec: docs/spec/wire.md §4.
 * @module
 */
import { assert } from '../../base/assert.ts'
import { codeOf, messageOf } from '../../base/error.ts'
import { DEADLINES } from '../../base/limits.ts'
import type { Clock, Log } from '../../base/ports.ts'
import { floatBytes, floatsFromBytes } from '../../ml/digest.ts'
import type { CacheId, StepInput } from '../../ml/engine/engine.ts'
import {
  decodeStageMessage,
  encodeStageMessage,
  type StageMessage,
  type StageMessageOf,
} from '../../net/protocols/stage.ts'
import type { StageStatistics } from '../../net/protocols/statistics.ts'
import type { Channel } from '../../net/wire.ts'
import type { EngineHost } from '../engine-host.ts'
import { outputBytes } from '../market/row-digest.ts'
import type { StageLease } from '../market/stage-lease.ts'
import { endChannel, tellFailure } from './farewell.ts'
import { checkPrompt, checkShape, chunkSize, decodeStep, promptSteps, type TokenStep } from './prompt-steps.ts'
import { badMessage } from './ring-error.ts'
import { placeIn, type RingPlace } from './ring-place.ts'
import { createSessionTimers, type SessionTimers } from './session-timers.ts'
import { createSessionTurns, type SessionTurns } from './session-turns.ts'
import { createStageLink, type StageLink, watchLink } from './stage-link.ts'
import { createMeter, type StageMeter } from './stage-meter.ts'
import { createTail, type Draw, type Tail } from './tail.ts'

export interface StageSessionOptions {
  readonly open: StageMessageOf<'open'>
  readonly control: Channel
  readonly host: EngineHost
  readonly cache: CacheId
  readonly hiddenSize: number
  readonly endTokens: readonly number[]
  readonly lease: StageLease | undefined
  /** Called once, when everything of the session is freed. */
  readonly onClosed: () => void
}

export class StageSession {
  readonly place: RingPlace
  readonly #options: StageSessionOptions
  readonly #meter: StageMeter = createMeter()
  readonly #log: Log
  readonly #tail: Tail | undefined
  readonly #linked = Promise.withResolvers<void>()
  #next: StageLink | undefined
  #previous: Channel | undefined
  #isReady = false
  readonly #turns: SessionTurns
  #closed = false
  /** The prompt that has not begun yet: one at most, a newer one takes its place. */
  #waiting: StageMessageOf<'prompt'> | undefined
  /** Prompts and, in a ring of one, decode steps: one after the other. */
  #running: Promise<unknown> = Promise.resolve()
  /** The engine's latest work for this session; it works in order. */
  #latestRun: Promise<unknown> = Promise.resolve()
  readonly #timers: SessionTimers
  /** `fail` waits for `#running`, so it must not be awaited from inside it. */
  readonly #failLater = (error: unknown): void => void this.fail(error)

  constructor(options: StageSessionOptions, ports: { clock: Clock; log: Log }) {
    this.place = placeIn(options.open)
    this.#options = options
    this.#log = ports.log
    this.#turns = createSessionTurns(options.lease !== undefined)
    this.#tail = this.place.isTail
      ? createTail({ endTokens: options.endTokens, capacity: options.open.capacity })
      : undefined
    this.#timers = createSessionTimers(ports.clock, this.#failLater)
    this.#timers.touch()
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
    return this.#meter.statistics([this.#options.control, this.#previous, this.#next?.channel])
  }

  /** Reads the client's messages until it closes; resolves when the session is over. */
  async serve(): Promise<void> {
    const { control } = this.#options
    try {
      for (let bytes = await control.receive(); bytes !== undefined; bytes = await control.receive()) {
        this.#timers.touch()
        this.#onControl(decodeStageMessage(bytes))
      }
      await this.close()
    } catch (error) {
      await this.fail(error)
    }
  }

  /** Tells the client why, as far as it still listens, and ends the session. */
  async fail(error: unknown): Promise<void> {
    if (this.#closed) return
    const code = codeOf(error)
    // When a client ends its session, the stages hear of it one after the other, some by their links first.
    const level = code === 'RING_LINK_LOST' ? 'debug' : 'warn'
    this.#log.write(level, 'session.failed', { session: this.#options.open.session, code, why: messageOf(error) })
    tellFailure(this.#options.control, error)
    await this.close()
  }

  /** Frees everything once: links, control channel and, after the running step, the cache. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#turns.end()
    this.#timers.stop()
    // Who waits to be paid is let go, or the running step would never end.
    const settled = this.#options.lease?.close()
    this.#next?.channel.abort('session closed')
    this.#previous?.abort('session closed')
    await endChannel(this.#options.control)
    await Promise.allSettled([this.#running, this.#latestRun, settled])
    await this.#options.host.closeCache(this.#options.cache).catch(() => undefined)
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
    for (let bytes = await channel.receive(); bytes !== undefined; bytes = await channel.receive()) {
      this.#timers.touch()
      const message = decodeStageMessage(bytes)
      if (message.type === 'step' && !this.place.isFirst) {
        await this.#onStep(message)
        if (message.acknowledge) channel.send(encodeStageMessage({ type: 'acknowledge', turn: message.turn }))
      } else if (message.type === 'token' && this.place.isFirst) {
        await this.#decode(message)
      } else if (message.type === 'end' && this.place.isFirst) {
        if (this.#turns.isCurrent(message.turn)) this.#timers.stepDone()
      } else {
        throw badMessage(`The stage before sent "${message.type}" where it may not.`)
      }
    }
  }

  /** Runs one piece of work after the one before it; a failure ends the session. */
  #start(work: () => Promise<void>): void {
    this.#running = this.#running.then(work).catch(this.#failLater)
  }

  /** Stage 1: the waiting prompt, chunk by chunk, each sent on while the next is computed. */
  async #prefill(): Promise<void> {
    const prompt = this.#waiting
    this.#waiting = undefined
    if (!prompt || !this.#turns.isCurrent(prompt.turn)) return
    const { hiddenSize, lease } = this.#options
    const size = chunkSize(Math.min(prompt.chunkTokens, lease?.receiptRows ?? prompt.chunkTokens), hiddenSize)
    this.#timers.expectStep(DEADLINES.decodeStepMs + Math.ceil(prompt.tokens.length / size) * DEADLINES.prefillChunkMs)
    for (const step of promptSteps(prompt, size)) {
      if (!this.#turns.isCurrent(prompt.turn)) return
      await this.#runStep(step, { type: 'tokens', tokens: step.tokens })
    }
  }

  /** Stage 1: the token that came back round the ring. */
  async #decode(message: Pick<StageMessageOf<'token'>, 'turn' | 'position' | 'token'>): Promise<void> {
    if (!this.#turns.isCurrent(message.turn)) return
    this.#timers.stepDone()
    const step = decodeStep(message)
    await this.#runStep(step, { type: 'tokens', tokens: step.tokens })
  }

  async #onStep(message: TokenStep): Promise<void> {
    checkShape(message, this.#options.hiddenSize)
    this.#turns.note(message.turn)
    if (!this.#turns.goesOn(message.turn)) return
    await this.#runStep(message, { type: 'hidden', values: floatsFromBytes(message.rows) })
  }

  async #runStep(message: TokenStep, input: StepInput['input']): Promise<void> {
    const { host, cache, lease } = this.#options
    const { turn, position, tokens } = message
    // Stage 1 decides which steps there are.
    const isWanted = () => (this.place.isFirst ? this.#turns.isCurrent(turn) : this.#turns.goesOn(turn))
    const paid = lease && (await lease.begin(message, isWanted))
    if (lease && !paid) return
    if (this.place.isFirst && !message.acknowledge) this.#timers.expectStep(DEADLINES.decodeStepMs)
    if (message.generation) this.#tail?.begin(message.generation)
    const logits = this.#tail && message.sample ? 'last' : 'none'
    const work = host.run({ cache, position, input, logits })
    this.#latestRun = work
    const run = await work
    if (this.#closed) return
    this.#timers.touch()
    this.#meter.step(tokens.length, run)
    if (run.output.type === 'failed') throw run.output.error
    const { type, values } = run.output
    const drawn = this.#drawn(message, type === 'logits' ? values : undefined)
    paid?.({ output: () => outputBytes(message, type === 'hidden' ? values : drawn), computeMs: run.computeMs })
    if (!this.#turns.goesOn(turn)) return
    if (type === 'hidden') await this.#passOn(message, values)
    else if (drawn && this.#turns.isCurrent(turn)) this.#tell(drawn)
    else if (lease) this.#toClient({ type: 'progress', turn, position: position + tokens.length })
  }

  /** The tail: after the last rows of a prompt, or a decode step, one token is drawn. */
  #drawn(message: TokenStep, logits: Float32Array | undefined): Draw | undefined {
    this.#tail?.note(message.position, message.tokens)
    return logits && message.sample && this.#turns.goesOn(message.turn)
      ? this.#tail?.draw(message.turn, logits)
      : undefined
  }

  async #passOn(message: TokenStep, values: Float32Array): Promise<void> {
    assert(this.#next, 'a stage without the head has a next one')
    if (message.acknowledge) await this.#next.credit()
    if (!this.#closed) this.#next.send({ ...message, rows: floatBytes(values) })
  }

  /** Closes the ring, to stage 1 by link, or straight back when this is the only stage; beside it, the client hears. */
  #tell({ messages }: Draw): void {
    for (const { message, forFirst } of messages) {
      if (forFirst && this.#next) this.#next.send(forFirst)
      else if (forFirst?.type === 'token') this.#start(() => this.#decode(forFirst))
      else if (forFirst) this.#timers.stepDone()
      this.#toClient(message)
    }
  }

  #toClient(message: StageMessage): void {
    this.#options.control.send(encodeStageMessage(message))
  }
}
