/**
 * The chain's methods of the control server: what `ChainAccess` offers, by name, with parameters checked at the edge.
 * Spec: docs/spec/control.md §10.
 * @module
 */
import type { Hash } from '../../base/brand.ts'
import { CHAIN_LIMITS, NODE_LIMITS } from '../../base/chain-limits.ts'
import { accountOfAddress } from '../../core/fields.ts'
import type { CallContext, CallMethod, MethodTable, NoParams, StreamMethod } from '../control/methods.ts'
import { readAddress, readBytes, readHash, readHeight, readInteger, readOptional, readText } from '../control/params.ts'
import type {
  AccountView,
  BlockView,
  ChainAccess,
  HeadView,
  HoldingsView,
  NodeStatusView,
  ParametersView,
  TransactionView,
  ValidatorView,
} from './chain-access.ts'
import { type MarketMethods, marketMethods } from './market-methods.ts'

/** Parameters as they travel: addresses and bytes as text. */
export interface ChainMethods extends MarketMethods {
  dllm_nodeStatus: { params: NoParams; result: NodeStatusView }
  dllm_head: { params: NoParams; result: HeadView }
  dllm_account: { params: { address: string }; result: AccountView }
  dllm_block: { params: { height?: number; hash?: Hash }; result: BlockView }
  dllm_transaction: { params: { id: Hash }; result: TransactionView }
  dllm_history: { params: { address: string; limit: number }; result: readonly TransactionView[] }
  dllm_validators: { params: NoParams; result: readonly ValidatorView[] }
  dllm_parameters: { params: NoParams; result: ParametersView }
  dllm_submit: { params: { transaction: string }; result: { readonly id: Hash } }
  dllm_holdings: { params: { height?: number; from?: string }; result: HoldingsView }
  dllm_watchHeads: { params: NoParams; item: HeadView }
}

/** What a full node offers beside `ChainAccess`. */
export interface NodeAccess extends ChainAccess {
  status(): NodeStatusView
  holdings(request: { readonly height?: number | undefined; readonly from?: string | undefined }): HoldingsView
}

/** Longest key of a state, in hexadecimal, as `dllm_holdings` pages by it. */
const CURSOR_CHARACTERS_MAX = 256

export function chainMethods(node: NodeAccess): MethodTable<ChainMethods> {
  const { kind } = node.network
  const withoutParams = <R>(answer: (context: CallContext) => R | Promise<R>): CallMethod<NoParams, R> => ({
    ...{ type: 'call', fields: [] },
    read: () => ({}),
    call: (_params, context) => answer(context),
  })
  return {
    ...marketMethods(node.market, kind),
    dllm_nodeStatus: withoutParams(() => node.status()),
    dllm_head: withoutParams(({ signal }) => node.head(signal)),
    dllm_validators: withoutParams(({ signal }) => node.validators(signal)),
    dllm_parameters: withoutParams(({ signal }) => node.parameters(signal)),
    dllm_account: {
      ...{ type: 'call', fields: ['address'] },
      read: (params) => ({ address: readAddress(params, 'address', kind) }),
      call: (params, { signal }) => node.account(accountOfAddress(params.address, kind), signal),
    },
    dllm_history: {
      ...{ type: 'call', fields: ['address', 'limit'] },
      read: (params) => ({
        address: readAddress(params, 'address', kind),
        limit: readInteger(params, 'limit', { min: 1, max: NODE_LIMITS.historyMax }),
      }),
      call: ({ address, limit }, { signal }) => node.history(accountOfAddress(address, kind), limit, signal),
    },
    dllm_block: blockMethod(node),
    dllm_transaction: {
      ...{ type: 'call', fields: ['id'] },
      read: (params) => ({ id: readHash(params, 'id') }),
      call: ({ id }, { signal }) => node.transaction(id, signal),
    },
    dllm_submit: submitMethod(node),
    dllm_holdings: {
      ...{ type: 'call', fields: ['height', 'from'] },
      read: (params) =>
        optional({
          height: readOptional(params, 'height', readHeight),
          from: readOptional(params, 'from', (fields, name) => readText(fields, name, CURSOR_CHARACTERS_MAX)),
        }),
      call: (params) => node.holdings(params),
    },
    dllm_watchHeads: watchMethod(node),
  }
}

function blockMethod(node: NodeAccess): CallMethod<{ height?: number; hash?: Hash }, BlockView> {
  return {
    ...{ type: 'call', fields: ['height', 'hash'] },
    read: (params) =>
      optional({
        height: readOptional(params, 'height', readHeight),
        hash: readOptional(params, 'hash', readHash),
      }),
    async call({ height, hash }, { signal }) {
      return node.block(hash ?? height ?? (await node.head(signal)).height, signal)
    },
  }
}

function submitMethod(node: NodeAccess): CallMethod<{ transaction: string }, { readonly id: Hash }> {
  return {
    ...{ type: 'call', fields: ['transaction'] },
    read: (params) => {
      readBytes(params, 'transaction', CHAIN_LIMITS.transactionBytesMax)
      return { transaction: params.get('transaction') as string }
    },
    async call({ transaction }, { signal }) {
      return { id: await node.submit(Uint8Array.from(Buffer.from(transaction, 'hex')), signal) }
    },
  }
}

function watchMethod(node: NodeAccess): StreamMethod<NoParams, HeadView> {
  return {
    ...{ type: 'stream', fields: [] },
    read: () => ({}),
    open: (_params, { signal }) => node.watch(signal),
  }
}

/** Fields that are undefined are left out. */
function optional<Fields extends object>(
  fields: Fields,
): { [Name in keyof Fields]?: Exclude<Fields[Name], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never
}
