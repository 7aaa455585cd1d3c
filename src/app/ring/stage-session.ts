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
import { endChannel, tellFailure } from './farewell.ts'
import { chunkSize, decodeStep, promptSteps } from './prompt-steps.ts'
import { badMessage, linkLost } from './ring-error.ts'
import { type Neighbour, placeIn, type RingPlace } from './ring-place.ts'
import { createSessionTimers, type SessionTimers } from './session-timers.ts'
import { createStageLink, type StageLink } from './stage-link.ts'
import { createMeter, type StageMeter } from './stage-meter.ts'
import { createTail, type Tail } from './tail.ts'

type StepMessage = StageMessageOf<'step'>
type PromptMessage = StageMessageOf<'prompt'>

export interface StageSessionOptions {
  readonly open: StageMessageOf<'open'>
  readonly control: Channel
  readonly host: EngineHost
  readonly cache: CacheId
  readonly hiddenSize: number
  readonly endTokens: readonly number[]
  /** Called once, when everything of the session is freed. */
  readonly onClosed: () => void
}

export class StageSession {
  readonly place: RingPlace
  readonly #options: StageSessionOptions
  readonly #meter: StageMeter = createMeter()
  readonly #ports: { clock: Clock; log: Log }
  readonly #isFirst: boolean
  readonly #tail: Tail | undefined
  readonly #linked = Promise.withResolvers<void>()
  #next: StageLink | undefined
  #previous: Channel | undefined
  #isReady = false
  /** The latest turn that began, and the latest that was cancelled: work of an older one is dropped. */
  #turn = 0
  #cancelled = 0
  #closed = false
  /** The prompt that has not begun yet: one at most, a newer one takes its place. */
  #waiting: PromptMessage | undefined
  /** Prompts and, in a ring of one, decode steps: one after the other. */
  #running: Promise<unknown> = Promise.resolve()
  /** The engine's latest work for this session; it works in order. */
  #latestRun: Promise<unknown> = Promise.resolve()
  readonly #timers: SessionTimers

  constructor(options: StageSessionOptions, ports: { clock: Clock; log: Log }) {
    const { capacity } = options.open
    this.place = placeIn(options.open)
    this.#options = options
    this.#ports = ports
    this.#isFirst = this.place.isFirst
    this.#tail = this.place.isTail ? createTail({ endTokens: options.endTokens, capacity }) : undefined
    this.#timers = createSessionTimers(ports.clock, this.#failLater)
    this.#timers.touch()
  }

  /** Takes over the link to the next stage; a session that has ended drops it. */
  attachNext(channel: Channel): void {
    if (this.#closed) {
      channel.abort('session closed')
      return
    }
    this.#next = createStageLink(channel)
    this.#watch(this.#next.finished, this.place.next)
  }

  /** Takes over the link of the stage before; resolves when it is no longer read. Throws RING_BAD_MESSAGE for any other. */
  async attachPrevious(channel: Channel): Promise<void> {
    if (this.place.previous?.peer !== channel.peer || this.#previous !== undefined || this.#closed) {
      throw badMessage('A link came that is not the one of the stage before this one.')
    }
    this.#previous = channel
    const reading = this.#readPrevious(channel)
    this.#watch(reading, this.place.previous)
    this.#linked.resolve()
    await reading.catch(() => undefined)
  }

  /** Waits for the link of the stage before, where there is one. */
  get linked(): Promise<void> {
    return this.place.previous === undefined ? Promise.resolve() : this.#linked.promise
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
    const { session } = this.#options.open
    const code = codeOf(error)
    // When a client ends its session, the stages hear of it one after the other, some by their links first.
    const level = code === 'RING_LINK_LOST' ? 'debug' : 'warn'
    this.#ports.log.write(level, 'session.failed', { session, code, why: messageOf(error) })
    tellFailure(this.#options.control, error)
    await this.close()
  }

  /** Frees everything once: links, control channel and, after the running step, the cache. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#waiting = undefined
    this.#timers.stop()
    this.#next?.channel.abort('session closed')
    this.#previous?.abort('session closed')
    await endChannel(this.#options.control)
    await Promise.allSettled([this.#running, this.#latestRun])
    await this.#options.host.closeCache(this.#options.cache).catch(() => undefined)
    this.#options.onClosed()
  }

  #onControl(message: StageMessage): void {
    switch (message.type) {
      case 'prompt':
        this.#onPrompt(message)
        return
      case 'cancel':
        this.#cancelled = Math.max(this.#cancelled, message.turn)
        if (!this.#isCurrent(this.#turn)) this.#timers.stepDone()
        return
      case 'ask-statistics':
        this.#toClient({ type: 'statistics', statistics: this.statistics() })
        return
      default:
        throw badMessage(`A client may not send "${message.type}".`)
    }
  }

  #onPrompt(prompt: PromptMessage): void {
    if (!this.#isFirst) throw badMessage('Only stage 1 takes a prompt.')
    if (!this.#isReady) throw badMessage('A prompt came before the session was ready.')
    if (prompt.turn <= this.#turn) throw badMessage('The turn of a prompt is not after the one before it.')
    if (prompt.tokens.length === 0) throw badMessage('A prompt needs at least one token.')
    this.#turn = prompt.turn
    const isScheduled = this.#waiting !== undefined
    this.#waiting = prompt
    if (!isScheduled) this.#start(() => this.#prefill())
  }

  async #readPrevious(channel: Channel): Promise<void> {
    for (let bytes = await channel.receive(); bytes !== undefined; bytes = await channel.receive()) {
      this.#timers.touch()
      const message = decodeStageMessage(bytes)
      if (message.type === 'step' && !this.#isFirst) {
        await this.#onStep(message)
        if (message.acknowledge) channel.send(encodeStageMessage({ type: 'acknowledge', turn: message.turn }))
      } else if (message.type === 'token' && this.#isFirst) {
        await this.#decode(message)
      } else if (message.type === 'end' && this.#isFirst) {
        if (this.#isCurrent(message.turn)) this.#timers.stepDone()
      } else {
        throw badMessage(`The stage before sent "${message.type}" where it may not.`)
      }
    }
  }

  /** Runs one piece of work after the one before it; a failure ends the session. */
  #start(work: () => Promise<void>): void {
    this.#running = this.#running.then(work).catch(this.#failLater)
  }

