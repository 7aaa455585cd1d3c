/**
 * Asks peers for their status and answers theirs. What a peer tells of others' offers goes to the book, so that one
 * known peer is enough to find a network.
 * Spec: docs/spec/wire.md §3.
 * @module
 */
import type { PeerId } from '../base/brand.ts'
import { HouseError } from '../base/error.ts'
import { DEADLINES } from '../base/limits.ts'
import type { Clock } from '../base/ports.ts'
import { withDeadline } from '../net/deadline.ts'
import {
  decodeStatus,
  encodeStatus,
  STATUS_PROTOCOL,
  STATUS_PROTOCOL_OPTIONS,
  type Status,
} from '../net/protocols/status.ts'
import type { PeerAddress, Wire } from '../net/wire.ts'

export class StatusError extends HouseError<'STATUS_OTHER_NETWORK' | 'STATUS_NO_ANSWER'> {}

/** Answers `ask` from anybody with what `current` says at that moment. */
export async function serveStatus(wire: Wire, current: () => Status): Promise<void> {
  await wire.handle(STATUS_PROTOCOL, STATUS_PROTOCOL_OPTIONS, async (channel) => {
    channel.send(encodeStatus(current()))
    await channel.close()
  })
}

export interface Asked {
  readonly peer: PeerId
  readonly status: Status
  /** From asking to answer, opening of the channel included. */
  readonly elapsedMs: number
}

/** Asks one peer; throws STATUS_OTHER_NETWORK, STATUS_NO_ANSWER, or the wire's error when it cannot be reached. */
export async function askStatus(
  to: PeerAddress,
  options: { readonly networkId: string; readonly signal?: AbortSignal | undefined },
  ports: { wire: Wire; clock: Clock },
): Promise<Asked> {
  const { wire, clock } = ports
  const late = () => new StatusError('STATUS_NO_ANSWER', `Peer ${to.peer} did not answer.`)
  const startedMs = clock.now()
  return withDeadline({ clock, limitMs: DEADLINES.statusMs, late, signal: options.signal }, async (signal) => {
    const channel = await wire.open(to, STATUS_PROTOCOL, STATUS_PROTOCOL_OPTIONS, signal)
    try {
      const bytes = await channel.receive(signal)
      if (bytes === undefined) throw late()
      const status = decodeStatus(bytes)
      if (status.networkId !== options.networkId) throw otherNetwork(to.peer, status.networkId, options.networkId)
      return { peer: to.peer, status, elapsedMs: clock.now() - startedMs }
    } finally {
      await channel.close().catch(() => undefined)
    }
  })
}

function otherNetwork(peer: PeerId, theirs: string, ours: string): StatusError {
  return new StatusError(
    'STATUS_OTHER_NETWORK',
    `Peer ${peer} belongs to network "${theirs}", not "${ours}". Check the bootstrap addresses with \`dllm network show\`.`,
  )
}
