/**
 * Whether a prompt fits a session.
 * @module
 */
import { SESSION_LIMITS } from '../../base/limits.ts'
import { RingError } from './ring-error.ts'

/** `tokens` with all before the prompt, `sent` of them with it. @throws RingError RING_PROMPT_TOO_LONG. */
export function checkRoom(tokens: number, sent: number, capacity: number): void {
  if (sent === 0) throw new RingError('RING_PROMPT_TOO_LONG', 'The prompt is empty: there is nothing to continue.')
  if (tokens <= capacity && sent <= SESSION_LIMITS.promptTokensMax) return
  const text = `The prompt and what came before it are ${tokens} tokens, but this session has room for ${capacity}. Shorten the prompt or start a new chat.`
  throw new RingError('RING_PROMPT_TOO_LONG', text, { details: { tokens, capacity } })
}
