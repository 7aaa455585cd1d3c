/**
 * The client's end of a ring: opens a session at every stage, sends prompts to stage 1, and receives tokens from the
 * tail. Needs no weights. Knows which positions every stage holds, so that a turn that was cut short can be
 * continued. One turn at a time.
 * Spec: docs/spec/wire.md §4.
 * @module
 */
import { bytesToHex } from '@noble/hashes/utils.js'
import { assert } from '../../base/assert.ts'
import { type SessionId, sessionId } from '../../base/brand.ts'
import { codeOf } from '../../base/error.ts'
import { DEADLINES, SESSION_LIMITS } from '../../base/limits.ts'
import { withDeadline } from '../../net/deadline.ts'
import {
  decodeStageMessage,
  encodeStageMessage,
  STAGE_PROTOCOL,
  STAGE_PROTOCOL_OPTIONS,
  type StageMessage,
  type StageMessageOf,
  type StageMessageType,
} from '../../net/protocols/stage.ts'
import type { StageStatistics } from '../../net/protocols/statistics.ts'
import type { Channel } from '../../net/wire.ts'
import { type Heard, type HeardToken, tokensOf } from './heard.ts'
import { createInbox, type Inbox } from './inbox.ts'
import { checkRoom } from './prompt-room.ts'
import { usualChunk } from './prompt-steps.ts'
import { badMessage, RingError, stageFailed, stageLost } from './ring-error.ts'
import type { RingEvent, RingOptions, RingPorts, RingSession, TurnOptions } from './ring-session.ts'
import type { Route } from './route.ts'
import { createMovingDeadline, type MovingDeadline } from './timer.ts'

/** What the reading loops of the control channels hand over. */
type Received =
  | { readonly type: 'message'; readonly stage: number; readonly message: Heard }
  | { readonly type: 'end'; readonly stage: number }

/** What the tail says of tokens. */
const OF_TAIL: ReadonlySet<StageMessageType> = new Set(['token', 'end', 'progress'])
const TO_CLIENT: ReadonlySet<StageMessageType> = new Set(['ready', 'statistics', 'failed'])

/** Opens a session at every stage of the route; throws RingError or WireError and leaves nothing open. */
export async function openRing(options: RingOptions, ports: RingPorts, signal?: AbortSignal): Promise<RingSession> {
  const ring = new OpenRing(options, ports)
  try {
    await ring.open(signal)
    return ring
  } catch (error) {
    await ring.close()
    throw error
  }
}

class OpenRing implements RingSession {
  readonly id: SessionId
  readonly route: Route
  readonly #options: RingOptions
  readonly #ports: RingPorts
  readonly #channels: Channel[] = []
  /** A reader that is slower than the ring loses nothing of a whole answer. */
  readonly #inbox: Inbox<Received> = createInbox(SESSION_LIMITS.generatedTokensMax)
  #tokens: number[] = []
  /** Positions that every stage is known to hold. */
  #heldEverywhere = 0
  #turn = 0
  #busy = false
  #failure: RingError | undefined

  constructor(options: RingOptions, ports: RingPorts) {
    this.id = sessionId(bytesToHex(ports.random.bytes(16)))
    this.route = options.route
    this.#options = options
    this.#ports = ports
  }

  get tokens(): readonly number[] {
    return this.#tokens
  }

