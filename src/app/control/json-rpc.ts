/**
 * JSON-RPC 2.0: bytes of a request to bytes of its answer. Knows no sockets and no authentication. Requests of a batch
 * run one after the other, in their order. A streaming method answers with lines instead.
 * Spec: docs/spec/control.md §2; https://www.jsonrpc.org/specification.
 * @module
 */

import { CONTROL_LIMITS } from '../../base/chain-limits.ts'
import { HouseError } from '../../base/error.ts'
import { controlError } from './control-errors.ts'
import { encodeText, parseJson, toJson } from './json-text.ts'
import type { AnyMethod, CallContext, CallMethod, Methods, StreamMethod } from './methods.ts'
import { type Params, readParams } from './params.ts'
import { errorReply, protocolError, type RpcError, type RpcId, rpcErrorOf } from './rpc-errors.ts'
import { streamLines } from './stream-lines.ts'

export interface RpcContext extends CallContext {
  /** Told of everything that a method threw and that is no HouseError; the client reads `Internal error`. */
  onBug(error: unknown, method: string): void
}

export type RpcReply =
  /** Empty bytes: there were only notifications. */
  | { readonly type: 'answer'; readonly bytes: Uint8Array }
  /** NDJSON, each item with its line break. */
  | { readonly type: 'stream'; readonly lines: AsyncIterable<Uint8Array> }

interface Request {
  readonly type: 'request'
  readonly method: string
  /** Absent, an array or an object. */
  readonly params: unknown
  /** Undefined for a notification. */
  readonly id: RpcId | undefined
}

type Incoming = Request | { readonly type: 'invalid'; readonly id: RpcId }

/** Answers one body: a request, a notification or a batch. Never throws, whatever the bytes and the methods do. */
export async function handleRpc(body: Uint8Array, methods: Methods, context: RpcContext): Promise<RpcReply> {
  const parsed = parseJson(body, CONTROL_LIMITS.depthMax)
  if (parsed.type === 'malformed') return answer(errorReply(null, protocolError('parseError')))
  if (parsed.type === 'too-deep') {
    const reason = controlError('CONTROL_TOO_DEEP', { details: { max: CONTROL_LIMITS.depthMax } })
    return answer(errorReply(null, protocolError('parseError', reason)))
  }
  if (Array.isArray(parsed.value)) return answer(await runBatch(parsed.value, methods, context))
  const request = readRequest(parsed.value)
  const method = methodOf(request, methods)
  if (request.type === 'request' && request.id !== undefined && method?.type === 'stream') {
    return openStream(request, method, context)
  }
  return answer((await run(request, methods, context)) ?? '')
}

async function runBatch(items: readonly unknown[], methods: Methods, context: RpcContext): Promise<string> {
  if (items.length === 0) return errorReply(null, protocolError('invalidRequest'))
  if (items.length > CONTROL_LIMITS.batchMax) {
    const details = { max: CONTROL_LIMITS.batchMax, count: items.length }
    return errorReply(null, protocolError('invalidRequest', controlError('CONTROL_BATCH_TOO_LARGE', { details })))
  }
  const replies: string[] = []
  let roomCharacters: number = CONTROL_LIMITS.replyBytesMax
  for (const item of items) {
    const request = readRequest(item)
    const reply = await run(request, methods, context, roomCharacters)
    if (reply === undefined) continue
    replies.push(reply)
    roomCharacters -= reply.length
  }
  return replies.length === 0 ? '' : `[${replies.join(',')}]`
}

/** The response of one request, undefined for a notification. */
async function run(
  request: Incoming,
  methods: Methods,
  context: RpcContext,
  roomCharacters: number = CONTROL_LIMITS.replyBytesMax,
): Promise<string | undefined> {
  if (request.type === 'invalid') return errorReply(request.id, protocolError('invalidRequest'))
  const method = methodOf(request, methods)
  const reply = await replyOf(request, method, context)
  if (request.id === undefined) return undefined
  if (reply.length <= roomCharacters) return reply
  const details = { max: CONTROL_LIMITS.replyBytesMax }
  return errorReply(request.id, rpcErrorOf(controlError('CONTROL_REPLY_TOO_LARGE', { details })))
}

async function replyOf(request: Request, method: AnyMethod | undefined, context: RpcContext): Promise<string> {
  const id = request.id ?? null
  if (method === undefined) return errorReply(id, protocolError('methodNotFound'))
  if (method.type === 'stream') {
    return errorReply(id, protocolError('invalidRequest', controlError('CONTROL_STREAM_ALONE')))
  }
  try {
    return toJson({ jsonrpc: '2.0', result: await call(request, method, context), id })
  } catch (error) {
    return errorReply(id, failureOf(error, request.method, context))
  }
}

async function call(request: Request, method: CallMethod<object, unknown>, context: CallContext): Promise<unknown> {
  const params = method.read(paramsOf(request, method))
  return (await method.call(params, context)) ?? null
}

/** Wrong parameters are an answer like any other; a stream begins only when they are right. */
function openStream(request: Request, method: StreamMethod<object, unknown>, context: RpcContext): RpcReply {
  const fail = (error: unknown): RpcError => failureOf(error, request.method, context)
  try {
    const params = method.read(paramsOf(request, method))
    const items = method.open(params, context)
    return { type: 'stream', lines: streamLines(items, { signal: context.signal, fail }) }
  } catch (error) {
    return answer(errorReply(request.id ?? null, fail(error)))
  }
}

function paramsOf(request: Request, method: AnyMethod): Params {
  return readParams(request.params, method.fields)
}

/** What the client reads of a failure. Unexpected ones tell nothing: their words may hold anything. */
function failureOf(error: unknown, method: string, context: RpcContext): RpcError {
  if (error instanceof HouseError) return rpcErrorOf(error)
  const { signal } = context
  const isAbort = error instanceof Error && error.name === 'AbortError'
  if (signal.aborted && isAbort && signal.reason instanceof HouseError) return rpcErrorOf(signal.reason)
  context.onBug(error, method)
  return protocolError('internalError')
}

function methodOf(request: Incoming, methods: Methods): AnyMethod | undefined {
  return request.type === 'request' ? methods.get(request.method) : undefined
}

/** JSON-RPC 2.0 §4. Members that it does not name are ignored. */
function readRequest(value: unknown): Incoming {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return { type: 'invalid', id: null }
  const { jsonrpc, method, params, id } = value as Record<string, unknown>
  const isNotification = !Object.hasOwn(value, 'id')
  const knownId = isId(id) ? id : null
  const isSound =
    jsonrpc === '2.0' &&
    typeof method === 'string' &&
    (params === undefined || (typeof params === 'object' && params !== null)) &&
    (isNotification || isId(id))
  if (!isSound) return { type: 'invalid', id: knownId }
  return { type: 'request', method, params, id: isNotification ? undefined : knownId }
}

/** Ids come back as they were: whole numbers beyond 2⁵³ would not. */
function isId(id: unknown): id is RpcId {
  if (id === null) return true
  if (typeof id === 'string') return id.length <= CONTROL_LIMITS.idCharactersMax
  return typeof id === 'number' && Math.abs(id) <= Number.MAX_SAFE_INTEGER
}

function answer(text: string): RpcReply {
  return { type: 'answer', bytes: encodeText(text) }
}
