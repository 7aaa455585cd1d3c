/**
 * The socket of the control plane: HTTP on 127.0.0.1, who may ask (host, origin, cookie), how much (bytes, connections,
 * requests, streams) and how long. Knows nothing of what is asked: `answer` turns a body into a reply.
 * Spec: docs/spec/control.md §1.
 * @module
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { milliseconds } from '../../base/brand.ts'
import type { CONTROL_LIMITS } from '../../base/chain-limits.ts'
import { DEADLINES } from '../../base/limits.ts'
import type { Clock, Log } from '../../base/ports.ts'
import { type ControlError, controlError } from './control-errors.ts'
import { checkHead, readBody, statusOf } from './http-checks.ts'
import type { RpcReply } from './json-rpc.ts'
import { encodeText } from './json-text.ts'
import { CONTROL_HOST, http } from './local-http.ts'
import { errorReply, rpcErrorOf } from './rpc-errors.ts'

export type ControlLimits = { readonly [Name in keyof typeof CONTROL_LIMITS]: number }

export interface ControlHttpOptions {
  readonly cookie: string
  readonly limits: ControlLimits
  /** Never throws. `signal` fires when the client has gone or the server stops. */
  readonly answer: (body: Uint8Array, signal: AbortSignal) => Promise<RpcReply>
}

interface Ports {
  readonly clock: Clock
  readonly log: Log
}

export class ControlHttp {
  readonly #options: ControlHttpOptions
  readonly #ports: Ports
  readonly #server: Server
  readonly #open = new Map<AbortController, Promise<void>>()
  #streams = 0
  #isStopping = false

