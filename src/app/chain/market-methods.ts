/**
 * The market's methods of the control server, and the calls of its client: what `MarketAccess` offers, by name, with parameters checked at
 * the edge. Spec: docs/spec/control.md §11.
 * @module
 */
import type { AccountId, Hash } from '../../base/brand.ts'
import { MARKET_LIMITS, NODE_LIMITS } from '../../base/chain-limits.ts'
import { accountOfAddress, addressOfAccount } from '../../core/fields.ts'
import type { NetworkKind } from '../../core/network-kind.ts'
import type { ControlClient } from '../control/control-client.ts'
import type { CallMethod, MethodTable, NoParams } from '../control/methods.ts'
import {
  type Params,
  readAddress,
  readAddresses,
  readHash,
  readInteger,
  readNumbers,
  readOptional,
  readText,
} from '../control/params.ts'
import type { EarningsPage, SettlementView } from './earnings-access.ts'
import type {
  AuditView,
  LeaseView,
  MarketAccess,
  MinerView,
  ModelView,
  Page,
  PageWish,
  PlacementView,
  QuoteView,
  ReadinessView,
} from './market-access.ts'

interface PageParams {
  from?: string
  limit: number
}

interface QuoteParams {
  model: Hash
  cuts: readonly number[]
  rows: number
  avoid?: readonly string[]
  payer?: string
}

/** Parameters as they travel: accounts as addresses. */
export interface MarketMethods {
  dllm_models: { params: NoParams; result: readonly ModelView[] }
  dllm_model: { params: { model: Hash }; result: ModelView }
  dllm_readiness: { params: { model: Hash }; result: ReadinessView }
  dllm_miners: { params: PageParams; result: Page<MinerView> }
  dllm_miner: { params: { address: string }; result: MinerView }
  dllm_placements: { params: { model: Hash }; result: readonly PlacementView[] }
  dllm_lease: { params: { id: Hash }; result: LeaseView }
  dllm_leases: { params: { payer?: string; operator?: string } & PageParams; result: Page<LeaseView> }
  dllm_quote: { params: QuoteParams; result: QuoteView }
  dllm_audits: { params: { lease?: Hash } & PageParams; result: Page<AuditView> }
  dllm_earnings: { params: { accounts: readonly string[] } & PageParams; result: EarningsPage }
  dllm_settlement: { params: { id: Hash }; result: { settlement?: SettlementView } }
}

/** Longest key that a page begins with, in hexadecimal: an audit's. */
const CURSOR_CHARACTERS_MAX = 74
/** As cuts are encoded; whether they fit the model shows when it is known. */
const CUT_MAX = 0xffff
const PAGE_FIELDS = ['from', 'limit'] as const

export function marketMethods(market: MarketAccess, kind: NetworkKind): MethodTable<MarketMethods> {
  const accountOf = (address: string): AccountId => accountOfAddress(address, kind)
  const account = (address: string | undefined) => (address === undefined ? undefined : accountOf(address))
  const readWho = (params: Params, name: string): string => readAddress(params, name, kind)
  const readAvoid = (params: Params, name: string): readonly string[] =>
    readAddresses(params, name, { count: MARKET_LIMITS.leaseAvoidMax, network: kind })
  return {
    dllm_models: {
      ...{ type: 'call', fields: [], read: () => ({}) },
      call: (_params, { signal }) => market.models(signal),
    },
    dllm_model: byModel((model, signal) => market.model(model, signal)),
    dllm_placements: byModel((model, signal) => market.placements(model, signal)),
    dllm_readiness: byModel((model, signal) => market.readiness(model, signal)),
    dllm_miners: {
      ...{ type: 'call', fields: PAGE_FIELDS, read: readPage },
      call: (params, { signal }) => market.miners(params, signal),
    },
    dllm_miner: {
      ...{ type: 'call', fields: ['address'] },
      read: (params) => ({ address: readWho(params, 'address') }),
      call: ({ address }, { signal }) => market.miner(accountOf(address), signal),
    },
    dllm_lease: {
      ...{ type: 'call', fields: ['id'] },
      read: (params) => ({ id: readHash(params, 'id') }),
      call: ({ id }, { signal }) => market.lease(id, signal),
    },
    dllm_leases: {
      ...{ type: 'call', fields: ['payer', 'operator', ...PAGE_FIELDS] },
      read: (params) => ({
        ...given('payer', readOptional(params, 'payer', readWho)),
        ...given('operator', readOptional(params, 'operator', readWho)),
        ...readPage(params),
      }),
      call: ({ payer, operator, ...page }, { signal }) =>
        market.leases({ payer: account(payer), operator: account(operator), ...page }, signal),
    },
    dllm_quote: {
      ...{ type: 'call', fields: ['model', 'cuts', 'rows', 'avoid', 'payer'] },
      read: (params) => ({
        model: readHash(params, 'model'),
        cuts: readNumbers(params, 'cuts', { count: MARKET_LIMITS.leaseLotsMax - 1, max: CUT_MAX }),
        rows: readInteger(params, 'rows', { min: 0, max: 2 ** 32 - 1 }),
        ...given('avoid', readOptional(params, 'avoid', readAvoid)),
        ...given('payer', readOptional(params, 'payer', readWho)),
      }),
      call: ({ avoid, payer, ...wish }, { signal }) =>
        market.quote({ ...wish, avoid: avoid?.map(accountOf), payer: account(payer) }, signal),
    },
    dllm_audits: {
      ...{ type: 'call', fields: ['lease', ...PAGE_FIELDS] },
      read: (params) => ({ ...given('lease', readOptional(params, 'lease', readHash)), ...readPage(params) }),
      call: (params, { signal }) => market.audits(params, signal),
    },
    ...earningsMethods(market, kind),
  }
}

