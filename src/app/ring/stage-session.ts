/**
 * One session at one stage: takes prompts (stage 1) or activations (the others), runs them through the engine in
 * order, and passes the result on. The tail samples and sends the token to stage 1 and, beside it, to the client.
 * Ends by the client, by a failure, by silence; every end frees the cache once.
 * Spec: docs/spec/wire.md §4.
 * @module
 */
import { assert } from '../../base/assert.ts'
import { milliseconds } from '../../base/brand.ts'
import { codeOf, HouseError, messageOf } from '../../base/error.ts'
import { DEADLINES, SESSION_LIMITS } from '../../base/limits.ts'
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
import { linkLost, RingError } from './ring-error.ts'
import { placeIn, type RingPlace } from './ring-place.ts'
import { createStageLink, type StageLink } from './stage-link.ts'
import { createMeter, type StageMeter } from './stage-meter.ts'
import { createTail, type Tail } from './tail.ts'
import { createTimer, type Timer } from './timer.ts'

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
  #next: StageLink | undefined
  #previous: Channel | undefined
  #turn = 0
  #cancelled = 0
  #closed = false
  /** Prompts and, in a ring of one, decode steps: one after the other. */
  #running: Promise<unknown> = Promise.resolve()
  /** The engine's latest work for this session; it works in order. */
  #latestRun: Promise<unknown> = Promise.resolve()
  readonly #stepTimer: Timer
  readonly #idleTimer: Timer

  constructor(options: StageSessionOptions, ports: { clock: Clock; log: Log }) {
    const { capacity } = options.open
    this.place = placeIn(options.open)
    this.#options = options
    this.#ports = ports
    this.#isFirst = this.place.isFirst
    this.#tail = this.place.isTail ? createTail({ endTokens: options.endTokens, capacity }) : undefined
    this.#stepTimer = createTimer(ports.clock)
    this.#idleTimer = createTimer(ports.clock)
    this.#touch()
  }

  /** Takes over the link to the next stage; a session that has ended drops it. */
  attachNext(channel: Channel): void {
    if (this.#closed) {
      channel.abort('session closed')
      return
    }
    this.#next = createStageLink(channel)
    this.#watch(this.#next.finished, 'next')
  }

  /** Takes over the link of the stage before; resolves when the session no longer reads it. */
  async attachPrevious(channel: Channel): Promise<void> {
    this.#previous = channel
    const reading = this.#readPrevious(channel)
    this.#watch(reading, 'previous')
    await reading.catch(() => undefined)
  }

  /** Tells the client that both links stand. */
  ready(): void {
    if (!this.#closed) this.#toClient({ type: 'ready' })
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
        this.#touch()
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
    const code = codeOf(error) ?? 'RING_STAGE_FAILED'
    this.#ports.log.write('warn', 'session.failed', {
      session: this.#options.open.session,
      code,
      why: messageOf(error),
    })
    try {
      this.#toClient({
        type: 'failed',
        code,
        message: error instanceof HouseError ? error.message : 'The stage failed.',
      })
    } catch {
      // The client is gone: nobody is left to be told.
    }
    await this.close()
  }

  /** Frees everything once: links, control channel and, after the running step, the cache. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#stepTimer.disarm()
    this.#idleTimer.disarm()
    this.#next?.channel.abort('session closed')
    this.#previous?.abort('session closed')
    await this.#options.control.close().catch(() => undefined)
    await Promise.allSettled([this.#running, this.#latestRun])
    await this.#options.host.closeCache(this.#options.cache).catch(() => undefined)
    this.#options.onClosed()
  }

  #onControl(message: StageMessage): void {
    switch (message.type) {
      case 'prompt':
        if (!this.#isFirst) throw new RingError('RING_BAD_MESSAGE', 'Only stage 1 takes a prompt.')
        this.#start(() => this.#prefill(message))
        return
      case 'cancel':
        this.#cancelled = Math.max(this.#cancelled, message.turn)
        this.#stepTimer.disarm()
        return
      case 'ask-statistics':
        this.#toClient({ type: 'statistics', statistics: this.statistics() })
        return
      default:
        throw new RingError('RING_BAD_MESSAGE', `A client may not send "${message.type}".`)
    }
  }

  async #readPrevious(channel: Channel): Promise<void> {
    for (let bytes = await channel.receive(); bytes !== undefined; bytes = await channel.receive()) {
      this.#touch()
      const message = decodeStageMessage(bytes)
      if (message.type === 'step' && !this.#isFirst) {
        await this.#onStep(message)
        if (message.acknowledge) channel.send(encodeStageMessage({ type: 'acknowledge', turn: message.turn }))
      } else if (message.type === 'token' && this.#isFirst) {
        await this.#decode(message.turn, message.position, message.token)
      } else if (message.type === 'end' && this.#isFirst) {
        this.#stepTimer.disarm()
      } else {
        throw new RingError('RING_BAD_MESSAGE', `The stage before sent "${message.type}" where it may not.`)
      }
    }
  }

  /** Runs one piece of work after the one before it; a failure ends the session. */
  #start(work: () => Promise<void>): void {
    this.#running = this.#running.then(work).catch(this.#failLater)
  }

  /** `fail` waits for `#running`, so it must not be awaited from inside it. */
  readonly #failLater = (error: unknown): void => void this.fail(error)

  /** Stage 1: a prompt, chunk by chunk, each sent on while the next is computed. */
  async #prefill(prompt: PromptMessage): Promise<void> {
    const { tokens, generation, turn } = prompt
    if (tokens.length === 0) throw new RingError('RING_BAD_MESSAGE', 'A prompt needs at least one token.')
    const size = Math.min(Math.max(prompt.chunkTokens, 1), SESSION_LIMITS.prefillChunkTokensMax)
    this.#turn = Math.max(this.#turn, turn)
    const chunks = Math.ceil(tokens.length / size)
    this.#armStep(DEADLINES.decodeStepMs + chunks * DEADLINES.prefillChunkMs)
    for (let start = 0; start < tokens.length && this.#isCurrent(turn); start += size) {
      const chunk = tokens.slice(start, start + size)
      await this.#runStep(
        {
          type: 'step',
          turn,
          position: prompt.position + start,
          sample: start + size >= tokens.length,
          acknowledge: true,
          generation: start === 0 ? generation : undefined,
          tokens: chunk,
          rows: new Uint8Array(0),
        },
        { type: 'tokens', tokens: chunk },
      )
    }
  }

  /** Stage 1: the token that came back round the ring. */
  async #decode(turn: number, position: number, token: number): Promise<void> {
    if (!this.#isCurrent(turn)) return
    this.#armStep(DEADLINES.decodeStepMs)
    const tokens = Int32Array.of(token)
    const step = { turn, position, sample: true, acknowledge: false, generation: undefined, tokens } as const
    await this.#runStep({ type: 'step', ...step, rows: new Uint8Array(0) }, { type: 'tokens', tokens })
  }

  async #onStep(message: StepMessage): Promise<void> {
    if (message.rows.length !== message.tokens.length * this.#options.hiddenSize * 4 || message.rows.length === 0) {
      throw new RingError('RING_BAD_MESSAGE', 'A step has activations of the wrong shape.')
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
    this.#meter.step(message.tokens.length, run)
    if (run.output.type === 'failed') throw run.output.error
    if (!this.#isCurrent(message.turn)) return
    if (run.output.type === 'hidden') await this.#passOn(message, run.output.values)
    else this.#finishStep(message, run.output.values)
  }

  async #passOn(message: StepMessage, values: Float32Array): Promise<void> {
    assert(this.#next, 'a stage without the head has a next one')
    if (message.acknowledge) await this.#next.credit()
    if (!this.#closed) this.#next.send({ ...message, rows: floatBytes(values) })
  }

  /** The tail: after the last rows of a prompt, or a decode step, one token goes out. */
  #finishStep(message: StepMessage, logits: Float32Array): void {
    assert(this.#tail, 'only the tail has logits')
    this.#tail.note(message.position, message.tokens)
    if (!message.sample) return
    const { token, position, digest, end } = this.#tail.draw(logits)
    const { turn } = message
    if (end !== 'end-token') {
      const drawn = { type: 'token', turn, position, token, digest } as const
      if (end === undefined) this.#toFirst({ ...drawn, digest: undefined })
      this.#toClient(drawn)
    }
    if (end !== undefined) {
      const message = { type: 'end', turn, reason: end, position } as const
      this.#toFirst(message)
      this.#toClient(message)
    }
  }

  /** Closes the ring: to stage 1 by link, or straight back when this is the only stage. */
  #toFirst(message: StageMessageOf<'token'> | StageMessageOf<'end'>): void {
    if (this.#next) this.#next.send(message)
    else if (message.type === 'token') this.#start(() => this.#decode(message.turn, message.position, message.token))
    else this.#stepTimer.disarm()
  }

  #isCurrent(turn: number): boolean {
    return !this.#closed && turn === this.#turn && turn > this.#cancelled
  }

  #toClient(message: StageMessage): void {
    this.#options.control.send(encodeStageMessage(message))
  }

  #armStep(afterMs: number): void {
    const late = `A step did not come back round the ring within ${afterMs / 1_000} s.`
    this.#stepTimer.arm(milliseconds(afterMs), () => this.#failLater(new RingError('RING_STEP_DEADLINE', late)))
  }

  #touch(): void {
    const idle = 'The session was not used for too long; start a new one.'
    this.#idleTimer.arm(milliseconds(SESSION_LIMITS.idleMsMax), () => {
      this.#failLater(new RingError('RING_SESSION_IDLE', idle))
    })
  }

  /** A link that ends while the session lives is lost, whatever the neighbour's reason. */
  #watch(finished: Promise<void>, side: 'next' | 'previous'): void {
    const lost = linkLost(side)
    finished.then(
      () => this.#failLater(lost),
      (error: unknown) => this.#failLater(codeOf(error)?.startsWith('WIRE_') ? lost : error),
    )
  }
}
