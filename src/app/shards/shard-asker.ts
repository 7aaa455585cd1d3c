/**
 * The asking side of a shard channel: gives questions numbers, joins answers from their pieces, and holds the peer to the rules, to deadlines and to a
 * least speed. A peer that breaks the rules is judged; whatever ends the channel fails everything that was asked.
 * Spec: docs/spec/shards.md §4, docs/spec/wire.md §7.
 * @module
 */
import { milliseconds, type PeerId } from '../../base/brand.ts'
import { codeOf, messageOf } from '../../base/error.ts'
import { DEADLINES } from '../../base/limits.ts'
import type { Clock, Log } from '../../base/ports.ts'
import { SHARD_LIMITS } from '../../base/swarm-limits.ts'
import {
  decodeShardAnswer,
  encodeShardQuestion,
  SHARD_PROTOCOL,
  SHARD_PROTOCOL_OPTIONS,
  type ShardAnswerBody,
  type ShardQuestion,
  type ShardQuestionBody,
} from '../../net/protocols/shards.ts'
import type { Channel, PeerAddress, Wire } from '../../net/wire.ts'
import { ChunkSourceError } from './chunk-source.ts'
import { createProgressWatch, type ProgressWatch } from './progress-watch.ts'

export interface AskOptions {
  readonly signal: AbortSignal
  /** How many bytes an answer may have that says `total` bytes of the whole; undefined: no honest one says that. */
  readonly length?: (total: number) => number | undefined
  /** The length follows from a size that nothing has proved, as a manifest may lie: who has another one is given up, and not judged. Default: false. */
  readonly isSizeTold?: boolean
}

/** An answer that has come whole. */
export type WholeAnswer =
  | { readonly type: 'bytes'; readonly total: number; readonly bytes: Uint8Array }
  | Exclude<ShardAnswerBody, { type: 'piece' }>

export interface AskerPorts {
  readonly wire: Pick<Wire, 'open' | 'judge'>
  readonly clock: Clock
  readonly log: Log
}

interface Pending {
  readonly question: ShardQuestionBody
  readonly length: AskOptions['length']
  readonly isSizeTold: boolean
  readonly settle: (outcome: WholeAnswer | ChunkSourceError) => void
  /** Of the whole, as the first piece said. */
  total: number
  /** As long as all pieces together. */
  bytes: Uint8Array | undefined
  filled: number
}

/** @throws WireError of `wire.open`. */
export async function openShardAsker(to: PeerAddress, ports: AskerPorts, signal?: AbortSignal): Promise<ShardAsker> {
  return new ShardAsker(await ports.wire.open(to, SHARD_PROTOCOL, SHARD_PROTOCOL_OPTIONS, signal), ports)
}

export class ShardAsker {
  readonly #channel: Channel
  readonly #ports: AskerPorts
  readonly #watch: ProgressWatch
  /** Questions without their last answer, by number; also those that nobody waits for any more. */
  readonly #pending = new Map<number, Pending>()
  #lost: ChunkSourceError | undefined
  #nextId = 0
  #bytesReceived = 0

  constructor(channel: Channel, ports: AskerPorts) {
    this.#channel = channel
    this.#ports = ports
    this.#watch = createProgressWatch(ports.clock, () => void this.#end('it is too slow'))
    void this.#read()
  }

  get peer(): PeerId {
    return this.#channel.peer
  }

  /** Of pieces. */
  get bytesReceived(): number {
    return this.#bytesReceived
  }

