/** Views of the chain for tests of what a miner decides. */
import type { HeadView } from '../../../../src/app/chain/chain-access.ts'
import type {
  LeaseView,
  LotView,
  MinerView,
  ModelView,
  PlacementView,
} from '../../../../src/app/chain/market-access.ts'
import type { Sight } from '../../../../src/app/mining/survey.ts'
import { hash } from '../../../../src/base/brand.ts'
import { INITIAL_PARAMETERS } from '../../../../src/core/parameters.ts'

export const MODEL = hash('ab'.repeat(32))
export const OWN = 'ldllm1own'
export const PEER_KEY = '07'.repeat(32)

export function head(height: number): HeadView {
  const supply = { genesis: '0', issued: '0', burnt: '0', total: '0', rewardPool: '0' }
  return {
    ...{ networkId: hash('00'.repeat(32)), name: 'lab', kind: 'local', source: 'node', hash: hash('11'.repeat(32)) },
    ...{ height, timeMs: 0, baseFee: '9', epoch: 0, validators: 1, supply },
  }
}

/** Three segments of a million multiply-accumulates per row. */
export function model(change: Partial<ModelView> = {}): ModelView {
  return {
    ...{ model: MODEL, name: 'genesis', publisher: 'p', deposit: '0', context: 1_000, status: 'active', price: '1000' },
    segments: [1, 2, 3].map(() => ({ linear: '1000000', attention: '0' })),
    ...{ registeredHeight: 0, tries: 0 },
    ...change,
  }
}

export function miner(change: Partial<MinerView> = {}): MinerView {
  return {
    ...{ address: OWN, payout: 'ldllm1pay', peerKey: PEER_KEY, device: 'cpu', status: 'active' },
    ...{ deposit: '2000000000', locked: '0', openLots: 0, registeredHeight: 1, workRate: '0', reliability: 1 },
    ...{ auditedReceipts: 0, workValue: '0' },
    ...change,
  }
}

export function placement(change: Partial<PlacementView> = {}): PlacementView {
  return {
    ...{ model: MODEL, operator: OWN, first: 0, end: 3, slots: 4, used: 0, bid: '0', until: 300, live: true },
    deposit: '2000000000',
    ...change,
  }
}

export function lot(change: Partial<LotView> = {}): LotView {
  return {
    ...{ operator: 'ldllm1other', peerKey: '08'.repeat(32), first: 0, end: 3 },
    ...{ work: { linear: '3000000', attention: '0' }, rate: '800', task: '1000', rows: 0, root: hash('00'.repeat(32)) },
    ...{ state: 'unclaimed' as const },
    ...change,
  }
}

export function lease(change: Partial<LeaseView> = {}): LeaseView {
  return {
    ...{ id: hash('22'.repeat(32)), payer: 'ldllm1payer', model: MODEL, status: 'open', voucherKey: '09'.repeat(32) },
    terms: { price: '1000', decodeWeight: '4', treasuryShare: '100', stakerShare: '70', receiptRows: '256' },
    ...{ cap: '1000000', escrow: '1000000', charge: '0', openedHeight: 1, expiryHeight: 1_000, dueHeight: 1_000 },
    ...{ seq: '0', openAudits: 0, lots: [lot()] },
    counters: { promptRows: '0', promptPositions: '0', decodeRows: '0', decodePositions: '0' },
    ...change,
  }
}

export function sight(change: Partial<Sight> = {}): Sight {
  return {
    ...{ head: head(10), parameters: INITIAL_PARAMETERS, model: model(), miner: miner(), balance: 10n ** 9n },
    ...change,
  }
}
