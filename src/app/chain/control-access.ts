/**
 * The chain as a node on this machine tells it, through its control server. Spec: docs/spec/control.md §10.
 * @module
 */
import { bytesToHex } from '@noble/hashes/utils.js'
import type { Hash } from '../../base/brand.ts'
import { HouseError } from '../../base/error.ts'
import { addressOfAccount } from '../../core/fields.ts'
import type { ControlClient } from '../control/control-client.ts'
import type { ChainAccess, NetworkView, TransactionView } from './chain-access.ts'
import type { ChainMethods } from './chain-methods.ts'
import { createControlMarket } from './market-methods.ts'

export class ChainAccessError extends HouseError<'CHAIN_NODE_STOPPED'> {}

/** `client`: of a node of `network`. */
export function createControlAccess(client: ControlClient<ChainMethods>, network: NetworkView): ChainAccess {
  const { kind } = network
  return {
    source: 'node',
    network,
    market: createControlMarket(client, kind),
    head: (signal) => client.call('dllm_head', {}, signal),
    nodeStatus: (signal) => client.call('dllm_nodeStatus', {}, signal),
    account: (id, signal) => client.call('dllm_account', { address: addressOfAccount(id, kind) }, signal),
    block: (which, signal) =>
      client.call('dllm_block', typeof which === 'number' ? { height: which } : { hash: which }, signal),
    transaction: (id, signal) => client.call('dllm_transaction', { id }, signal),
    history: (id, limit, signal) => client.call('dllm_history', { address: addressOfAccount(id, kind), limit }, signal),
    validators: (signal) => client.call('dllm_validators', {}, signal),
    parameters: (signal) => client.call('dllm_parameters', {}, signal),
    submit: async (transaction, signal) =>
      (await client.call('dllm_submit', { transaction: bytesToHex(transaction) }, signal)).id,
    waitFor: (id, signal) => waitFor(client, id, signal),
    watch: (signal) => client.stream('dllm_watchHeads', {}, signal),
    close: async () => client.close(),
  }
}

/** Asks again after each block. */
async function waitFor(
  client: ControlClient<ChainMethods>,
  id: Hash,
  signal: AbortSignal | undefined,
): Promise<TransactionView> {
  for await (const _head of client.stream('dllm_watchHeads', {}, signal)) {
    const found = await client.call('dllm_transaction', { id }, signal)
    if (found.height !== undefined) return found
  }
  throw new ChainAccessError(
    'CHAIN_NODE_STOPPED',
    'The node stopped before the transaction was in a block. Start it again and look at `dllm chain tx`.',
  )
}