  /**
   * @throws ChunkSourceError CHUNK_SOURCE_LOST; CHUNK_SOURCE_REFUSED, also where too many questions wait for their last answer; the signal's reason,
   * and then the peer is told.
   */
  async ask(question: ShardQuestionBody, { signal, length, isSizeTold = false }: AskOptions): Promise<WholeAnswer> {
    signal.throwIfAborted()
    if (this.#lost !== undefined) throw this.#lost
    if (this.#pending.size >= SHARD_LIMITS.questionsMax) throw refused('too many questions wait')
    const id = this.#nextId++
    const answered = Promise.withResolvers<WholeAnswer>()
    const limitMs = question.type === 'chunk' ? DEADLINES.shardChunkMs : DEADLINES.shardAnswerMs
    const cancel = this.#ports.clock.schedule(milliseconds(limitMs), () => void this.#end('it does not answer'))
    const settle: Pending['settle'] = (outcome) => {
      cancel()
      if (outcome instanceof ChunkSourceError) answered.reject(outcome)
      else answered.resolve(outcome)
    }
    this.#pending.set(id, { question, length, isSizeTold, settle, total: 0, bytes: undefined, filled: 0 })
    this.#watch.owes(true)
    this.#send({ id, ...question })
    const leave = (): void => {
      answered.reject(signal.reason)
      this.#send({ id, type: 'leave' })
    }
    signal.addEventListener('abort', leave, { once: true })
    try {
      const answer = await answered.promise
      if (answer.type === 'refused') throw refused(codeIn(answer.code))
      return answer
    } finally {
      signal.removeEventListener('abort', leave)
    }
  }

  /** Ends everything and judges: no honest peer sends what it sent. */
  misbehaved(why: string): ChunkSourceError {
    const { wire, log } = this.#ports
    if (this.#lost === undefined) {
      log.write('info', 'shards.misbehaved', { peer: this.peer, why })
      wire.judge(this.peer, 'misbehaved')
    }
    return this.#end(why)
  }

  /** Fails what was asked. Idempotent. */
  async close(): Promise<void> {
    const isOpen = this.#lost === undefined
    this.#fail('it was closed here')
    if (isOpen) await this.#channel.close()
    this.#channel.abort('it was closed')
  }

  #end(why: string): ChunkSourceError {
    const lost = this.#fail(why)
    this.#channel.abort(why)
    return lost
  }

  #fail(why: string): ChunkSourceError {
    if (this.#lost !== undefined) return this.#lost
    const details = { peer: this.peer }
    this.#lost = new ChunkSourceError('CHUNK_SOURCE_LOST', `Nothing more comes from the peer: ${why}.`, { details })
    this.#watch.close()
    for (const { settle } of this.#pending.values()) settle(this.#lost)
    this.#pending.clear()
    return this.#lost
  }

  #send(question: ShardQuestion): void {
    if (this.#lost !== undefined) return
    try {
      this.#channel.send(encodeShardQuestion(question))
    } catch (error) {
      this.#end(messageOf(error))
    }
  }

  async #read(): Promise<void> {
    try {
      for (
        let message = await this.#channel.receive();
        message !== undefined;
        message = await this.#channel.receive()
      ) {
        const problem = this.#take(message)
        if (problem !== undefined) this.misbehaved(problem)
      }
      this.#end('it has ended the channel')
    } catch (error) {
      const code = codeOf(error) ?? ''
      if (code.startsWith('CODEC_') || code === 'WIRE_MESSAGE_TOO_LONG') this.misbehaved('its messages are none')
      else this.#end(messageOf(error))
    }
  }

  /** What is wrong with the message, or undefined. @throws CodecError. */
  #take(message: Uint8Array): string | undefined {
    const { id, ...answer } = decodeShardAnswer(message)
    const pending = this.#pending.get(id)
    if (pending === undefined) return 'it answers what it was not asked'
    if (!isAnswerTo(pending.question, answer)) return 'its answer is none to the question'
    if (answer.type !== 'piece') {
      this.#finish(id, answer)
      return undefined
    }
    this.#watch.came(answer.bytes.length)
    this.#bytesReceived += answer.bytes.length
    if (pending.isSizeTold && pending.bytes === undefined && pending.length?.(answer.total) === undefined) {
      this.#end('what it has of this name has another size')
      return undefined
    }
    const problem = addPiece(pending, answer)
    if (problem === undefined && answer.isLast) {
      this.#finish(id, { type: 'bytes', total: pending.total, bytes: pending.bytes! })
    }
    return problem
  }

  #finish(id: number, answer: WholeAnswer): void {
    this.#pending.get(id)?.settle(answer)
    this.#pending.delete(id)
    this.#watch.owes(this.#pending.size > 0)
  }
}

function isAnswerTo(question: ShardQuestionBody, answer: ShardAnswerBody): boolean {
  switch (answer.type) {
    case 'absent':
    case 'refused':
      return true
    case 'piece':
      return question.type === 'chunk' || question.type === 'manifest' || question.type === 'leaves'
    case 'holdings':
    case 'link':
      return question.type === answer.type
  }
}

/** What is wrong with the piece, or undefined. */
function addPiece(pending: Pending, piece: Extract<ShardAnswerBody, { type: 'piece' }>): string | undefined {
  if (pending.bytes === undefined) {
    const length = pending.length?.(piece.total)
    if (length === undefined) return 'its answer is not as long as it must be'
    pending.total = piece.total
    pending.bytes = new Uint8Array(length)
  }
  const { bytes, filled } = pending
  const end = filled + piece.bytes.length
  if (piece.total !== pending.total || end > bytes.length) return 'its answer is longer than it said'
  if (piece.isLast !== (end === bytes.length)) return 'its answer is not as long as it said'
  // Otherwise a peer could send nothing without end.
  if (piece.bytes.length === 0 && bytes.length > 0) return 'its answer has an empty piece'
  bytes.set(piece.bytes, filled)
  pending.filled = end
  return undefined
}

function refused(why: string): ChunkSourceError {
  return new ChunkSourceError('CHUNK_SOURCE_REFUSED', `The peer cannot be asked for this now: ${why}.`)
}

/** Words of a stranger do not go to the terminal. */
function codeIn(text: string): string {
  return /^[A-Z_]{1,64}$/.test(text) ? text : 'without a code'
}
