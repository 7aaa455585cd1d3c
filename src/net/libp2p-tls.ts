/**
 * libp2p's TLS straight on the TCP socket. @libp2p/tls (3.1.10) runs TLS over a stream of its own making on top of libp2p's
 * connection, which costs a step of a ring two more layers of JavaScript on its way out and in, and stops reading while it
 * waits to write, so that two peers that send much to each other at once wait for ever. Here Node's TLS has the socket
 * itself, as it has in any server; libp2p's connection stays, for its address and its end. Certificates, their
 * verification and the stream above TLS are the package's own.
 * Spec: docs/spec/wire.md §2.4; https://github.com/libp2p/specs/blob/master/tls/tls.md.
 * @module
 */
import { once } from 'node:events'
import { createRequire } from 'node:module'
import type { Socket } from 'node:net'
import { connect, TLSSocket } from 'node:tls'
import { pathToFileURL } from 'node:url'
import type {
  AbortOptions,
  ConnectionEncrypter,
  Logger,
  MessageStream,
  PeerId,
  PrivateKey,
  SecureConnectionOptions,
  SecuredConnection,
  StreamMuxerFactory,
} from '@libp2p/interface'
import type { TLSComponents } from '@libp2p/tls'

/** What the package keeps to itself: it exports only the whole encrypter. */
interface TlsUtils {
  generateCertificate(privateKey: PrivateKey, options?: AbortOptions): Promise<{ cert: string; key: string }>
  /** Throws for anything that does not prove the key of `expected`. */
  verifyPeerCertificate(certificate: Uint8Array, expected?: PeerId, log?: Logger): Promise<PeerId>
  toMessageStream(connection: MessageStream, socket: TLSSocket): MessageStream
}

/** Fields of libp2p's TCP connection that its types do not tell. */
interface TcpConnection extends MessageStream {
  readonly socket: Socket
  /** What came after the negotiation that ended in TLS. */
  readonly readBuffer: { readonly byteLength: number; subarray(): Uint8Array; consume(bytes: number): void }
}

/** Says that a peer has no muxer to tell: one is negotiated afterwards. */
const NO_MUXER = 'libp2p'

/** Makes encrypters out of those of @libp2p/tls, changed in place; connections other than TCP stay with the package. */
export async function loadDirectTls(): Promise<(components: TLSComponents) => ConnectionEncrypter> {
  const { tls } = await import('@libp2p/tls')
  const entry = pathToFileURL(createRequire(import.meta.url).resolve('@libp2p/tls'))
  const utils = (await import(new URL('utils.js', entry).href)) as TlsUtils
  return (components) => {
    const encrypter = tls()(components)
    const packaged = {
      inbound: encrypter.secureInbound.bind(encrypter),
      outbound: encrypter.secureOutbound.bind(encrypter),
    }
    const direct = (isServer: boolean) => (connection: MessageStream, options?: SecureConnectionOptions) =>
      isTcp(connection)
        ? secure(connection, { isServer, utils, components, ...options })
        : packaged[isServer ? 'inbound' : 'outbound'](connection, options)
    encrypter.secureInbound = direct(true)
    encrypter.secureOutbound = direct(false)
    return encrypter
  }
}

function isTcp(connection: MessageStream): connection is TcpConnection {
  const { socket, readBuffer } = connection as Partial<TcpConnection>
  return typeof socket?.resetAndDestroy === 'function' && typeof readBuffer?.byteLength === 'number'
}

interface SecureOptions extends SecureConnectionOptions {
  readonly isServer: boolean
  readonly utils: TlsUtils
  readonly components: TLSComponents
}

/** The handshake; whatever fails it ends the connection, and the same error is thrown. */
async function secure(connection: TcpConnection, options: SecureOptions): Promise<SecuredConnection> {
  const { utils, components, remotePeer, signal } = options
  const certificate = await utils.generateCertificate(components.privateKey, options)
  const muxers = options.skipStreamMuxerNegotiation ? new Map() : components.upgrader.getStreamMuxers()
  const socket = startTls(connection, { ...options, ...certificate, muxers })
  const onAbort = () => socket.destroy(new Error('The other side took too long to encrypt the connection.'))
  signal?.addEventListener('abort', onAbort)
  try {
    const secured = once(socket, 'secure')
    const early = once(socket, 'close').then(() => {
      throw new Error('The other side closed the connection while it was being encrypted.')
    })
    early.catch(() => undefined)
    await Promise.race([secured, early])
    const peer = await utils.verifyPeerCertificate(socket.getPeerCertificate().raw, remotePeer, connection.log)
    signal?.throwIfAborted()
    const streamMuxer = muxerOf(socket, muxers)
    return {
      remotePeer: peer,
      connection: withWholeWrites(utils.toMessageStream(connection, socket), socket),
      ...(streamMuxer ? { streamMuxer } : {}),
    }
  } catch (cause) {
    const error = cause instanceof Error ? cause : new Error(String(cause))
    socket.destroy()
    connection.abort(error)
    throw error
  } finally {
    signal?.removeEventListener('abort', onAbort)
  }
}

type Muxers = ReadonlyMap<string, StreamMuxerFactory>

interface StartOptions {
  readonly isServer: boolean
  readonly cert: string
  readonly key: string
  readonly muxers: Muxers
}

/** TLS 1.3 on the connection's socket; both sides show self-signed certificates, which are verified afterwards. */
function startTls(connection: TcpConnection, { isServer, cert, key, muxers }: StartOptions): TLSSocket {
  const tcp = takeOver(connection)
  // The connection's own watch for silence sees nothing of what TLS reads and writes.
  const idleMs = tcp.timeout ?? 0
  tcp.setTimeout(0)
  const ALPNProtocols = [...muxers.keys(), NO_MUXER]
  const common = {
    cert,
    key,
    minVersion: 'TLSv1.3',
    maxVersion: 'TLSv1.3',
    rejectUnauthorized: false,
    ALPNProtocols,
  } as const
  // The first of the client's protocols that we have, as the package chooses.
  const ALPNCallback = ({ protocols }: { protocols: string[] }) =>
    protocols.find((name) => ALPNProtocols.includes(name))
  const { ALPNProtocols: _, ...forServer } = common
  const socket = isServer
    ? new TLSSocket(tcp, { ...forServer, isServer, requestCert: true, ALPNCallback })
    : connect({ ...common, socket: tcp })
  socket.setTimeout(idleMs, () => connection.abort(new Error('The connection was silent for too long.')))
  socket.on('error', (error) => connection.abort(error))
  return socket
}

/** The socket without libp2p's reading, and with what libp2p had read too far. */
function takeOver({ socket, readBuffer }: TcpConnection): Socket {
  socket.removeAllListeners('data')
  socket.pause()
  if (readBuffer.byteLength > 0) {
    const bytes = readBuffer.subarray()
    readBuffer.consume(bytes.byteLength)
    socket.unshift(bytes)
  }
  return socket
}

/** The muxer that both sides named in the handshake, if they did. */
function muxerOf(socket: TLSSocket, muxers: Muxers): StreamMuxerFactory | undefined {
  const name = socket.alpnProtocol
  return typeof name === 'string' ? muxers.get(name) : undefined
}

/** A frame's header and body become one TLS record and one system call: the socket holds back until both are there. */
function withWholeWrites(stream: MessageStream, socket: TLSSocket): MessageStream {
  const send = stream.send.bind(stream)
  stream.send = (data) => {
    socket.cork()
    try {
      return send(data)
    } finally {
      socket.uncork()
    }
  }
  return stream
}
