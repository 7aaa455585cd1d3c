/**
 * The sentences of WireError that more than one wire says.
 * @module
 */
import type { PeerId } from '../base/brand.ts'
import { messageOf } from '../base/error.ts'
import { type ProtocolId, WireError } from './wire.ts'

export function stopped(): WireError {
  return new WireError('WIRE_STOPPED', 'This node has stopped.')
}

/** `whom` is a peer or an address. */
export function unreachable(whom: string, cause?: unknown): WireError {
  const why = cause === undefined ? '' : ` (${messageOf(cause)})`
  return new WireError('WIRE_PEER_UNREACHABLE', `${whom} does not answer${why}. Check its address and that it runs.`, {
    details: { peer: whom },
    cause,
  })
}

export function unsupported(protocol: ProtocolId, peer: PeerId, cause?: unknown): WireError {
  return new WireError(
    'WIRE_PROTOCOL_UNSUPPORTED',
    `${peer} does not take a channel of ${protocol}: it does not speak it, or it has too many open.`,
    { details: { protocol, peer }, cause },
  )
}

export function tooLong(length: number, max: number): WireError {
  return new WireError('WIRE_MESSAGE_TOO_LONG', `A message of ${length} bytes is over the limit of ${max} bytes.`, {
    details: { length, max },
  })
}

/** "All dials failed" says less than the first of the failures. */
export function firstOf(error: unknown): unknown {
  return error instanceof AggregateError && error.errors.length > 0 ? error.errors[0] : error
}
