/**
 * A libp2p stream as a ByteLink. Works on the stream's events directly: js-libp2p's own framing helpers cost a third of
 * a round trip more, and its onDrain() never waits twice.
 * Spec: docs/spec/wire.md §2.4.
 * @module
 */
import type { Stream } from '@libp2p/interface'
import { milliseconds } from '../base/brand.ts'
import { DEADLINES } from '../base/limits.ts'
import type { Clock } from '../base/ports.ts'
import type { ByteLink, LinkSink } from './channel.ts'
import { withDirectMessages } from './direct-messages.ts'
import { withFewerUpdates } from './yamux-updates.ts'

export function createStreamLink(opened: Stream, clock: Clock): ByteLink {
  const stream = withDirectMessages(withFewerUpdates(opened))
  return {
    attach: (sink) => attach(stream, sink),
    send: (bytes) => {
      stream.send(bytes)
    },
    get unsentBytes() {
      return stream.writeBufferLength
    },
    finish: () => finish(stream, clock),
    reset: (reason) => stream.abort(new Error(reason)),
  }
}

function attach(stream: Stream, sink: LinkSink): void {
  // libp2p goes on sending in a microtask that its own, earlier listener queues; what is unsent is known after that.
  const onDrained = (): void => queueMicrotask(() => sink.drained())
  stream.addEventListener('message', ({ data }) => {
    if (data instanceof Uint8Array) sink.data(data)
    else for (const part of data) sink.data(part)
  })
  stream.addEventListener('drain', onDrained)
  stream.addEventListener('idle', onDrained)
  stream.addEventListener('remoteCloseWrite', () => sink.finished())
  stream.addEventListener('close', ({ error }) => sink.gone(error))
  // Events that came before us are not replayed, except bytes, which come in a microtask queued by the lines above.
  queueMicrotask(() => {
    if (stream.status !== 'open' && stream.status !== 'closing') sink.gone()
    else if (stream.remoteWriteStatus === 'closed') sink.finished()
  })
}

async function finish(stream: Stream, clock: Clock): Promise<void> {
  const deadline = new AbortController()
  const cancel = clock.schedule(milliseconds(DEADLINES.channelCloseMs), () =>
    deadline.abort(new Error('the other side does not take what is left')),
  )
  try {
    await stream.close({ signal: deadline.signal })
  } catch (error) {
    stream.abort(error instanceof Error ? error : new Error(String(error)))
  } finally {
    cancel()
  }
}
