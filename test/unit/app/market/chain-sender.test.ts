/** Transactions that a program sends one after the other: their nonces, and what becomes of those behind one that is given up. */
import { expect, test } from 'vitest'
import { transferCall } from '../../../../src/app/chain/calls.ts'
import type { ChainAccess, TransactionView } from '../../../../src/app/chain/chain-access.ts'
import { createChainSender } from '../../../../src/app/market/chain-sender.ts'
import { keyPairFromSecret } from '../../../../src/core/ed25519.ts'
import { accountOf, addressOfAccount } from '../../../../src/core/fields.ts'
import { TransactionError } from '../../../../src/core/transaction/contract.ts'
import { decodeTransaction } from '../../../../src/core/transaction/transaction.ts'
import { createFakeClock, until } from '../../../fake-clock.ts'
import { head } from '../mining/views.ts'

const KEYS = keyPairFromSecret(new Uint8Array(32).fill(7))
const NEVER = new AbortController().signal

/** A chain in which transactions wait until the test ends each of them; `state.nonce`: of the next one that is in no pool. */
function world() {
  const nonces: bigint[] = []
  const ends: { readonly resolve: () => void; readonly reject: (error: unknown) => void }[] = []
  const state = { nonce: 0, waiting: 0 }
  const chain: Partial<ChainAccess> = {
    network: head(1),
    head: async () => head(1),
    parameters: async () => Promise.reject(new Error('nobody asks')),
    account: async () => ({ balance: '1000000000', ...state }) as never,
    async submit(bytes) {
      const { nonce, id } = decodeTransaction(bytes)
      nonces.push(nonce)
      return id
    },
    waitFor: (_id, signal) =>
      new Promise((resolve, reject) => {
        ends.push({ resolve: () => resolve({} as TransactionView), reject })
        signal?.addEventListener('abort', () => reject(signal.reason))
      }),
  }
  const sender = createChainSender({ chain: chain as ChainAccess, keys: KEYS }, { clock: createFakeClock() })
  const call = transferCall({ amount: '0.1', address: addressOfAccount(accountOf(KEYS.publicKey), 'local') }, 'local')
  const sends = (count: number): Promise<unknown>[] =>
    Array.from({ length: count }, () => sender.send(call, NEVER).catch((error: { code: string }) => error.code))
  return { nonces, ends, state, sends }
}

test('several wait at once, with one nonce after the other', async () => {
  const { nonces, ends, sends } = world()
  const all = sends(3)
  await until(() => ends.length === 3, 'all are handed in')
  expect(nonces).toEqual([0n, 1n, 2n])
  for (const { resolve } of ends) resolve()
  expect(await Promise.all(all)).toEqual([{}, {}, {}])
})

test('those behind one that leaves the mempool are given back, since none of them comes into a block', async () => {
  const { nonces, ends, state, sends } = world()
  const all = sends(3)
  await until(() => ends.length === 3, 'all are handed in')
  ends[1]!.reject(new TransactionError('NO_SUCH_LEASE', 'It is gone.'))
  ends[0]!.resolve()
  expect(await Promise.all(all)).toEqual([{}, 'NO_SUCH_LEASE', 'SEND_CUT_OFF'])
  // The first is in a block; the next one fills the gap.
  state.nonce = 1
  void sends(1)
  await until(() => ends.length === 4, 'the next is handed in')
  expect(nonces).toEqual([0n, 1n, 2n, 1n])
})
