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
  const known = new Map<string, bigint>()
  const ends: { readonly resolve: () => void; readonly reject: (error: unknown) => void }[] = []
  const state = { nonce: 0, waiting: 0, height: 1 }
  /** What a node takes in waits for it. */
  let handingIn: Promise<void> = Promise.resolve()
  const chain: Partial<ChainAccess> = {
    network: head(1),
    head: async () => head(1),
    parameters: async () => Promise.reject(new Error('nobody asks')),
    account: async () => ({ balance: '1000000000', ...state }) as never,
    async submit(bytes, signal) {
      const { nonce, id } = decodeTransaction(bytes)
      // While it waits it is handed in now and then.
      known.set(id, nonce)
      const { promise: gone, reject } = Promise.withResolvers<never>()
      signal?.addEventListener('abort', () => reject(signal.reason))
      await Promise.race([handingIn, gone])
      return id
    },
    waitFor: (id, signal) =>
      new Promise((resolve, reject) => {
        nonces.push(known.get(id)!)
        ends.push({ resolve: () => resolve({} as TransactionView), reject })
        signal?.addEventListener('abort', () => reject(signal.reason))
      }),
  }
  const clock = createFakeClock()
  const sender = createChainSender({ chain: chain as ChainAccess, keys: KEYS }, { clock })
  const call = transferCall({ amount: '0.1', address: addressOfAccount(accountOf(KEYS.publicKey), 'local') }, 'local')
  const sends = (count: number, signal: AbortSignal = NEVER): Promise<unknown>[] =>
    Array.from({ length: count }, () => sender.send(call, signal).catch((error: { code: string }) => error.code))
  const hold = (): (() => void) => {
    const { promise, resolve } = Promise.withResolvers<void>()
    handingIn = promise
    return resolve
  }
  /** So many blocks become final, and whoever looks at them does. */
  const pass = async (blocks: number): Promise<void> => {
    state.height += blocks
    clock.advance(4_000)
    await new Promise((resolve) => setImmediate(resolve))
  }
  return { nonces, known, ends, state, sends, hold, pass }
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

test('so is one that is just being handed in', async () => {
  const { nonces, known, ends, sends, hold } = world()
  const first = sends(1)
  await until(() => ends.length === 1, 'it is handed in')
  const release = hold()
  const second = sends(1)
  await until(() => known.size === 2, 'the second is on its way')
  ends[0]!.reject(new TransactionError('NO_SUCH_LEASE', 'It is gone.'))
  expect(await Promise.all([...first, ...second])).toEqual(['NO_SUCH_LEASE', 'SEND_CUT_OFF'])
  release()
  void sends(1)
  await until(() => ends.length === 2, 'the next is handed in')
  // The one that was on its way has not been waited for.
  expect(nonces).toEqual([0n, 0n])
})

test('one after a refused one follows those that still wait', async () => {
  const { nonces, ends, sends } = world()
  const all = sends(2)
  await until(() => ends.length === 2, 'both are handed in')
  ends[1]!.reject(new TransactionError('NO_SUCH_LEASE', 'It is gone.'))
  await all[1]
  void sends(1)
  await until(() => ends.length === 3, 'the next is handed in')
  expect(nonces).toEqual([0n, 1n, 1n])
})

test('where nobody waits for one any more and it never comes, those behind it are given back after some blocks', async () => {
  const { nonces, ends, sends, pass } = world()
  const behind = await behindOneThatEnded({ sends, ends })
  for (const blocks of [0, 4, 0]) await pass(blocks)
  expect(nonces).toEqual([0n, 1n])
  await pass(1)
  expect(await Promise.all(behind)).toEqual(['SEND_CUT_OFF'])
  void sends(1)
  await until(() => ends.length === 3, 'the gap is filled')
  expect(nonces).toEqual([0n, 1n, 0n])
})

test('where it comes late, nothing is given back', async () => {
  const { ends, state, sends, pass } = world()
  const behind = await behindOneThatEnded({ sends, ends })
  for (const blocks of [1, 1, 2]) await pass(blocks)
  state.nonce = 1
  for (const blocks of [5, 5, 5]) await pass(blocks)
  ends[1]!.resolve()
  expect(await Promise.all(behind)).toEqual([{}])
})

/** One that waits behind another whose duty has ended, so that nobody waits for that any more. */
async function behindOneThatEnded({
  sends,
  ends,
}: Pick<ReturnType<typeof world>, 'sends' | 'ends'>): Promise<Promise<unknown>[]> {
  const duty = new AbortController()
  const ended = sends(1, duty.signal)
  await until(() => ends.length === 1, 'it is handed in')
  duty.abort()
  await Promise.all(ended)
  const behind = sends(1)
  await until(() => ends.length === 2, 'the next follows it')
  return behind
}
