/**
 * What a client hears of an answer, token by token, however many came in one message.
 * Spec: docs/spec/wire.md §4.4.
 * @module
 */
import type { Hash } from '../../base/brand.ts'
import type { StageMessage, StageMessageOf } from '../../net/protocols/stage.ts'

export interface HeardToken {
  readonly type: 'token'
  readonly turn: number
  readonly position: number
  readonly token: number
  readonly digest: Hash | undefined
}

/** The cap of the lease ends an answer as the tail would. */
type Spent = Omit<StageMessageOf<'end'>, 'reason'> & { readonly reason: 'lease-spent' }

export type Heard = Exclude<StageMessage, { readonly type: 'token' }> | HeardToken | Spent

export function tokensOf({ turn, position, tokens, digests }: StageMessageOf<'token'>): HeardToken[] {
  return Array.from(tokens, (token, index) => {
    return { type: 'token', turn, position: position + index, token, digest: digests[index] }
  })
}
