/**
 * What comes over libp2p's streams and connections, handed over at once. @libp2p/utils (7.4.1) puts it into a list, takes it out again and dispatches an
 * event of the web's kind for it, which is for streams that are paused.
 * Spec: docs/spec/wire.md §2.4.
 * @module
 */
import type { MessageStream, StreamMessageEvent } from '@libp2p/interface'

type Data = StreamMessageEvent['data']
type Listener = (event: { readonly data: Data }) => void

/** What the library's classes have and its types keep to themselves. */
interface Receiver {
  readonly readStatus: string
  readonly remoteWriteStatus: string
  onData(data: Data): void
}

/** Changes a stream in place; does nothing to streams of other libraries. To be called before others listen. */
export function withDirectMessages<Stream extends MessageStream>(stream: Stream): Stream {
  const receiver = stream as Stream & Partial<Receiver>
  if (!isReceiver(receiver)) return stream
  const listeners = listenersOf(stream)
  const hold = receiver.onData.bind(receiver)
  receiver.onData = (data) => {
    // Else the library holds it back, or has something to do after it.
    const isOpen = receiver.readStatus === 'readable' && receiver.remoteWriteStatus !== 'closed'
    if (!isOpen || stream.readBufferLength > 0 || listeners.length === 0 || data.byteLength === 0) hold(data)
    else for (const listener of listeners.slice()) listener({ data })
  }
  return stream
}

function isReceiver<Stream>(stream: Stream & Partial<Receiver>): stream is Stream & Receiver {
  return typeof stream.onData === 'function'
}

/** Who listens to messages, from now on. */
function listenersOf(stream: MessageStream): readonly Listener[] {
  const listeners: Listener[] = []
  const { addEventListener, removeEventListener } = stream
  const forget = (listener: unknown): void => {
    const index = listeners.indexOf(listener as Listener)
    if (index >= 0) listeners.splice(index, 1)
  }
  stream.addEventListener = (...args: Parameters<typeof addEventListener>) => {
    const [type, listener] = args
    if (type === 'message') {
      forget(listener)
      listeners.push(listener as Listener)
    }
    addEventListener.apply(stream, args)
  }
  stream.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
    if (args[0] === 'message') forget(args[1])
    removeEventListener.apply(stream, args)
  }
  return listeners
}
