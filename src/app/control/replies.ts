/**
 * A client's reading of what the control server sends: one answer, or lines of items; bounded, and every failure as an
 * error with a code. Spec: docs/spec/control.md §8.
 * @module
 */
import type { IncomingMessage } from 'node:http'
import { CONTROL_LIMITS } from '../../base/chain-limits.ts'
import { type ErrorDetail, HouseError } from '../../base/error.ts'
import { controlError, NodeError } from './control-errors.ts'
import { parseJson } from './json-text.ts'
import { RPC } from './rpc-errors.ts'

const LINE_BREAK = 0x0a
/** The node counts characters, which have up to three bytes each; and there is a frame around. */
const REPLY_BYTES_MAX = CONTROL_LIMITS.replyBytesMax * 4
const CODE_PATTERN = /^[A-Z][A-Z0-9_]{1,63}$/
/** Results may be nested more deeply than requests; the reader is the parser of the platform. */
const DEPTH_MAX = 512

type Fields = Readonly<Record<string, unknown>>

/** The whole body. @throws ControlError CONTROL_REPLY_TOO_LARGE. */
export async function readAll(response: IncomingMessage): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of response as AsyncIterable<Uint8Array>) {
    length += chunk.length
    if (length > REPLY_BYTES_MAX) throw controlError('CONTROL_REPLY_TOO_LARGE')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** The result of an answer. @throws NodeError for the node's own failures, ControlError CONTROL_BAD_REPLY. */
export function resultOf(bytes: Uint8Array, status: number | undefined): unknown {
  const reply = fieldsOf(bytes)
  if (reply?.['jsonrpc'] !== '2.0') throw controlError('CONTROL_BAD_REPLY', { details: { status } })
  if (Object.hasOwn(reply, 'error')) throw nodeErrorOf(reply['error'])
  if (!Object.hasOwn(reply, 'result') || reply['id'] !== 1) throw controlError('CONTROL_BAD_REPLY')
  return reply['result']
}

/** The items of a stream until its last line. @throws what the last line says; CONTROL_UNREACHABLE when there is none. */
export async function* readItems(response: IncomingMessage): AsyncGenerator<unknown, void, undefined> {
  for await (const bytes of readLines(response)) {
    const line = fieldsOf(bytes)
    if (line === undefined) throw controlError('CONTROL_BAD_REPLY')
    if (Object.hasOwn(line, 'error')) throw nodeErrorOf(line['error'])
    if (line['end'] === true) return
    if (!Object.hasOwn(line, 'item')) throw controlError('CONTROL_BAD_REPLY')
    yield line['item']
  }
  throw controlError('CONTROL_UNREACHABLE')
}

/** Failures of the connection as ours; the reason of an aborted signal as it is. */
export function asConnectionError(error: unknown, signal: AbortSignal | undefined): unknown {
  if (error instanceof HouseError) return error
  if (signal?.aborted) return signal.reason
  const isSystem = error instanceof Error && 'code' in error
  return isSystem ? controlError('CONTROL_UNREACHABLE', { details: { system: String(error.code) } }) : error
}

/** Lines without their breaks; a last one without a break was cut and is left out. */
async function* readLines(response: IncomingMessage): AsyncGenerator<Uint8Array, void, undefined> {
  let parts: Uint8Array[] = []
  let length = 0
  for await (const chunk of response as AsyncIterable<Uint8Array>) {
    let start = 0
    for (let end = chunk.indexOf(LINE_BREAK); end >= 0; end = chunk.indexOf(LINE_BREAK, start)) {
      yield Buffer.concat([...parts, chunk.subarray(start, end)])
      parts = []
      length = 0
      start = end + 1
    }
    parts.push(chunk.subarray(start))
    length += chunk.length - start
    if (length > REPLY_BYTES_MAX) throw controlError('CONTROL_REPLY_TOO_LARGE')
  }
}

function nodeErrorOf(value: unknown): HouseError {
  const error = asFields(value)
  const data = asFields(error?.['data'])
  const code = data?.['code']
  const message = error?.['message']
  if (typeof message !== 'string') return controlError('CONTROL_BAD_REPLY')
  if (typeof code === 'string' && CODE_PATTERN.test(code)) {
    return new NodeError(code, message, { details: detailsOf(data?.['details']) })
  }
  if (error?.['code'] === RPC.methodNotFound.code) return controlError('CONTROL_METHOD_UNKNOWN')
  if (error?.['code'] === RPC.internalError.code) return controlError('CONTROL_NODE_BUG')
  return controlError('CONTROL_BAD_REPLY')
}

function detailsOf(value: unknown): Record<string, ErrorDetail> {
  const isDetail = (item: unknown): item is ErrorDetail => ['string', 'number', 'boolean'].includes(typeof item)
  const entries = Object.entries(asFields(value) ?? {})
  return Object.fromEntries(entries.filter((entry): entry is [string, ErrorDetail] => isDetail(entry[1])))
}

function fieldsOf(bytes: Uint8Array): Fields | undefined {
  const parsed = parseJson(bytes, DEPTH_MAX)
  return parsed.type === 'value' ? asFields(parsed.value) : undefined
}

function asFields(value: unknown): Fields | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : undefined
}
