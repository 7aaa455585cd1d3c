/**
 * libp2p's TLS 1.3 with OpenSSL on the socket itself. @libp2p/tls (3.1.10), whose certificates and checks these are, lays two Node
 * streams and a libp2p connection between the socket and OpenSSL: each record passes them as encrypted bytes in JavaScript
 * before it is decrypted, which is a third of what a link costs between two stages, and they wait for each other for ever
 * when two peers send much to each other at once.
 *
 * Here a frame's header and body also become one TLS record and one system call.
 * Spec: docs/spec/wire.md §2.4; https://github.com/libp2p/specs/blob/master/tls/tls.md.
 * @module
 */
import { Socket } from 'node:net'
import { connect, TLSSocket } from 'node:tls'
import {
  type ConnectionEncrypter,
  InvalidCryptoExchangeError,
  type MessageStream,
  type SecureConnectionOptions,
  type SecuredConnection,
  type StreamMuxerFactory,
} from '@libp2p/interface'
import { PROTOCOL, type TLSComponents } from '@libp2p/tls'
import { generateCertificate, toMessageStream, verifyPeerCertificate } from '@libp2p/tls/utils'
import { assert } from '../base/assert.ts'
import { milliseconds } from '../base/brand.ts'
import type { Clock } from '../base/ports.ts'
import { withDirectMessages } from './direct-messages.ts'

/** What a peer offers that goes on without choosing a multiplexer inside TLS (libp2p's specification, "inlined muxers"). */
const NO_MUXER = 'libp2p'

/** The encrypter of TCP connections, for libp2p's `connectionEncrypters`. Rejects as libp2p's own does where a peer cannot prove who it is. */
export function tlsOnSockets(clock: Clock): (components: TLSComponents) => ConnectionEncrypter {
  return (components) => {
    const secure = async (begin: Begin, raw: MessageStream, options: SecureConnectionOptions) => {
      const certificate = await generateCertificate(components.privateKey, options)
      const muxers: Muxers = options.skipStreamMuxerNegotiation ? new Map() : components.upgrader.getStreamMuxers()
      return await secured(raw, begin(await socketOf(raw), certificate, muxers), { ...options, clock })
    }
    return {
      protocol: PROTOCOL,
      secureInbound: (raw, options = {}) => secure(asServer, raw, options),
      secureOutbound: (raw, options = {}) => secure(asClient, raw, options),
    }
  }
}

type Muxers = ReadonlyMap<string, StreamMuxerFactory>

interface Certificate {
  readonly cert: string
  readonly key: string
}

type Begin = (raw: Socket, certificate: Certificate, muxers: Muxers) => Handshake

interface Handshake {
  readonly socket: TLSSocket
  /** What both sides have chosen, once they have. Throws where the other side chose what was not offered. */
  muxer(): StreamMuxerFactory | undefined
}

/** Certificates are self-signed: verifyPeerCertificate looks at them, and OpenSSL at none. */
const OPTIONS = { minVersion: 'TLSv1.3', maxVersion: 'TLSv1.3', rejectUnauthorized: false } as const

function asClient(raw: Socket, certificate: Certificate, muxers: Muxers): Handshake {
  const socket = connect({ ...OPTIONS, ...certificate, socket: raw, ALPNProtocols: [...muxers.keys(), NO_MUXER] })
  return {
    socket,
    muxer() {
      const chosen = socket.alpnProtocol
      if (typeof chosen !== 'string' || chosen === NO_MUXER) return undefined
      const muxer = muxers.get(chosen)
      if (muxer === undefined) throw new InvalidCryptoExchangeError('The other side chose what was not offered')
      return muxer
    },
  }
}

function asServer(raw: Socket, certificate: Certificate, muxers: Muxers): Handshake {
  let chosen: string | undefined
  const choose = ({ protocols }: { protocols: string[] }): string | undefined => {
    chosen = protocols.find((protocol) => protocol === NO_MUXER || muxers.has(protocol))
    return chosen
  }
  const options = { ...OPTIONS, ...certificate, isServer: true, requestCert: true, ALPNCallback: choose }
  const socket = new TLSSocket(raw, options)
  return { socket, muxer: () => muxers.get(chosen ?? NO_MUXER) }
}