  constructor(options: ControlHttpOptions, ports: Ports) {
    this.#options = options
    this.#ports = ports
    const { limits } = options
    this.#server = http.createServer(
      {
        maxHeaderSize: limits.headerBytesMax,
        headersTimeout: limits.headersMs,
        requestTimeout: limits.requestMs,
        keepAliveTimeout: limits.keepAliveMs,
        connectionsCheckingInterval: limits.checkIntervalMs,
      },
      (request, response) => this.#begin(request, response),
    )
    this.#server.maxConnections = limits.connectionsMax
    this.#server.on('drop', () => this.#ports.log.write('warn', 'control.connection-refused'))
  }

  /** Listens; `port` 0 takes any. Returns the port. @throws ControlError CONTROL_LISTEN_FAILED. */
  async listen(port: number): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      const onError = (cause: NodeJS.ErrnoException): void => {
        reject(controlError('CONTROL_LISTEN_FAILED', { cause, details: { port, system: cause.code } }))
      }
      this.#server.once('error', onError)
      this.#server.listen({ host: CONTROL_HOST, port, exclusive: true }, () => {
        this.#server.off('error', onError)
        resolve()
      })
    })
    return (this.#server.address() as AddressInfo).port
  }

  /**
   * Takes no more requests, tells the open ones by their signal, waits for their answers at most
   * DEADLINES.shutdownMs, and closes every connection.
   */
  async stop(): Promise<void> {
    if (this.#isStopping || !this.#server.listening) return
    this.#isStopping = true
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    for (const controller of this.#open.keys()) controller.abort(controlError('CONTROL_STOPPING'))
    let cancel = (): void => undefined
    const grace = new Promise<void>((resolve) => {
      cancel = this.#ports.clock.schedule(milliseconds(DEADLINES.shutdownMs), resolve)
    })
    await Promise.race([Promise.all(this.#open.values()), grace])
    cancel()
    this.#server.closeAllConnections()
    await closed
  }

  #begin(request: IncomingMessage, response: ServerResponse): void {
    const refusal = this.#refusalOf(request)
    if (refusal !== undefined) {
      this.#refuse(request, response, refusal)
      return
    }
    const controller = new AbortController()
    const { socket } = request
    // Of the socket, since a response that waits behind another one on its connection is not told.
    const onGone = (): void => controller.abort(controlError('CONTROL_DISCONNECTED'))
    socket.setMaxListeners(0)
    socket.once('close', onGone)
    response.once('close', onGone)
    const done = this.#serve(request, response, controller.signal).catch((error: unknown) => {
      // Only the connection itself fails here: it broke while the body arrived.
      this.#ports.log.write('debug', 'control.request-broken', {
        name: error instanceof Error ? error.name : undefined,
      })
      response.destroy()
    })
    this.#open.set(controller, done)
    const forget = (): void => {
      socket.off('close', onGone)
      this.#open.delete(controller)
    }
    done.then(forget, forget)
  }

  /** Cheapest first; nothing of the body is read before the cookie is right. */
  #refusalOf(request: IncomingMessage): ControlError | undefined {
    const { cookie, limits } = this.#options
    const refusal = checkHead(request, { cookie, bodyBytesMax: limits.bodyBytesMax })
    if (refusal !== undefined) return refusal
    if (this.#isStopping) return controlError('CONTROL_STOPPING')
    return this.#open.size < limits.requestsMax ? undefined : controlError('CONTROL_BUSY')
  }

  #refuse(request: IncomingMessage, response: ServerResponse, refusal: ControlError): void {
    this.#ports.log.write('info', 'control.refused', { code: refusal.code })
    this.#discard(request)
    this.#end(response, statusOf(refusal.code), encodeText(errorReply(null, rpcErrorOf(refusal))))
  }

  /** Reads on for a while after a refusal: a client that cannot send its body would never read why. */
  #discard(request: IncomingMessage): void {
    let leftBytes = 2 * this.#options.limits.bodyBytesMax
    request.on('error', () => undefined)
    request.on('data', (chunk: Uint8Array) => {
      leftBytes -= chunk.length
      if (leftBytes < 0) request.destroy()
    })
  }

  async #serve(request: IncomingMessage, response: ServerResponse, signal: AbortSignal): Promise<void> {
    const body = await readBody(request, this.#options.limits.bodyBytesMax)
    if (body === 'too-large') {
      this.#refuse(request, response, controlError('CONTROL_BODY_TOO_LARGE'))
    } else {
      const reply = await this.#options.answer(body, signal)
      if (reply.type === 'answer') this.#end(response, reply.bytes.length === 0 ? 204 : 200, reply.bytes)
      else if (this.#streams < this.#options.limits.streamsMax) await this.#sendStream(response, reply.lines)
      else this.#end(response, 503, encodeText(errorReply(null, rpcErrorOf(controlError('CONTROL_BUSY')))))
    }
    await this.#patiently(response, 'finish')
  }

  /** A slow reader holds the source back: the next item is asked for when the line before it has gone. */
  async #sendStream(response: ServerResponse, lines: AsyncIterable<Uint8Array>): Promise<void> {
    this.#streams++
    try {
      response.writeHead(200, { ...HEADERS, 'content-type': 'application/x-ndjson', connection: 'close' })
      response.flushHeaders()
      for await (const line of lines) {
        if (response.destroyed) break
        if (!response.write(line)) await this.#patiently(response, 'drain')
      }
      response.end()
    } finally {
      this.#streams--
    }
  }

  /** Waits until the client took what was written, or has gone. One that takes nothing for too long is cut off. */
  async #patiently(response: ServerResponse, event: 'drain' | 'finish'): Promise<void> {
    if (response.destroyed || response.writableFinished) return
    const patienceMs = milliseconds(this.#options.limits.requestMs)
    const cancel = this.#ports.clock.schedule(patienceMs, () => response.destroy())
    await new Promise<void>((resolve) => {
      const onReady = (): void => {
        response.off(event, onReady)
        response.off('close', onReady)
        resolve()
      }
      response.on(event, onReady)
      response.on('close', onReady)
    })
    cancel()
  }

  #end(response: ServerResponse, status: number, bytes: Uint8Array): void {
    if (response.destroyed) return
    response.writeHead(status, {
      ...HEADERS,
      ...(bytes.length > 0 ? { 'content-type': 'application/json', 'content-length': bytes.length } : {}),
      ...(status === 401 ? { 'www-authenticate': 'Bearer' } : {}),
      ...(status === 405 ? { allow: 'POST' } : {}),
      ...(this.#isStopping || status >= 400 ? { connection: 'close' } : {}),
    })
    response.end(bytes)
  }
}

/** Answers are for the one who asked: no caches, no guessing of types, and no CORS header anywhere. */
const HEADERS = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' } as const
