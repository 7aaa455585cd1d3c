/**
 * Why a download gives up, in words: who was found, and what is missing.
 * Spec: docs/spec/shards.md §6.
 * @module
 */
import type { ContactCounts } from './contacts.ts'
import { SwarmError } from './swarm-error.ts'

export interface Missing {
  /** Nothing has come, and nobody who could be asked now has any of it. */
  readonly isEmptyHanded: boolean
  /** Files that are not whole. */
  readonly left: number
}

/** SWARM_NO_PEER or SWARM_INCOMPLETE. */
export function nothingComes({ found, reached, banned }: ContactCounts, { isEmptyHanded, left }: Missing): SwarmError {
  const details = { found, reached, banned, left }
  const who = found === 1 ? '1 peer was' : `${found} peers were`
  const asked = found === 0 ? 'No peer was found' : `${who} found, ${reached} of them answered`
  if (isEmptyHanded) {
    const none = found === 0 ? '' : ', and none has what is wanted'
    const advice = 'Check the network with `dllm status`, or name a peer that serves it with --bootstrap.'
    return new SwarmError('SWARM_NO_PEER', `${asked}${none}. ${advice}`, { details })
  }
  const missing = left === 1 ? '1 file is not whole' : `${left} files are not whole`
  const advice = 'What is here stays; run the command again when more miners are there.'
  return new SwarmError('SWARM_INCOMPLETE', `${asked}, and nothing comes any more: ${missing}. ${advice}`, { details })
}