/** Waits for the handshake; the connection is gone where it fails. */
async function secured(
  raw: MessageStream,
  { socket, muxer }: Handshake,
  { signal, remotePeer: expected, clock }: SecureConnectionOptions & { readonly clock: Clock },
): Promise<SecuredConnection> {
  try {
    await handshakeOf(socket, signal)
    // What follows may close the connection, which OpenSSL does not survive while it is on the stack: not in the turn of its event.
    await clock.sleep(milliseconds(0))
    const remotePeer = await verifyPeerCertificate(certificateOf(socket), expected, raw.log)
    const streamMuxer = muxer()
    if (socket.destroyed) throw new InvalidCryptoExchangeError('The other side went away')
    const connection = withWholeWrites(withDirectMessages(toMessageStream(raw, socket)), socket)
    return { connection, remotePeer, ...(streamMuxer ? { streamMuxer } : {}) }
  } catch (error) {
    socket.destroy()
    raw.abort(error instanceof Error ? error : new Error(String(error)))
    throw error
  }
}

/** Resolves when keys are agreed on. Errors after that are the connection's. */
function handshakeOf(socket: TLSSocket, signal: AbortSignal | undefined): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    const onAbort = (): void => reject(signal?.reason)
    const settle = (): void => signal?.removeEventListener('abort', onAbort)
    signal?.addEventListener('abort', onAbort, { once: true })
    if (signal?.aborted) onAbort()
    // This listener stays: without one, an error would end the process.
    socket.on('error', reject)
    socket.once('close', () => {
      settle()
      reject(new InvalidCryptoExchangeError('The other side went away while keys were agreed on'))
    })
    socket.once('secure', () => {
      settle()
      resolve()
    })
  })
}

function certificateOf(socket: TLSSocket): Uint8Array {
  const { raw } = socket.getPeerCertificate()
  if (raw === undefined) throw new InvalidCryptoExchangeError('The other side shows no certificate')
  return raw
}

/** As libp2p's TCP transport has it; a field that its types do not tell. */
interface SocketStream extends MessageStream {
  readonly socket?: unknown
}

/**
 * The socket under a connection that libp2p has talked over until now. Nobody reads it any more; what had come before is given back to it,
 * since it belongs to the handshake.
 */
async function socketOf(raw: SocketStream): Promise<Socket> {
  const { socket } = raw
  assert(socket instanceof Socket, 'connections are those of TCP')
  const early: Uint8Array[] = []
  const onMessage = ({ data }: { data: Uint8Array | Iterable<Uint8Array> }): void => {
    early.push(...(data instanceof Uint8Array ? [data] : data))
  }
  socket.pause()
  socket.removeAllListeners('data')
  // What libp2p holds back it gives to a new listener in a microtask.
  raw.addEventListener('message', onMessage)
  await Promise.resolve()
  raw.removeEventListener('message', onMessage)
  for (const bytes of early.reverse()) socket.unshift(bytes)
  return socket
}

/** Longest message that is copied together; a record of TLS has at most so many bytes. */
const JOINED_BYTES_MAX = 16_384

/**
 * A frame's header and body come as two parts, and go out as one: joined where they are short and nothing holds them up, else the socket holds back until
 * both are there.
 */
function withWholeWrites(connection: MessageStream, socket: TLSSocket): MessageStream {
  const queue = connection.send.bind(connection)
  const whole = (write: () => boolean): boolean => {
    socket.cork()
    try {
      return write()
    } finally {
      socket.uncork()
    }
  }
  connection.send = (data) => {
    const isFree = connection.status === 'open' && !connection.writableNeedsDrain && connection.writeBufferLength === 0
    if (!isFree || data.byteLength > JOINED_BYTES_MAX || socket.destroyed) return whole(() => queue(data))
    const isTaken = socket.write(data instanceof Uint8Array ? data : data.subarray())
    // The socket's `drain` makes it false again.
    if (!isTaken) connection.writableNeedsDrain = true
    return isTaken
  }
  return connection
}
