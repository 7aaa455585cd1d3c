/**
 * Failures as JSON-RPC error objects: numbers for any client, `data.code` and `data.details` for ours.
 * Application errors are −32000 minus the exit code that a command would end with.
 * Spec: docs/spec/control.md §5.
 * @module
 */
import type { HouseError } from '../../base/error.ts'
import { exitCodeOf } from '../exit-codes.ts'
import { ParamError } from './control-errors.ts'
import { toJson } from './json-text.ts'

/** JSON-RPC 2.0 §5.1. */
export const RPC = {
  parseError: { code: -32700, message: 'Parse error' },
  invalidRequest: { code: -32600, message: 'Invalid Request' },
  methodNotFound: { code: -32601, message: 'Method not found' },
  invalidParams: { code: -32602, message: 'Invalid params' },
  internalError: { code: -32603, message: 'Internal error' },
} as const

const APPLICATION_BASE = -32_000
const APPLICATION_LAST = -32_099

export interface RpcError {
  readonly code: number
  readonly message: string
  readonly data?: { readonly code: string; readonly details?: Readonly<Record<string, unknown>> }
}

/** A request's id; null where it has none that could be read. */
export type RpcId = string | number | null

/** The error object of an expected failure. */
export function rpcErrorOf(error: HouseError): RpcError {
  const { message } = error
  return { code: numberOf(error), message, data: dataOf(error) }
}

/** The error object of a refusal by the protocol itself, with the reason where there is one. */
export function protocolError(kind: keyof typeof RPC, reason?: HouseError): RpcError {
  return reason === undefined ? RPC[kind] : { ...RPC[kind], data: dataOf(reason) }
}

/** One response object with an error, as JSON. */
export function errorReply(id: RpcId, error: RpcError): string {
  return toJson({ jsonrpc: '2.0', error, id })
}

function numberOf(error: HouseError): number {
  if (error instanceof ParamError) return RPC.invalidParams.code
  const code = APPLICATION_BASE - exitCodeOf(error.code)
  return code < APPLICATION_LAST ? APPLICATION_BASE : code
}

function dataOf({ code, details }: HouseError): NonNullable<RpcError['data']> {
  return Object.values(details).some((value) => value !== undefined) ? { code, details } : { code }
}
