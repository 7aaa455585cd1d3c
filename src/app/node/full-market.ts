/**
 * What a full node answers about the market, of its newest state. Long lists come in pages, each of which reads a bounded number of
 * records: the node has blocks to make meanwhile. Spec: docs/spec/control.md §11.
 * @module
 */
import { hexToBytes } from '@noble/hashes/utils.js'
import type { AccountId } from '../../base/brand.ts'
import { hash } from '../../base/brand.ts'
import { NODE_LIMITS } from '../../base/chain-limits.ts'
import type { Chain } from '../../core/chain.ts'
import { HASH_BYTES, ZERO_HASH } from '../../core/fields.ts'
import type { NetworkKind } from '../../core/network-kind.ts'
import { readAudit, readAuditId } from '../../core/state/audits.ts'
import { leaseIdOf, readLease } from '../../core/state/leases.ts'
import { readMiner } from '../../core/state/miners.ts'
import { models } from '../../core/state/models.ts'
import { placements } from '../../core/state/placements.ts'
import { type ReadState, type StateKey, stateKey } from '../../core/state/state.ts'
import { accountInKey, decodeRecord, hexInKey, TABLE } from '../../core/state/tables.ts'
import { quoteLots } from '../../core/transaction/open-lease.ts'
import { requireKnownModel, requireLease, requireMiner } from '../../core/transaction/refusals.ts'
import { viewRecord } from '../chain/earnings-views.ts'
import type { LeaseWish, MarketAccess, Page, PageWish, QuoteView, QuoteWish } from '../chain/market-access.ts'
import {
  viewAudit,
  viewLease,
  viewMiner,
  viewModel,
  viewPlacement,
  viewQuote,
  viewReadiness,
} from '../chain/market-views.ts'
import type { MarketIndex } from './market-index.ts'

/** Makes an entry of a record, or leaves it out. */
type EntryOf<Entry> = (key: StateKey, bytes: Uint8Array) => Entry | undefined

export interface FullMarketParts {
  readonly chain: Chain
  readonly records: Pick<MarketIndex, 'since' | 'records' | 'settlement'>
}

export function createFullMarket({ chain, records }: FullMarketParts, kind: NetworkKind): MarketAccess {
  const { state } = chain
  const page = <Entry>(prefix: StateKey, wish: PageWish, entryOf: EntryOf<Entry>): Page<Entry> => {
    return { height: chain.header.height, ...pageOf({ state, prefix, wish }, entryOf) }
  }
  return {
    models: async () => [...models(state)].map(([model, record]) => viewModel(model, record, kind)),
    model: async (model) => viewModel(model, requireKnownModel(state, model), kind),
    readiness: async (model) =>
      viewReadiness(state, model, { height: chain.header.height, parameters: chain.parameters }),
    miners: async (wish) =>
      page(stateKey(TABLE.miner), wish, (key, bytes) =>
        viewMiner(accountInKey(key, 0), decodeRecord(bytes, readMiner), kind),
      ),
    miner: async (operator) => viewMiner(operator, requireMiner(state, operator), kind),
    async placements(model) {
      requireKnownModel(state, model)
      const next = { state, kind, height: chain.header.height + 1 }
      return [...placements(state, model)].map(([operator, record]) => viewPlacement(next, { model, operator }, record))
    },
    lease: async (id) => viewLease({ state, kind }, id),
    leases: async (wish) =>
      page(stateKey(TABLE.lease), wish, (key, bytes) => {
        const id = hash(hexInKey(key, 0, HASH_BYTES))
        return isWanted(bytes, wish) ? viewLease({ state, kind }, id) : undefined
      }),
    async earnings({ accounts, ...wish }) {
      const { height } = chain.header
      const limit = Math.min(wish.limit, NODE_LIMITS.marketPageMax)
      const { records: found, ...next } = await records.records(accounts, { ...wish, limit })
      return {
        height,
        since: await records.since(height),
        entries: found.map((each) => viewRecord(each, kind)),
        ...next,
      }
    },
    async settlement(lease) {
      const found = await records.settlement(lease)
      const view = found && viewRecord(found, kind)
      return view?.type === 'settled' ? view : undefined
    },
    quote: async (wish) => quote(chain, kind, wish),
    async audits(wish) {
      const { lease } = wish
      if (lease !== undefined) requireLease(state, lease)
      const prefix = lease === undefined ? stateKey(TABLE.audit) : stateKey(TABLE.audit, lease)
      return page(prefix, wish, (key, bytes) =>
        viewAudit(decodeRecord(bytesOfKey(key), readAuditId), decodeRecord(bytes, readAudit), kind),
      )
    },
  }
}

/** As if it were opened in the next block by the payer's next transaction. */
function quote(chain: Chain, kind: NetworkKind, { model, cuts, rows, avoid = [], payer }: QuoteWish): QuoteView {
  const { state, parameters, networkId } = chain
  const height = chain.header.height + 1
  const leaseId = payer === undefined ? ZERO_HASH : leaseIdOf(networkId, payer, chain.mempool.nextNonce(payer))
  const quoted = quoteLots(state, { leaseId, model, cuts, rows, avoid: avoid.toSorted() }, { height, parameters })
  return viewQuote({ state, kind, height, parameters }, { model, rows, cuts }, quoted)
}

function isWanted(bytes: Uint8Array, { payer, operator }: LeaseWish): boolean {
  const lease = decodeRecord(bytes, readLease)
  const serves = (account: AccountId): boolean => lease.lots.some((lot) => lot.operator === account)
  return (payer === undefined || lease.payer === payer) && (operator === undefined || serves(operator))
}

/** Records from `wish.from` on, in the order of their keys. */
function pageOf<Entry>(
  { state, prefix, wish }: { readonly state: ReadState; readonly prefix: StateKey; readonly wish: PageWish },
  entryOf: EntryOf<Entry>,
): Pick<Page<Entry>, 'entries' | 'next'> {
  const first = prefix.slice(0, 2) + (wish.from ?? '')
  const limit = Math.min(wish.limit, NODE_LIMITS.marketPageMax)
  const entries: Entry[] = []
  let reads = 0
  for (const [key, bytes] of state.entries(prefix)) {
    if (key < first) continue
    if (entries.length === limit || reads++ === NODE_LIMITS.marketReadsMax) return { entries, next: key.slice(2) }
    const entry = entryOf(key, bytes)
    if (entry !== undefined) entries.push(entry)
  }
  return { entries }
}

/** Without the table's. */
function bytesOfKey(key: StateKey): Uint8Array {
  return hexToBytes(key.slice(2))
}
