/**
 * Why libp2p could not start to listen, as a WireError. libp2p wraps the system's errors in prose, so the prose is read.
 * @module
 */
import { messageOf } from '../base/error.ts'
import { WireError } from './wire.ts'

export function listenFailure(error: unknown, listen: readonly string[]): WireError {
  const message = messageOf(error)
  const port = /EADDRINUSE[^\n]*?:(\d+)\b/.exec(message)?.[1]
  if (port) {
    return new WireError(
      'WIRE_PORT_IN_USE',
      `Port ${port} is in use by another program. Stop it, or choose another port (0 takes any that is free).`,
      { details: { port: Number(port) }, cause: error },
    )
  }
  const reason = /\b(?:EACCES|EADDRNOTAVAIL|EAFNOSUPPORT|ENOTFOUND|EINVAL)\b/.exec(message)?.[0]
  return new WireError(
    'WIRE_LISTEN_FAILED',
    `This machine cannot listen at ${listen.join(', ')}${reason ? ` (${reason})` : ''}. Give an address of this machine, such as /ip4/0.0.0.0/tcp/0.`,
    { details: { listen: listen.join(','), reason }, cause: error },
  )
}