type EarningsMethods = Pick<MarketMethods, 'dllm_earnings' | 'dllm_settlement'>

function earningsMethods(market: MarketAccess, kind: NetworkKind): MethodTable<EarningsMethods> {
  return {
    dllm_earnings: {
      ...{ type: 'call', fields: ['accounts', ...PAGE_FIELDS] },
      read: (params) => ({
        accounts: readAddresses(params, 'accounts', { count: NODE_LIMITS.earningsAccountsMax, network: kind }),
        ...readPage(params),
      }),
      call: ({ accounts, ...page }, { signal }) =>
        market.earnings({ accounts: accounts.map((address) => accountOfAddress(address, kind)), ...page }, signal),
    },
    dllm_settlement: {
      ...{ type: 'call', fields: ['id'] },
      read: (params) => ({ id: readHash(params, 'id') }),
      call: async ({ id }, { signal }) => given('settlement', await market.settlement(id, signal)),
    },
  }
}

/** The market of a node behind its control server. */
export function createControlMarket(client: ControlClient<MarketMethods>, kind: NetworkKind): MarketAccess {
  const addressOf = (account: AccountId): string => addressOfAccount(account, kind)
  return {
    models: (signal) => client.call('dllm_models', {}, signal),
    model: (model, signal) => client.call('dllm_model', { model }, signal),
    readiness: (model, signal) => client.call('dllm_readiness', { model }, signal),
    miners: (wish, signal) => client.call('dllm_miners', pageOf(wish), signal),
    miner: (operator, signal) => client.call('dllm_miner', { address: addressOf(operator) }, signal),
    placements: (model, signal) => client.call('dllm_placements', { model }, signal),
    lease: (id, signal) => client.call('dllm_lease', { id }, signal),
    leases({ payer, operator, ...page }, signal) {
      const who = {
        ...given('payer', payer && addressOf(payer)),
        ...given('operator', operator && addressOf(operator)),
      }
      return client.call('dllm_leases', { ...who, ...pageOf(page) }, signal)
    },
    quote({ avoid, payer, ...wish }, signal) {
      const who = { ...given('avoid', avoid?.map(addressOf)), ...given('payer', payer && addressOf(payer)) }
      return client.call('dllm_quote', { ...wish, ...who }, signal)
    },
    audits: ({ lease, ...page }, signal) =>
      client.call('dllm_audits', { ...given('lease', lease), ...pageOf(page) }, signal),
    earnings: ({ accounts, ...page }, signal) =>
      client.call('dllm_earnings', { accounts: accounts.map(addressOf), ...pageOf(page) }, signal),
    settlement: async (id, signal) => (await client.call('dllm_settlement', { id }, signal)).settlement,
  }
}

function byModel<Result>(
  answer: (model: Hash, signal: AbortSignal) => Promise<Result>,
): CallMethod<{ model: Hash }, Result> {
  return {
    ...{ type: 'call', fields: ['model'] },
    read: (params) => ({ model: readHash(params, 'model') }),
    call: ({ model }, { signal }) => answer(model, signal),
  }
}

function readPage(params: Params): PageParams {
  const from = readOptional(params, 'from', (fields, name) => readText(fields, name, CURSOR_CHARACTERS_MAX))
  return {
    ...given('from', from),
    limit: readInteger(params, 'limit', { min: 1, max: NODE_LIMITS.marketPageMax }),
  }
}

function pageOf({ from, limit }: PageWish): PageParams {
  return { ...given('from', from), limit }
}

/** A field, unless it is undefined. */
function given<Name extends string, Value>(name: Name, value: Value | undefined): { [Key in Name]?: Value } {
  return (value === undefined ? {} : { [name]: value }) as { [Key in Name]?: Value }
}
