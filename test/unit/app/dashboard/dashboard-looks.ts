/**
 * Looks for the tests of the dashboard.
 */
import type { HeadView, NodeStatusView, ValidatorView } from '../../../../src/app/chain/chain-access.ts'
import type { EarningsView } from '../../../../src/app/chain/earnings-report.ts'
import type { MinerView } from '../../../../src/app/chain/market-access.ts'
import type { ChainSeen, Look, MinersSeen, Nothing, OfferLook, PeerLook } from '../../../../src/app/dashboard/looks.ts'
import {
  type DashboardState,
  type DashboardSubject,
  initialState,
  reduce,
} from '../../../../src/app/dashboard/state.ts'
import { hash } from '../../../../src/base/brand.ts'

export const START_MS = 1_750_000_000_000
export const SUBJECT: DashboardSubject = { network: 'lab', model: 'genesis', segmentCount: 6, wallet: 'default' }
export const NONE: Nothing = { type: 'none', code: 'NO_NODE', message: 'No node runs.' }

const DLLM = 1_000_000_000n

export function head(height: number, timeMs: number): HeadView {
  const supply = { genesis: '0', issued: '0', burnt: '0', total: String(5_000n * DLLM), rewardPool: '7' }
  return {
    ...{ networkId: hash('00'.repeat(32)), name: 'lab', kind: 'local', source: 'node', hash: hash('11'.repeat(32)) },
    ...{ height, timeMs, baseFee: '10000', epoch: 2, validators: 2, supply },
  }
}

export function node(height: number, timeMs: number): NodeStatusView {
  const consensus = { height: height + 1, round: 1, step: 'prevote' }
  return {
    ...head(height, timeMs),
    ...{
      nodeName: 'lab-1',
      peer: 'p',
      addresses: [],
      peers: 3,
      oldestHeight: 0,
      waiting: 4,
      syncing: false,
      consensus,
    },
    validator: 'ldllm1one',
  }
}

export function validator(name: string, more: Partial<ValidatorView> = {}): ValidatorView {
  const stake = String(100n * DLLM)
  return {
    ...{ address: `ldllm1${name}`, name, consensusKey: '', stake, status: 'active', votes: true, signedBlocks: 12 },
    ...more,
  }
}

export interface ChainShape {
  readonly height?: number
  readonly timeMs?: number
  /** DLLM of the owner account. */
  readonly balance?: bigint
}

export function chain({ height = 7, timeMs = START_MS, balance = 30n }: ChainShape = {}): ChainSeen {
  const accounts = [
    { role: 'owner', address: 'ldllm1owner', balance: String(balance * DLLM), bonded: String(2n * DLLM) },
    { role: 'payout', address: 'ldllm1payout', balance: '0', bonded: '0' },
  ]
  const validators = [validator('one'), validator('two', { votes: false })]
  return { type: 'seen', head: head(height, timeMs), node: node(height, timeMs), validators, accounts }
}

/** The wallet's operator as a miner of the chain. */
export function registered(): MinerView {
  return {
    ...{ address: 'ldllm1operator', payout: 'ldllm1payout', peerKey: '', device: 'cpu', status: 'active' },
    ...{ deposit: String(50n * DLLM), locked: String(5n * DLLM), openLots: 1, registeredHeight: 3 },
    ...{ workRate: '0', reliability: 0.995, auditedReceipts: 12, workValue: String(DLLM / 2n) },
  }
}

/** What mining brought: half a DLLM today of 12.25, one failed audit. */
export function mined(more: Partial<EarningsView> = {}): EarningsView {
  const sum = { earned: '0', lost: '0', lots: 0, units: '0', auditsPassed: 0, auditsFailed: 0 }
  const { address, payout, device, status, deposit, locked, openLots, reliability, workValue } = registered()
  const today = { ...sum, earned: String(DLLM / 2n), lots: 1, units: '40' }
  const total = { ...sum, earned: String((49n * DLLM) / 4n), lots: 20, auditsPassed: 11, auditsFailed: 1 }
  return {
    ...{ height: 7, since: 1, isWhole: true, today, week: total, total, claimed: String(DLLM), promised: '0' },
    history: { unit: 'hour', grains: [...Array<string>(15).fill('0'), today.earned] },
    ...{ deposit, locked, workValue, models: [], lots: [], entries: [], more: true },
    miners: [
      { address, payout, device, status, deposit, locked, openLots, reliability, workValue, name: 'miner', total },
    ],
    ...more,
  }
}

export function peer(name: string, more: Partial<PeerLook> = {}): PeerLook {
  return { peer: name, sessions: 0, steps: 0, rows: 0, computeMs: 0, ...more }
}

export function offer(name: string, firstSegment: number, lastSegment: number, isOwn = true): OfferLook {
  return { peer: name, firstSegment, lastSegment, device: 'wasm × 1', isOwn }
}

/** Two own miners and one of somebody else: the first half by two, the second by one. */
export function miners(rows: number, sessions = 1): MinersSeen {
  const told = { rows, steps: rows, sessions, computeMs: rows * 2 }
  return {
    type: 'seen',
    peers: [peer('peer-front', told), peer('peer-back', told), peer('peer-other')],
    offers: [offer('peer-front', 0, 3), offer('peer-back', 3, 6), offer('peer-other', 0, 3, false)],
  }
}

/** The state after looks that were a second apart. */
export function after(looks: readonly (ChainSeen | MinersSeen | Nothing)[], subject = SUBJECT): DashboardState {
  return looks.reduce((state, look, index) => reduce(state, lookAt(look, index)), initialState(subject, START_MS))
}

function lookAt(found: ChainSeen | MinersSeen | Nothing, index: number): Look {
  const at = { atMs: START_MS + index * 1_000, monotonicMs: 1_000 + index * 1_000 }
  return 'head' in found ? { ...at, type: 'chain', chain: found } : { ...at, type: 'miners', miners: found }
}
