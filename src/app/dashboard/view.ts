/**
 * The view model: what the panels of the dashboard say, as data. `dllm dashboard --json` prints it.
 * Pure. Spec: docs/spec/cli.md §9.
 * @module
 */
import type { NodeStatusView } from '../chain/chain-access.ts'
import type { MinerView as RegisteredMiner } from '../chain/market-access.ts'
import { type EarningsSection, earningsSection, minedOf, ownWords } from './earnings-section.ts'
import type { ChainSeen, MinersSeen, Nothing } from './looks.ts'
import type { DashboardState } from './state.ts'

export interface DashboardView {
  readonly type: 'snapshot'
  /** Unix time. */
  readonly timeMs: number
  readonly network: string
  readonly model: string
  readonly chain: ChainSection | Nothing
  readonly ring: RingSection | Nothing
  readonly work: WorkSection
  readonly earnings: EarningsSection
}

export interface ChainSection {
  readonly type: 'seen'
  readonly source: 'node' | 'light'
  /** Newest block, which is final. */
  readonly height: number
  readonly timeMs: number
  readonly epoch: number
  readonly baseFee: string
  readonly validators: number
  /** Those who vote in this epoch. */
  readonly voting: number
  /** Grains of all validators. */
  readonly stake: string
  readonly supply: string
  readonly rewardPool: string
  /** Grains per compute unit of the model; absent where the chain does not have it. */
  readonly price?: string
  /** Milliseconds per block, newest last. */
  readonly blockMs: readonly number[]
  readonly node?: Pick<NodeStatusView, 'nodeName' | 'peers' | 'waiting' | 'consensus' | 'syncing'>
  /** The validator of this machine's node, or of the watched wallet. */
  readonly own?: OwnValidator
}

export interface OwnValidator {
  readonly address: string
  readonly name: string
  readonly stake: string
  readonly votes: boolean
  readonly signedBlocks: number
}

export interface RingSection {
  readonly type: 'seen'
  /** Peers that answered. */
  readonly peers: number
  /** Peers that offer a part of the model. */
  readonly miners: number
  /** How many hold each segment, in order. */
  readonly holders: readonly number[]
  /** Sessions at the miner that has most. */
  readonly sessions: number
  /** Tokens per second, prompts included; newest last. */
  readonly tokenRates: readonly number[]
}

export interface WorkSection {
  /** Those whose keys are in this data folder. */
  readonly miners: readonly MinerView[]
  /** What the chain says of the wallet's operator as a miner; absent when it is none. */
  readonly registered?: RegisteredView
  /** Of the wallet's operator and the miners of this machine; absent where no full node tells, or there are none. */
  readonly audits?: { readonly passed: number; readonly failed: number }
  /** Absent while at least one of them works. */
  readonly idle?: Why
}

export type RegisteredView = Pick<
  RegisteredMiner,
  'address' | 'status' | 'deposit' | 'locked' | 'openLots' | 'reliability' | 'auditedReceipts' | 'workValue'
>

export interface Why {
  readonly code: string
  readonly message: string
}

export interface MinerView {
  readonly peer: string
  /** From 1, inclusive. */
  readonly segments: readonly string[]
  readonly device: string
  readonly answers: boolean
  readonly sessions: number
  readonly steps: number
  readonly tokens: number
  readonly tokensPerSecond: number
  /** Time in the engine per step; absent before the first step. */
  readonly stepMs?: number
}

const NOT_YET: Nothing = { type: 'none', code: 'LOOKING', message: 'Looking…' }

export function viewOf(state: DashboardState): DashboardView {
  const { subject, nowMs, chain = NOT_YET, miners = NOT_YET } = state
  const ring = miners.type === 'seen' ? ringSection(state, miners) : miners
  const work = workSection(state, ring)
  return {
    ...{ type: 'snapshot', timeMs: nowMs, network: subject.network, model: subject.model },
    chain: chain.type === 'seen' ? chainSection(state, chain) : chain,
    ...{ ring, work, earnings: earningsSection(state, work) },
  }
}

/** `1 to 3` of six as `1-3`. `lastSegment` is exclusive. */
function segmentsText(firstSegment: number, lastSegment: number): string {
  return lastSegment - firstSegment === 1 ? String(lastSegment) : `${firstSegment + 1}-${lastSegment}`
}

/** Segments that nobody holds, from 1. */
export function missingSegments({ holders }: RingSection): number[] {
  return holders.flatMap((count, index) => (count === 0 ? [index + 1] : []))
}

