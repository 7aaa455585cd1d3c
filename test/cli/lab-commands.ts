/**
 * Commands on the network of chain-lab.ts, as a person types them, and calls of contracts, as programs hand them in.
 */
import { expect } from 'vitest'
import type { ChainMethods } from '../../src/app/chain/chain-methods.ts'
import type { ConnectedNode } from '../../src/app/control/connect.ts'
import { Writer } from '../../src/base/codec.ts'
import type { KeyPair } from '../../src/core/ed25519.ts'
import { accountOf, addressOfAccount } from '../../src/core/fields.ts'
import { contractOf } from '../../src/core/transaction/contracts.ts'
import { signTransaction } from '../../src/core/transaction/transaction.ts'
import { type Lab, NETWORK } from './chain-lab.ts'
import { passwordFileOf } from './cheap-wallet.ts'
import type { Dllm, Outcome } from './dllm.ts'

const ON = ['--network', NETWORK]

export interface LabCommands {
  /** Flags that open the wallet of the lab. */
  readonly password: readonly string[]
  run(...args: readonly string[]): Promise<Outcome>
  json<Value>(...args: readonly string[]): Promise<Value>
  /** Runs and must succeed; what it printed, within 80 columns. */
  text(...args: readonly string[]): Promise<string>
}

export function labCommands(dllm: Dllm): LabCommands {
  const run = (...args: readonly string[]): Promise<Outcome> => dllm.run([...args, ...ON])
  return {
    password: ['--password-file', passwordFileOf(dllm)],
    run,
    json: <Value>(...args: readonly string[]): Promise<Value> => dllm.json<Value>([...args, ...ON]),
    async text(...args) {
      const { code, stdout, stderr } = await run(...args)
      expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' })
      for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80)
      return stdout
    },
  }
}

/** The address of the account of these keys. */
export function labAddress(keys: Pick<KeyPair, 'publicKey'>): string {
  return addressOfAccount(accountOf(keys.publicKey), 'local')
}

/** Signs a call of a contract, hands it in, and resolves when it is in a block. Returns its nonce. */
export async function callContract(
  { client, lab }: { readonly client: ConnectedNode<ChainMethods>; readonly lab: Lab },
  keys: KeyPair,
  { type, body }: { readonly type: number; readonly body: unknown },
): Promise<bigint> {
  const { nonce } = await client.call('dllm_account', { address: labAddress(keys) })
  const writer = new Writer()
  contractOf(type)!.write(writer, body)
  const draft = { type, nonce: BigInt(nonce), maxFee: 1_000_000n, tip: 1n, body: writer.finish() }
  const transaction = Buffer.from(signTransaction(lab.networkId, draft, keys)).toString('hex')
  const { id } = await client.call('dllm_submit', { transaction })
  for await (const _head of client.stream('dllm_watchHeads', {})) {
    if ((await client.call('dllm_transaction', { id })).height !== undefined) return BigInt(nonce)
  }
  throw new Error('the node stopped')
}
