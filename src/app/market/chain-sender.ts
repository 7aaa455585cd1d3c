/**
 * Transactions that a program sends by itself, with keys that it holds: one nonce after the other, so that several may wait at once. What people
 * type and confirm goes through app/chain/send-transaction.ts.
 * Spec: docs/spec/cli.md §6.
 * @module
 */
import type { AccountId } from '../../base/brand.ts'
import { codeOf } from '../../base/error.ts'
import type { Clock } from '../../base/ports.ts'
import type { KeyPair } from '../../core/ed25519.ts'
import { accountOf } from '../../core/fields.ts'
import type { ChainCall } from '../chain/calls.ts'
import type { ChainAccess, TransactionView } from '../chain/chain-access.ts'
import { nextNonce as planNonce, SendError, sendTransaction } from '../chain/send-transaction.ts'
import { createSerial } from '../store/serial.ts'
import { createGapWatch } from './gap-watch.ts'

export type CallOfNonce = (nonce: bigint) => Promise<ChainCall>

export interface ChainSender {
  readonly id: AccountId
  /**
   * Resolves when the transaction is in a final block. @throws whatever the chain refuses it with; INSUFFICIENT_FUNDS; WaitError
   * CHAIN_STILL_WAITING; SendError SEND_CUT_OFF, when one before it left the mempool: it waits for that nonce, so it is to be sent again; the
   * signal's reason, also where it was sent already. A call that hangs on its nonce is made when that is known, and before anybody hears of it.
   */
  send(call: ChainCall | CallOfNonce, signal: AbortSignal): Promise<TransactionView>
  /** The nonce that the next transaction has, if nobody else sends for the account. */
  nextNonce(signal: AbortSignal): Promise<bigint>
}

export interface ChainSenderOptions {
  readonly chain: ChainAccess
  /** Of the account that sends and pays. */
  readonly keys: KeyPair
}

export function createChainSender({ chain, keys }: ChainSenderOptions, { clock }: { clock: Clock }): ChainSender {
  const id = accountOf(keys.publicKey)
  const serial = createSerial()
  /** After those that were handed in and are in no block yet: a light client does not know of them. */
  let unseen = 0n
  /** About to be handed in, or in no block yet: their nonces, and what ends the waiting. */
  const waiting = new Map<AbortController, bigint>()

  /** None of those behind it comes into a block while this nonce is missing; the next one fills the gap. */
  const cutOff = (missing: bigint): void => {
    unseen = missing
    for (const [end, nonce] of waiting) if (nonce > missing) end.abort(cutOffBy(missing))
  }

  const giveUp = (nonce: bigint, error: unknown, signal: AbortSignal): void => {
    const code = codeOf(error)
    // It may still come into a block, and if not, the watch finds out; one that was cut off is behind the gap.
    if (signal.aborted || code === 'SEND_CUT_OFF') return
    if (code === 'CHAIN_STILL_WAITING') unseen = 0n
    else cutOff(nonce)
  }

  const watch = createGapWatch({ chain, clock, id, nonces: () => [...waiting.values()], cutOff })

  const nextNonce = async (signal: AbortSignal): Promise<bigint> => {
    const known = planNonce(await chain.account(id, signal))
    return known > unseen ? known : unseen
  }

  /** `done`: in a block. */
  const handIn = async (
    wish: ChainCall | CallOfNonce,
    { end, signal }: { readonly end: AbortController; readonly signal: AbortSignal },
  ): Promise<{ readonly done: Promise<TransactionView> }> => {
    const nonce = await nextNonce(signal)
    waiting.set(end, nonce)
    watch.begin()
    const call = typeof wish === 'function' ? await wish(nonce) : wish
    const { promise: handedIn, resolve, reject } = Promise.withResolvers<void>()
    const steps = {
      ...{ chain, clock, signal: AbortSignal.any([signal, end.signal]), waits: true, keys: async () => keys },
      confirm: async () => undefined,
      onSent: () => resolve(),
      onStalled: () => undefined,
    }
    const done = sendTransaction({ call, sender: id, fees: { nonce } }, steps)
    done.catch(reject)
    await handedIn
    if (!end.signal.aborted) unseen = nonce + 1n
    return { done }
  }

  return {
    id,
    nextNonce,
    async send(wish, signal) {
      const end = new AbortController()
      try {
        // Nonces are given out one after the other; blocks are waited for together.
        const { done } = await serial(() => handIn(wish, { end, signal }))
        return await done
      } catch (error) {
        const nonce = waiting.get(end)
        if (nonce !== undefined) giveUp(nonce, error, signal)
        throw error
      } finally {
        waiting.delete(end)
        if (waiting.size === 0) watch.end()
      }
    },
  }
}

function cutOffBy(missing: bigint): SendError {
  const message = `The transaction waits behind another one of this account that was given up, with the nonce ${missing}. Send it again.`
  return new SendError('SEND_CUT_OFF', message, { details: { nonce: String(missing) } })
}
