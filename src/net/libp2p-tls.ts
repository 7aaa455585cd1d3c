/**
 * @libp2p/tls (3.1.10) without two of its costs.
 *
 * Its deadlock: its adapter to Node's streams (toNodeDuplex) stops reading while it waits to write, so two peers that send
 * much to each other at once wait for each other for ever; seen with two 8 MiB messages echoed at once. Here the adapter
 * is told that every write was taken: libp2p's connection queues what the socket does not take, and the flow-control
 * windows of the streams bound that queue.
 *
 * Its small writes: a frame's header and body become two TLS records and two system calls. Here the sockets hold back
 * until the whole frame is there.
 * Spec: docs/spec/wire.md §2.4.
 * @module
 */
import type { ConnectionEncrypter, MessageStream, SecuredConnection } from '@libp2p/interface'

/** `encrypter`, changed in place; other users of the factory are not touched. */
export function withWholeWrites<Encrypter extends ConnectionEncrypter>(encrypter: Encrypter): Encrypter {
  const secureInbound = encrypter.secureInbound.bind(encrypter)
  const secureOutbound = encrypter.secureOutbound.bind(encrypter)
  encrypter.secureInbound = async (connection, options) => joined(await secureInbound(neverFull(connection), options))
  encrypter.secureOutbound = async (connection, options) => joined(await secureOutbound(neverFull(connection), options))
  return encrypter
}

function neverFull<Connection extends MessageStream>(connection: Connection): Connection {
  const send = connection.send.bind(connection)
  const socket = socketOf(connection)
  connection.send = (data) => {
    whole(socket, () => send(data))
    return true
  }
  return connection
}

function joined(secured: SecuredConnection): SecuredConnection {
  const { connection } = secured
  const send = connection.send.bind(connection)
  const socket = socketOf(connection)
  connection.send = (data) => whole(socket, () => send(data))
  return secured
}

interface Corkable {
  cork(): void
  uncork(): void
}

/** `write` with the socket held back meanwhile; a write that throws must not leave it so. */
function whole<Result>(socket: Corkable | undefined, write: () => Result): Result {
  socket?.cork()
  try {
    return write()
  } finally {
    socket?.uncork()
  }
}

/** The Node socket under a connection; a field of the library's classes that its types do not tell. */
function socketOf(connection: MessageStream): Corkable | undefined {
  const { socket } = connection as { socket?: Corkable }
  return typeof socket?.cork === 'function' ? socket : undefined
}
