/**
 * FramedChannel: the Channel of the Wire port over any ordered stream of bytes (a ByteLink). Frames, end markers, bounds
 * and the meaning of every way to end are here, once, for all wires; a link only moves bytes and says when it is gone.
 * Spec: docs/spec/wire.md §2.1 and §2.2.
 * @module
 */
import type { PeerId } from '../base/brand.ts'
import { WIRE_LIMITS } from '../base/limits.ts'
import { acceptMarker, createFrameDecoder, encodeFrame, endMarker } from './frame.ts'
import { createInbox, type Inbox } from './inbox.ts'
import { type Channel, type ProtocolId, WireError } from './wire.ts'
import { tooLong } from './wire-errors.ts'

/** What a link tells its channel. */
export interface LinkSink {
  data(bytes: Uint8Array): void
  /** The other side sends no more bytes. */
  finished(): void
  /** Some of the unsent bytes have gone out. */
  drained(): void
  /** The link is gone in both directions; nothing follows. */
  gone(cause?: unknown): void
}

/** A bidirectional stream of bytes to one peer. */
export interface ByteLink {
  /** Called once, by the channel. What arrived before is handed over. */
  attach(sink: LinkSink): void
  /** Queues bytes; never blocks; throws when the link is gone. */
  send(bytes: Uint8Array): void
  /** Bytes accepted by `send` which have not left this process. */
  readonly unsentBytes: number
  /** Closes our direction after what was sent. Resolves when it has left, or after a bounded wait; never rejects. */
  finish(): Promise<void>
  /** Drops both directions at once. */
  reset(reason: string): void
}

export interface FramedChannelOptions {
  readonly peer: PeerId
  readonly protocol: ProtocolId
  readonly messageBytesMax: number
  /** The opener waits for the acceptor's accept marker, which is the first thing that the acceptor sends. */
  readonly role: 'opener' | 'acceptor'
  /** Called once, when the channel is gone in both directions. */
  readonly onReleased?: () => void
}

export class FramedChannel implements Channel {
  readonly peer: PeerId
  readonly protocol: ProtocolId
  readonly #messageBytesMax: number
  readonly #link: ByteLink
  readonly #inbox: Inbox
  readonly #decode: (chunk: Uint8Array) => void
  readonly #onReleased: (() => void) | undefined
  readonly #accepted = Promise.withResolvers<void>()
  readonly #changeListeners = new Set<() => void>()
  #awaitsAccept: boolean
  #bytesSent = 0
  #bytesReceived = 0
  #failure: WireError | undefined
  #closing: Promise<void> | undefined
  /** Our direction has gone out, end marker included. */
  #finished = false
  #released = false