  /** `fail` waits for `#running`, so it must not be awaited from inside it. */
  readonly #failLater = (error: unknown): void => void this.fail(error)

  /** Stage 1: the waiting prompt, chunk by chunk, each sent on while the next is computed. */
  async #prefill(): Promise<void> {
    const prompt = this.#waiting
    this.#waiting = undefined
    if (!prompt || !this.#isCurrent(prompt.turn)) return
    const size = chunkSize(prompt.chunkTokens, this.#options.hiddenSize)
    this.#timers.expectStep(DEADLINES.decodeStepMs + Math.ceil(prompt.tokens.length / size) * DEADLINES.prefillChunkMs)
    for (const step of promptSteps(prompt, size)) {
      if (!this.#isCurrent(prompt.turn)) return
      await this.#runStep(step, { type: 'tokens', tokens: step.tokens })
    }
  }

  /** Stage 1: the token that came back round the ring. */
  async #decode(message: Pick<StageMessageOf<'token'>, 'turn' | 'position' | 'token'>): Promise<void> {
    if (!this.#isCurrent(message.turn)) return
    this.#timers.expectStep(DEADLINES.decodeStepMs)
    const step = decodeStep(message)
    await this.#runStep(step, { type: 'tokens', tokens: step.tokens })
  }

  async #onStep(message: StepMessage): Promise<void> {
    if (message.rows.length !== message.tokens.length * this.#options.hiddenSize * 4 || message.rows.length === 0) {
      throw badMessage('A step has activations of the wrong shape.')
    }
    this.#turn = Math.max(this.#turn, message.turn)
    if (!this.#isCurrent(message.turn)) return
    await this.#runStep(message, { type: 'hidden', values: floatsFromBytes(message.rows) })
  }

  async #runStep(message: StepMessage, input: StepInput['input']): Promise<void> {
    const { host, cache } = this.#options
    if (message.generation) this.#tail?.begin(message.generation)
    const logits = this.#tail && message.sample ? 'last' : 'none'
    const work = host.run({ cache, position: message.position, input, logits })
    this.#latestRun = work
    const run = await work
    if (this.#closed) return
    this.#timers.touch()
    this.#meter.step(message.tokens.length, run)
    if (run.output.type === 'failed') throw run.output.error
    this.#tail?.note(message.position, message.tokens)
    if (!this.#isCurrent(message.turn)) return
    if (run.output.type === 'hidden') await this.#passOn(message, run.output.values)
    else if (message.sample) this.#drawToken(message.turn, run.output.values)
  }

  async #passOn(message: StepMessage, values: Float32Array): Promise<void> {
    assert(this.#next, 'a stage without the head has a next one')
    if (message.acknowledge) await this.#next.credit()
    if (!this.#closed) this.#next.send({ ...message, rows: floatBytes(values) })
  }

  /** The tail: after the last rows of a prompt, or a decode step, one token goes out. */
  #drawToken(turn: number, logits: Float32Array): void {
    assert(this.#tail, 'only the tail has logits')
    for (const { message, forFirst } of this.#tail.draw(turn, logits)) {
      if (forFirst) this.#toFirst(forFirst)
      this.#toClient(message)
    }
  }

  /** Closes the ring: to stage 1 by link, or straight back when this is the only stage. */
  #toFirst(message: StageMessageOf<'token'> | StageMessageOf<'end'>): void {
    if (this.#next) this.#next.send(message)
    else if (message.type === 'token') this.#start(() => this.#decode(message))
    else this.#timers.stepDone()
  }

  #isCurrent(turn: number): boolean {
    return !this.#closed && turn === this.#turn && turn > this.#cancelled
  }

  #toClient(message: StageMessage): void {
    this.#options.control.send(encodeStageMessage(message))
  }

  /** A link that ends while the session lives is lost, whatever the neighbour's reason. */
  #watch(finished: Promise<void>, neighbour: Neighbour | undefined): void {
    assert(neighbour, 'a link leads to a neighbour')
    const lost = linkLost(neighbour)
    finished.then(
      () => this.#failLater(lost),
      (error: unknown) => this.#failLater(codeOf(error)?.startsWith('WIRE_') ? lost : error),
    )
  }
}
