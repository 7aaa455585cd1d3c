/**
 * Beginning from a checkpoint: a height and a hash that a person trusts, instead of everything since the genesis.
 * Spec: docs/spec/light-client.md §5.
 * @module
 */
import { type Hash, hash } from '../../base/brand.ts'
import { codeOf, HouseError, messageOf } from '../../base/error.ts'
import type { Clock, Log } from '../../base/ports.ts'
import { type Trusted, trustCheckpoint } from '../../core/light-client.ts'
import type { Wire } from '../../net/wire.ts'
import { UsageError } from '../base-command.ts'
import { askChain } from '../node/ask.ts'
import { lightBlockOf } from './light-service.ts'

export class CheckpointError extends HouseError<'CHECKPOINT_NOT_FOUND'> {}

export interface Checkpoint {
  readonly height: number
  readonly hash: Hash
}

/** From the two flags, which go together. @throws UsageError. */
export function checkpointFrom(height: number | undefined, text: string | undefined): Checkpoint | undefined {
  if (height === undefined && text === undefined) return undefined
  if (height === undefined || text === undefined || !/^[0-9a-f]{64}$/.test(text)) {
    throw new UsageError('USAGE', '--trust-height and --trust-hash go together; the hash has 64 hexadecimal digits.')
  }
  return { height, hash: hash(text) }
}

/**
 * The header behind the checkpoint, from whichever peer has it; peers with another one are named.
 * @throws CheckpointError CHECKPOINT_NOT_FOUND.
 */
export async function fetchCheckpoint(
  checkpoint: Checkpoint,
  ports: {
    readonly wire: Wire
    readonly clock: Clock
    readonly log: Log
    readonly networkId: Hash
    readonly signal?: AbortSignal
  },
): Promise<Trusted> {
  const { wire, log, networkId } = ports
  const others: string[] = []
  for (const peer of wire.connectedPeers()) {
    try {
      const question = { type: 'headers', from: checkpoint.height, count: 1 } as const
      const told = await askChain({ peer, addresses: [] }, question, ports)
      return trustCheckpoint({ networkId, ...checkpoint }, lightBlockOf(told.items))
    } catch (error) {
      if (codeOf(error) === undefined) throw error
      log.write('warn', 'light.checkpoint', { peer, code: codeOf(error), reason: messageOf(error) })
      others.push(`${peer} (${codeOf(error)})`)
    }
  }
  const who = others.length === 0 ? 'No node was asked' : `Asked: ${others.join(', ')}`
  const message = `No node has the checkpoint, block ${checkpoint.height} with hash ${checkpoint.hash.slice(0, 12)}…. Compare it with a source that you trust. ${who}.`
  throw new CheckpointError('CHECKPOINT_NOT_FOUND', message, { details: { height: checkpoint.height } })
}
