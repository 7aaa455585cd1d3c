/**
 * @libp2p/tls without its deadlock. Its adapter to Node's streams (3.1.10, toNodeDuplex) stops reading while it waits to
 * write, so two peers that send much to each other at once wait for each other for ever; seen with two 8 MiB messages
 * echoed at once. Here the adapter is told that every write was taken: libp2p's connection queues what the socket does
 * not take, and the flow-control windows of the streams bound that queue.
 * Spec: docs/spec/wire.md §2.4.
 * @module
 */
import type { ConnectionEncrypter, MessageStream } from '@libp2p/interface'

/** `encrypter`, changed in place; other users of the factory are not touched. */
export function withoutWriteStalls<Encrypter extends ConnectionEncrypter>(encrypter: Encrypter): Encrypter {
  const secureInbound = encrypter.secureInbound.bind(encrypter)
  const secureOutbound = encrypter.secureOutbound.bind(encrypter)
  encrypter.secureInbound = (connection, options) => secureInbound(neverFull(connection), options)
  encrypter.secureOutbound = (connection, options) => secureOutbound(neverFull(connection), options)
  return encrypter
}

function neverFull<Connection extends MessageStream>(connection: Connection): Connection {
  const send = connection.send.bind(connection)
  connection.send = (data) => {
    send(data)
    return true
  }
  return connection
}