function chainSection({ blockMs }: DashboardState, chain: ChainSeen): ChainSection {
  const { head, node, validators } = chain
  const own = ownValidator(chain)
  return {
    ...{ type: 'seen', source: head.source, height: head.height, timeMs: head.timeMs, epoch: head.epoch },
    ...{ baseFee: head.baseFee, validators: validators.length, blockMs },
    voting: validators.filter(({ votes }) => votes).length,
    stake: String(validators.reduce((sum, { stake }) => sum + BigInt(stake), 0n)),
    ...{ supply: head.supply.total, rewardPool: head.supply.rewardPool },
    ...(chain.price === undefined ? {} : { price: chain.price }),
    ...(node === undefined ? {} : { node: nodePart(node) }),
    ...(own === undefined ? {} : { own }),
  }
}

function nodePart({ nodeName, peers, waiting, consensus, syncing }: NodeStatusView): NonNullable<ChainSection['node']> {
  return { nodeName, peers, waiting, consensus, syncing }
}

function ownValidator({ node, accounts, validators }: ChainSeen): OwnValidator | undefined {
  const addresses = [node?.validator, ...accounts.map(({ address }) => address)]
  const found = validators.find(({ address }) => addresses.includes(address))
  if (found === undefined) return undefined
  const { address, name, stake, votes, signedBlocks } = found
  return { address, name, stake, votes, signedBlocks }
}

function ringSection({ subject, tokenRates }: DashboardState, { peers, offers }: MinersSeen): RingSection {
  const holders = Array.from({ length: subject.segmentCount }, (_, segment) => {
    const holding = offers.filter(({ firstSegment, lastSegment }) => firstSegment <= segment && segment < lastSegment)
    return new Set(holding.map(({ peer }) => peer)).size
  })
  return {
    ...{ type: 'seen', peers: peers.length, miners: new Set(offers.map(({ peer }) => peer)).size, holders, tokenRates },
    sessions: peers.reduce((most, { sessions }) => Math.max(most, sessions), 0),
  }
}

function workSection(state: DashboardState, ring: RingSection | Nothing): WorkSection {
  const seen = state.miners?.type === 'seen' ? state.miners : { peers: [], offers: [] }
  const own = [...new Set(seen.offers.filter(({ isOwn }) => isOwn).map(({ peer }) => peer))]
  const miners = own.map((peer) => minerView(peer, seen, state.rates.get(peer) ?? 0))
  const idle = ownWords(idleReason(miners, ring), state)
  const { chain } = state
  const mined = minedOf(state)
  const audits =
    mined === undefined ? {} : { audits: { passed: mined.total.auditsPassed, failed: mined.total.auditsFailed } }
  const registered =
    chain?.type === 'seen' && chain.miner !== undefined ? { registered: registeredView(chain.miner) } : {}
  return { miners, ...registered, ...audits, ...(idle === undefined ? {} : { idle }) }
}

function minerView(
  peer: string,
  { peers, offers }: Pick<MinersSeen, 'peers' | 'offers'>,
  tokensPerSecond: number,
): MinerView {
  const its = offers.filter((offer) => offer.peer === peer)
  const status = peers.find((one) => one.peer === peer)
  const steps = status?.steps ?? 0
  return {
    peer,
    segments: its.map(({ firstSegment, lastSegment }) => segmentsText(firstSegment, lastSegment)),
    device: its[0]?.device ?? '',
    answers: status !== undefined,
    ...{ sessions: status?.sessions ?? 0, steps, tokens: status?.rows ?? 0, tokensPerSecond },
    ...(status === undefined || steps === 0 ? {} : { stepMs: status.computeMs / steps }),
  }
}

function registeredView(miner: RegisteredMiner): RegisteredView {
  const { address, status, deposit, locked, openLots, reliability, auditedReceipts, workValue } = miner
  return { address, status, deposit, locked, openLots, reliability, auditedReceipts, workValue }
}

function idleReason(miners: readonly MinerView[], ring: RingSection | Nothing): Why | undefined {
  if (ring.type === 'none') return { code: ring.code, message: ring.message }
  if (miners.length === 0)
    return { code: 'NO_MINER', message: 'No miner of this machine is in this network. `dllm mine` starts one.' }
  if (!miners.some(({ answers }) => answers))
    return { code: 'NO_ANSWER', message: 'No miner of this machine answers. Their logs say why.' }
  if (miners.some(({ tokensPerSecond }) => tokensPerSecond > 0)) return undefined
  const missing = missingSegments(ring)
  if (missing.length > 0)
    return { code: 'NO_RING', message: `Nobody serves segment ${missing.join(', ')}, so no chat can run.` }
  if (miners.every(({ sessions }) => sessions === 0)) return { code: 'NO_SESSION', message: 'No chat is open.' }
  return { code: 'SESSION_WAITS', message: 'The open chats wait for their next message.' }
}
