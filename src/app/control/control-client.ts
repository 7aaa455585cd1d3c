/**
 * Typed calls to a node's control server. A failure that the node reports arrives with the node's code, so that a
 * command ends with the exit code that it would have had in the node. Trusts the shape of results: the cookie says that
 * this is our own node. Spec: docs/spec/control.md §8.
 * @module
 */
import type { Agent, IncomingMessage } from 'node:http'
import { CONTROL_LIMITS } from '../../base/chain-limits.ts'
import { controlError } from './control-errors.ts'
import { encodeText, toJson } from './json-text.ts'
import { CONTROL_HOST, http } from './local-http.ts'
import type { CallName, ItemOf, MethodShapes, ParamsOf, ResultOf, StreamName } from './methods.ts'
import { asConnectionError, readAll, readItems, resultOf } from './replies.ts'

export interface ControlClientOptions {
  readonly endpoint: { readonly port: number }
  readonly cookie: string
  /** Silence after which a call fails. Default CONTROL_LIMITS.callIdleMs. */
  readonly callIdleMs?: number
}

export interface ControlClient<M extends MethodShapes<M>> {
  /** @throws NodeError with the node's code, ControlError when it cannot be reached, the signal's reason when aborted. */
  call<Name extends CallName<M>>(
    method: Name,
    params: ParamsOf<M[Name]>,
    signal?: AbortSignal,
  ): Promise<ResultOf<M[Name]>>
  /** Items as they come. Leaving the loop or aborting ends the stream at the node. Throws like `call`. */
  stream<Name extends StreamName<M>>(
    method: Name,
    params: ParamsOf<M[Name]>,
    signal?: AbortSignal,
  ): AsyncIterable<ItemOf<M[Name]>>
  /** Closes idle connections; they do not keep a process alive. */
  close(): void
}

interface Target {
  readonly port: number
  readonly cookie: string
  /** False: a connection of its own. */
  readonly agent: Agent | false
  /** 0: waits for ever. */
  readonly idleMs: number
  readonly signal: AbortSignal | undefined
}

/** No connection is made before the first call. */
export function createControlClient<M extends MethodShapes<M>>(options: ControlClientOptions): ControlClient<M> {
  const { endpoint, cookie, callIdleMs = CONTROL_LIMITS.callIdleMs } = options
  const { port } = endpoint
  const agent = new http.Agent({ keepAlive: true, maxSockets: CONTROL_LIMITS.requestsMax })
  return {
    async call(method, params, signal) {
      const target = { port, cookie, agent, idleMs: callIdleMs, signal }
      try {
        const response = await postAgain(target, bodyOf(method, params))
        return resultOf(await readAll(response), response.statusCode) as never
      } catch (error) {
        throw asConnectionError(error, signal)
      }
    },
    stream: (method, params, signal) =>
      streamOf({ port, cookie, agent: false, idleMs: 0, signal }, bodyOf(method, params)) as never,
    close: () => agent.destroy(),
  }
}

async function* streamOf(target: Target, body: Uint8Array): AsyncGenerator<unknown, void, undefined> {
  let response: IncomingMessage | undefined
  try {
    response = await post(target, body)
    if (response.headers['content-type'] === 'application/x-ndjson') yield* readItems(response)
    // The refusal of a stream is an ordinary answer.
    else resultOf(await readAll(response), response.statusCode)
  } catch (error) {
    throw asConnectionError(error, target.signal)
  } finally {
    response?.destroy()
  }
}

function bodyOf(method: string, params: object): Uint8Array {
  return encodeText(toJson({ jsonrpc: '2.0', method, params, id: 1 }))
}

/** A kept connection may have been closed by the node at this very moment; then the request has not been read. */
async function postAgain(target: Target, body: Uint8Array): Promise<IncomingMessage> {
  try {
    return await post(target, body)
  } catch (error) {
    if (!(error instanceof StaleConnection)) throw error
    return post({ ...target, agent: false }, body)
  }
}

class StaleConnection extends Error {
  override readonly name: string = 'StaleConnection'
}

/** Resolves with the head of the answer. */
function post(target: Target, body: Uint8Array): Promise<IncomingMessage> {
  const { port, cookie, agent, idleMs, signal } = target
  return new Promise((resolve, reject) => {
    const request = http.request({
      host: CONTROL_HOST,
      port,
      method: 'POST',
      path: '/',
      agent,
      timeout: idleMs,
      headers: {
        authorization: `Bearer ${cookie}`,
        'content-type': 'application/json',
        'content-length': body.length,
      },
      ...(signal === undefined ? {} : { signal }),
    })
    request.once('response', resolve)
    request.once('timeout', () => request.destroy(controlError('CONTROL_TIMEOUT')))
    request.on('error', (error: NodeJS.ErrnoException) => {
      const isStale = request.reusedSocket && (error.code === 'ECONNRESET' || error.code === 'EPIPE')
      reject(isStale ? new StaleConnection(error.message, { cause: error }) : error)
    })
    request.end(body)
  })
}