  async open(outer?: AbortSignal): Promise<void> {
    const late = () => new RingError('RING_STEP_DEADLINE', 'A miner took too long to open the session.')
    const { clock } = this.#ports
    await withDeadline({ clock, limitMs: DEADLINES.openSessionMs, late, signal: outer }, async (signal) => {
      await Promise.all(this.route.stages.map((_, index) => this.#openStage(index, signal)))
      await this.#expectOfAll('ready', signal)
    })
    this.#options.payer?.sendTo((voucher) => this.#tellAll({ type: 'voucher', voucher }))
  }

  async *generate(prompt: readonly number[], options: TurnOptions): AsyncGenerator<RingEvent, void, void> {
    assert(!this.#busy, 'one turn at a time')
    if (this.#failure) throw this.#failure
    const position = this.#heldEverywhere
    const pending = [...this.#tokens.slice(position), ...prompt]
    checkRoom(position + pending.length, pending.length, this.#options.capacity)
    const turn = this.#turn + 1
    this.#options.payer?.prompt({ turn, position, tokens: pending })
    this.#busy = true
    this.#turn = turn
    for (const token of prompt) this.#tokens.push(token)
    const deadline = createMovingDeadline(this.#ports.clock, options.signal)
    let ended = false
    try {
      this.#sendPrompt(turn, { position, pending, options })
      let chunksDue = Math.ceil(pending.length / this.#chunkSize(pending, options))
      while (!ended) {
        const event = await this.#nextEvent(turn, chunksDue, deadline)
        chunksDue = 0
        ended = event.type === 'end'
        yield event
      }
    } finally {
      this.#busy = false
      if (!ended) this.#tellAll({ type: 'cancel', turn })
      if (!this.#failure) await this.#options.payer?.settle()
    }
  }

  rewind(length: number): void {
    assert(!this.#busy && length <= this.#tokens.length, 'rewinding goes back, between turns')
    this.#tokens.length = length
    this.#heldEverywhere = Math.min(this.#heldEverywhere, length)
  }

  async statistics(): Promise<StageStatistics[]> {
    assert(!this.#busy, 'between turns')
    const late = () => new RingError('RING_STEP_DEADLINE', 'A miner did not answer.')
    return withDeadline({ clock: this.#ports.clock, limitMs: DEADLINES.statusMs, late }, async (signal) => {
      for (const channel of this.#channels) channel.send(encodeStageMessage({ type: 'ask-statistics' }))
      return (await this.#expectOfAll('statistics', signal)).map(({ statistics }) => statistics)
    })
  }

  async close(): Promise<void> {
    await this.#options.payer?.close()
    this.#failure ??= new RingError('RING_CLOSED', 'The session is closed.')
    await Promise.all(this.#channels.map((channel) => channel?.close().catch(() => undefined)))
  }

  async #openStage(stageIndex: number, signal: AbortSignal): Promise<void> {
    const stage = this.route.stages[stageIndex]!
    const channel = await this.#ports.wire.open(stage, STAGE_PROTOCOL, STAGE_PROTOCOL_OPTIONS, signal)
    if (this.#failure) {
      // Another stage failed meanwhile, and `close` has run without this channel.
      channel.abort('the session is closed')
      throw this.#failure
    }
    this.#channels[stageIndex] = channel
    const { model, stages } = this.route
    const { capacity, payer } = this.#options
    const lease = payer?.opening(this.id, stageIndex)
    channel.send(encodeStageMessage({ type: 'open', session: this.id, model, stageIndex, stages, capacity, lease }))
    void this.#read(channel, stageIndex)
  }

  async #read(channel: Channel, stage: number): Promise<void> {
    const { peer } = channel
    try {
      for (let bytes = await channel.receive(); bytes !== undefined; bytes = await channel.receive()) {
        const message = decodeStageMessage(bytes)
        if (!this.#maySend(stage, message.type)) throw badMessage('not a message for clients')
        if (message.type === 'failed') this.#end(stage, stageFailed(stage, message))
        else this.#onMessage(stage, message)
      }
      this.#end(stage, stageLost(stage, peer, 'closed the session'))
    } catch (cause) {
      const isGarbage = !codeOf(cause)?.startsWith('WIRE_') || codeOf(cause) === 'WIRE_MESSAGE_TOO_LONG'
      const why = isGarbage ? 'sent something that it may not send' : 'went away'
      this.#end(stage, stageLost(stage, peer, why))
      channel.abort('it is of no more use')
    }
  }

  /** Only the tail speaks of tokens, and of progress only when it is paid. */
  #maySend(stage: number, type: StageMessageType): boolean {
    const isTail = stage === this.route.stages.length - 1
    return (
      TO_CLIENT.has(type) || (isTail && OF_TAIL.has(type) && (type !== 'progress' || this.#options.payer !== undefined))
    )
  }

  /** What is computed counts when it is heard of, whether or not somebody waits for the answer. */
  #onMessage(stage: number, message: StageMessage): void {
    const { payer } = this.#options
    if (payer && (message.type === 'token' || message.type === 'end' || message.type === 'progress')) {
      if (!payer.told(message)) throw badMessage('The tail spoke of work that nobody asked for.')
    }
    if (message.type === 'progress') return
    if (message.type !== 'token') {
      this.#inbox.put({ type: 'message', stage, message })
      return
    }
    for (const heard of tokensOf(message)) this.#inbox.put({ type: 'message', stage, message: heard })
    const { turn, tokens } = message
    if (turn !== this.#turn || !payer?.isSpent) return
    const position = message.position + tokens.length - 1
    this.#tellAll({ type: 'cancel', turn })
    this.#inbox.put({ type: 'message', stage, message: { type: 'end', turn, position, reason: 'lease-spent' } })
  }

  /** The session's failure is known at once; a reader meets it after what came before. */
  #end(stage: number, failure: RingError): void {
    this.#failure ??= failure
    this.#inbox.put({ type: 'end', stage })
  }

  /** The next message; a failure of any stage ends the session. */
  async #take(signal?: AbortSignal): Promise<{ stage: number; message: Heard }> {
    const received = await this.#inbox.take(signal)
    if (received.type === 'message') return received
    assert(this.#failure, 'a session ends with a failure')
    throw this.#failure
  }

  /** One such message from every stage, in their order. */
  async #expectOfAll<Type extends StageMessageType>(type: Type, signal: AbortSignal): Promise<StageMessageOf<Type>[]> {
    const found: StageMessageOf<Type>[] = []
    for (let missing = this.route.stages.length; missing > 0; ) {
      const { stage, message } = await this.#take(signal)
      // Tokens of a cancelled turn may still be on their way.
      if (message.type === 'token' || message.type === 'end') continue
      if (message.type !== type || found[stage]) {
        throw badMessage(`Stage ${stage + 1} sent "${message.type}" where "${type}" was due.`)
      }
      found[stage] = message as StageMessageOf<Type>
      missing--
    }
    return found
  }

  #chunkSize({ length: tokens }: readonly number[], options: TurnOptions): number {
    const stages = this.route.stages.length
    const wanted = options.chunkTokens ?? usualChunk(tokens, stages)
    const paid = this.#options.payer?.chunkTokens({ tokens, stages })
    return Math.min(wanted, paid ?? wanted)
  }

  #sendPrompt(turn: number, prompt: { position: number; pending: readonly number[]; options: TurnOptions }): void {
    const { position, pending, options } = prompt
    const { generation, draftsMax = SESSION_LIMITS.windowRowsMax - 1 } = options
    const [tokens, chunkTokens] = [Int32Array.from(pending), this.#chunkSize(pending, options)]
    const message: StageMessage = { type: 'prompt', turn, position, tokens, chunkTokens, draftsMax, generation }
    this.#channels[0]!.send(encodeStageMessage(message))
  }

  async #nextEvent(turn: number, chunksDue: number, deadline: MovingDeadline): Promise<RingEvent> {
    const limitMs = 2 * DEADLINES.decodeStepMs + chunksDue * DEADLINES.prefillChunkMs
    deadline.arm(limitMs, () => new RingError('RING_STEP_DEADLINE', `The ring was silent for ${limitMs / 1_000} s.`))
    try {
      for (;;) {
        const { stage, message } = await this.#take(deadline.signal)
        if ('turn' in message && message.turn < turn) continue
        if (message.type === 'token') return this.#onToken(message)
        if (message.type === 'end') return this.#onEnd(message)
        throw badMessage(`Stage ${stage + 1} sent "${message.type}" during an answer.`)
      }
    } finally {
      deadline.disarm()
    }
  }

  #onToken(message: HeardToken): RingEvent {
    const { token, position, digest } = message
    if (position !== this.#tokens.length) throw badMessage('The tail sent a token out of order.')
    // The token at `position` was drawn from all positions before it: every stage holds those.
    this.#heldEverywhere = position
    this.#tokens.push(token)
    return { type: 'token', token, position, digest }
  }

  #onEnd(message: Extract<Heard, { type: 'end' }>): RingEvent {
    this.#heldEverywhere = Math.min(message.position, this.#tokens.length)
    return { type: 'end', reason: message.reason }
  }

  #tellAll(message: StageMessage): void {
    const bytes = encodeStageMessage(message)
    for (const channel of this.#channels) {
      try {
        channel.send(bytes)
      } catch {
        // A lost stage needs no telling; the reading loop has told of it.
      }
    }
  }
}
