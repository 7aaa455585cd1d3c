/**
 * Leases as the chain tells of them: a node of ours, or a light client that has each record proved. Spec: docs/spec/market.md §9.1.
 * @module
 */
import { hexToBytes } from '@noble/hashes/utils.js'
import { type Hash, hash, type Milliseconds, milliseconds } from '../../base/brand.ts'
import { codeOf } from '../../base/error.ts'
import { accountOfAddress } from '../../core/fields.ts'
import type { ChainAccess, HeadView, NetworkView } from '../chain/chain-access.ts'
import type { LeaseView, LotView } from '../chain/market-access.ts'
import type { LeasedLot, LeaseSource, OpenLease } from './lease-source.ts'

/** Blocks that a node may be behind the one that a client opened its lease at. */
const LAG_BLOCKS = 2
/** Lookups that wait for those at once; strangers may ask for leases that there are not. */
const WAITS_MAX = 16

/** `at`: the newest block; blocks do not come faster than `commitMs`. */
export interface LeaseMoment {
  readonly network: NetworkView
  readonly head: Pick<HeadView, 'height' | 'timeMs'>
  /** The parameter of this name. */
  readonly commitMs: number
}

export function createChainLeases(chain: ChainAccess): LeaseSource {
  let waits = 0
  let commitMs: Promise<number> | undefined

  const look = async (id: Hash, signal: AbortSignal | undefined): Promise<LeaseView | undefined> => {
    try {
      return await chain.market.lease(id, signal)
    } catch (error) {
      if (codeOf(error) === 'NO_SUCH_LEASE') return undefined
      throw error
    }
  }
  /** Of a lease that a block to come may have. */
  const lookLater = async (id: Hash, outer: AbortSignal | undefined): Promise<LeaseView | undefined> => {
    if (waits >= WAITS_MAX) return undefined
    waits++
    const watching = new AbortController()
    const signal = outer === undefined ? watching.signal : AbortSignal.any([outer, watching.signal])
    try {
      let heads = 0
      // The first head is that of now.
      for await (const _head of chain.watch(signal)) {
        const view = heads === 0 ? undefined : await look(id, signal)
        if (view !== undefined || heads++ === LAG_BLOCKS) return view
      }
      return undefined
    } finally {
      watching.abort()
      waits--
    }
  }

  return {
    async find(id, signal) {
      const view = (await look(id, signal)) ?? (await lookLater(id, signal))
      if (view === undefined) return { ok: false, why: 'unknown' }
      if (view.status !== 'open') return { ok: false, why: 'expired' }
      commitMs ??= chain.parameters(signal).then(({ values }) => Number(values.commitMs))
      commitMs.catch(() => {
        commitMs = undefined
      })
      const moment = { network: chain.network, head: await chain.head(signal), commitMs: await commitMs }
      return { ok: true, lease: openLeaseOf(view, moment) }
    },
  }
}

/** A lease as the ring uses it. It may be open longer than this says: blocks take longer than they must. */
export function openLeaseOf(view: LeaseView, { network, head, commitMs }: LeaseMoment): OpenLease {
  const { terms, lots } = view
  return {
    id: view.id,
    networkId: network.networkId,
    model: hash(view.model),
    payer: accountOfAddress(view.payer, network.kind),
    terms: {
      price: BigInt(terms.price),
      decodeWeight: BigInt(terms.decodeWeight),
      treasuryShare: BigInt(terms.treasuryShare),
      stakerShare: BigInt(terms.stakerShare),
      receiptRows: BigInt(terms.receiptRows),
    },
    lots: lots.map((lot) => leasedLotOf(lot, network)),
    cap: BigInt(view.cap),
    voucherKey: hexToBytes(view.voucherKey),
    openUntilMs: endOf(view.expiryHeight, { head, commitMs }),
  }
}

function endOf(expiryHeight: number, { head, commitMs }: Omit<LeaseMoment, 'network'>): Milliseconds {
  return milliseconds(head.timeMs + Math.max(0, expiryHeight - head.height) * commitMs)
}

function leasedLotOf({ operator, peerKey, first, end, work, rate }: LotView, { kind }: NetworkView): LeasedLot {
  return {
    operator: accountOfAddress(operator, kind),
    peerKey: hexToBytes(peerKey),
    firstSegment: first,
    lastSegment: end,
    work: { linear: BigInt(work.linear), attention: BigInt(work.attention) },
    rate: BigInt(rate),
  }
}
