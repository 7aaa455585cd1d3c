/**
 * How a miner ends a channel: it says why where there is a reason, sends the end marker, and then keeps nothing that the
 * other side still sends.
 * Spec: docs/spec/wire.md §4.6.
 * @module
 */
import { HouseError } from '../../base/error.ts'
import { encodeStageMessage } from '../../net/protocols/stage.ts'
import type { Channel } from '../../net/wire.ts'

/** Far below the bounds of the message's fields: a longer sentence is cut, not refused by its reader. */
const SENTENCE_CHARACTERS_MAX = 400

/** Sends the code and sentence of an expected failure, and nothing of a bug; a channel that is gone is left alone. */
export function tellFailure(channel: Channel, error: unknown): void {
  const isExpected = error instanceof HouseError
  const code = isExpected ? error.code : 'RING_STAGE_FAILED'
  const message = isExpected ? error.message.slice(0, SENTENCE_CHARACTERS_MAX) : 'The stage failed.'
  try {
    channel.send(encodeStageMessage({ type: 'failed', code, message }))
  } catch {
    // Nobody is left to be told.
  }
}

/** End marker, then nothing is taken any more. */
export async function endChannel(channel: Channel): Promise<void> {
  await channel.close().catch(() => undefined)
  channel.abort('it has ended')
}
