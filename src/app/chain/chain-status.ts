/**
 * The chain of a network in a line, for commands about something else: what is not there is said, and is no failure.
 * Spec: docs/spec/cli.md §5.
 * @module
 */
import { HouseError } from '../../base/error.ts'
import type { HeadView } from './chain-access.ts'
import { type ChainToOpen, openChain } from './open-chain.ts'
import { ageText } from './text-parts.ts'

/** The newest block, or why there is none. */
export type ChainStatus =
  | { readonly type: 'head'; readonly head: HeadView }
  | { readonly type: 'none'; readonly code: string; readonly message: string }

export async function findChainStatus(toOpen: ChainToOpen): Promise<ChainStatus> {
  try {
    const chain = await openChain(toOpen)
    try {
      return { type: 'head', head: await chain.head(toOpen.signal) }
    } finally {
      await chain.close()
    }
  } catch (error) {
    toOpen.signal.throwIfAborted()
    if (!(error instanceof HouseError)) throw error
    return { type: 'none', code: error.code, message: error.message }
  }
}

export function chainStatusText(status: ChainStatus, nowMs: number): string {
  if (status.type === 'none') return `Chain     ${status.message}\n`
  const { height, validators, timeMs, source } = status.head
  const who = `${validators} ${validators === 1 ? 'validator' : 'validators'}`
  const known = source === 'node' ? 'the full node on this machine' : 'a light client'
  return `Chain     block ${height}, ${ageText(timeMs, nowMs)}, ${who}, known from ${known}\n`
}