  constructor(link: ByteLink, options: FramedChannelOptions) {
    this.peer = options.peer
    this.protocol = options.protocol
    this.#messageBytesMax = options.messageBytesMax
    this.#link = link
    this.#onReleased = options.onReleased
    this.#inbox = createInbox({
      messagesMax: WIRE_LIMITS.channelQueueMessagesMax,
      bytesMax: WIRE_LIMITS.channelQueueBytesMax,
    })
    this.#decode = createFrameDecoder(options.messageBytesMax, {
      message: (message) => this.#onMessage(message),
      accept: () => this.#onAccept(),
      end: () => this.#onEnd(),
    })
    this.#awaitsAccept = options.role === 'opener'
    // Only openers look at it; without this, a failed accept would count as an unhandled rejection.
    this.#accepted.promise.catch(() => undefined)
    link.attach({
      data: (bytes) => this.#onData(bytes),
      finished: () => this.#onFinished(),
      drained: () => this.#announceChange(),
      gone: (cause) => this.#onGone(cause),
    })
    if (options.role === 'acceptor') this.#write(acceptMarker())
  }

  get bytesSent(): number {
    return this.#bytesSent
  }

  get bytesReceived(): number {
    return this.#bytesReceived
  }

  /** For openers: resolves when the other side's handler has taken the channel, rejects when it is gone before. */
  async accepted(signal?: AbortSignal): Promise<void> {
    await abortable(this.#accepted.promise, signal)
  }

  send(message: Uint8Array): void {
    if (this.#failure) throw this.#failure
    if (this.#closing) throw new WireError('WIRE_CHANNEL_CLOSED', 'This side of the channel is closed already.')
    if (message.length > this.#messageBytesMax) throw tooLong(message.length, this.#messageBytesMax)
    if (this.#link.unsentBytes + message.length > WIRE_LIMITS.channelQueueBytesMax) throw this.#overflow('outgoing')
    this.#write(encodeFrame(message))
    if (this.#failure) throw this.#failure
    this.#bytesSent += message.length
  }

  async drained(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted()
    while (!this.#failure && this.#link.unsentBytes > WIRE_LIMITS.channelHighWaterBytes) await this.#change(signal)
    if (this.#failure) throw this.#failure
  }

  receive(signal?: AbortSignal): Promise<Uint8Array | undefined> {
    return this.#inbox.receive(signal)
  }

  close(): Promise<void> {
    this.#closing ??= this.#closeOurSide()
    return this.#closing
  }

  abort(reason: string): void {
    this.#drop(
      new WireError('WIRE_CHANNEL_CLOSED', `The channel was dropped here: ${reason}.`, { details: { reason } }),
    )
  }

  /** As `abort`, with the error that this side's calls then give. */
  #drop(error: WireError): void {
    if (this.#released) return
    this.#release(error, true)
    this.#link.reset(error.message)
  }

  /** End marker first, then `error` for whoever still uses the channel. For a wire that stops. */
  async shutDown(error: WireError): Promise<void> {
    await this.close()
    this.#drop(error)
  }

  async #closeOurSide(): Promise<void> {
    if (this.#failure || this.#released) return
    this.#write(endMarker())
    if (this.#failure) return
    await this.#link.finish()
    this.#finished = true
    this.#releaseWhenDone()
  }

  #write(bytes: Uint8Array): void {
    try {
      this.#link.send(bytes)
    } catch (cause) {
      this.#onGone(cause)
    }
  }

  #onData(bytes: Uint8Array): void {
    if (this.#released) return
    try {
      this.#decode(bytes)
    } catch (error) {
      if (!(error instanceof WireError)) throw error
      this.#drop(error)
    }
  }

  #onMessage(message: Uint8Array): void {
    if (this.#released) return
    if (this.#awaitsAccept || this.#inbox.ended) {
      this.#drop(outOfOrder())
      return
    }
    this.#bytesReceived += message.length
    if (!this.#inbox.push(message)) this.#overflow('incoming')
  }

  #onAccept(): void {
    if (!this.#awaitsAccept) this.#drop(outOfOrder())
    this.#awaitsAccept = false
    this.#accepted.resolve()
  }

  #onEnd(): void {
    if (this.#awaitsAccept || this.#inbox.ended) this.#drop(outOfOrder())
    else this.#inbox.end()
    this.#releaseWhenDone()
  }

  /** The stream of bytes ended: fine after an end marker, a cut without. */
  #onFinished(): void {
    if (this.#released || this.#inbox.ended) return
    this.#onGone()
    this.#link.reset('the other side ended its stream without an end marker')
  }

  #onGone(cause?: unknown): void {
    if (this.#released) return
    if (this.#closing && this.#inbox.ended) {
      this.#release(bothClosed(), false)
      return
    }
    const error = new WireError('WIRE_CHANNEL_CUT', 'The other side of the channel went away.', {
      details: { peer: this.peer, protocol: this.protocol },
      cause,
    })
    this.#release(error, false)
  }

  #overflow(direction: 'incoming' | 'outgoing'): WireError {
    const sentence =
      direction === 'incoming'
        ? 'This side reads its messages too slowly; the channel was dropped.'
        : 'The other side takes our messages too slowly; the channel was dropped.'
    const error = new WireError('WIRE_QUEUE_FULL', sentence, { details: { direction, protocol: this.protocol } })
    this.#drop(error)
    return error
  }

  #release(error: WireError, dropQueue: boolean): void {
    this.#released = true
    this.#failure = error
    this.#inbox.fail(error, dropQueue)
    this.#accepted.reject(error)
    this.#announceChange()
    this.#onReleased?.()
  }

  /** Both sides have ended: nothing is left to happen. */
  #releaseWhenDone(): void {
    if (this.#released || !this.#finished || !this.#inbox.ended) return
    this.#release(bothClosed(), false)
  }

  #announceChange(): void {
    for (const listener of [...this.#changeListeners]) listener()
  }

  async #change(signal: AbortSignal | undefined): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#changeListeners.add(resolve)
    try {
      await abortable(promise, signal)
    } finally {
      this.#changeListeners.delete(resolve)
    }
  }
}

/** `promise`, or a rejection with the signal's reason when that comes first. */
export async function abortable<Value>(promise: Promise<Value>, signal: AbortSignal | undefined): Promise<Value> {
  if (!signal) return await promise
  signal.throwIfAborted()
  return await new Promise<Value>((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}

function bothClosed(): WireError {
  return new WireError('WIRE_CHANNEL_CLOSED', 'Both sides have closed the channel.')
}

function outOfOrder(): WireError {
  return new WireError('WIRE_CHANNEL_CUT', 'The other side broke the rules of channels: a frame out of order.')
}
