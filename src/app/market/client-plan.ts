/**
 * What a client is about to open: how a lease is cut, what is set aside, and everything for which it would be refused, before somebody types a
 * password for it. Spec: docs/spec/market.md §9.1.
 * @module
 */
import { hexToBytes } from '@noble/hashes/utils.js'
import type { AccountId, Hash } from '../../base/brand.ts'
import { MARKET_LIMITS } from '../../base/chain-limits.ts'
import { codeOf } from '../../base/error.ts'
import { accountOfAddress, addressOfAccount } from '../../core/fields.ts'
import { TransactionError } from '../../core/transaction/contract.ts'
import { dllm } from '../../core/transaction/refusals.ts'
import type { ChainAccess, HeadView } from '../chain/chain-access.ts'
import type { ModelView } from '../chain/market-access.ts'
import { type ChatNeed, costOf, priceMaxOf, usualCap } from './client-cap.ts'
import { type Cuts, cutsToTry, type ServedRun } from './client-cuts.ts'

export interface LeaseWish {
  /** Hash of the manifest. */
  readonly model: Hash
  readonly need: ChatNeed
  /** Grains; undefined: what some such answers cost. */
  readonly cap: bigint | undefined
  /** Miners that did not answer, the newest last. */
  readonly avoid: readonly AccountId[]
  /** What miners have told of themselves, where the chain's list of them is not to be had. */
  readonly heard: (segments: number) => Promise<readonly ServedRun[]>
  /** Those of them that nobody answers for. */
  readonly absent: (miners: readonly QuotedMiner[]) => Promise<readonly QuotedMiner[]>
}

/** Who would serve a lot. */
export interface QuotedMiner {
  readonly operator: AccountId
  /** Of its peer, Ed25519, 32 bytes. */
  readonly peerKey: Uint8Array
}

/** Whose lease, on which chain. */
export interface Payer {
  readonly chain: ChainAccess
  readonly account: AccountId
}

/** What the times of a lease follow from. */
export interface Moment {
  readonly head: HeadView
  readonly commitMs: number
}

/** A lease to be opened. */
export interface LeasePlan extends Moment {
  readonly wish: LeaseWish
  readonly price: bigint
  readonly cap: bigint
  readonly cuts: readonly Cuts[]
  readonly avoid: readonly AccountId[]
  readonly leaseBlocksMax: number
}

export async function momentOf(chain: ChainAccess, signal: AbortSignal): Promise<Moment> {
  const [head, { values }] = await Promise.all([chain.head(signal), chain.parameters(signal)])
  return { head, commitMs: Number(values.commitMs) }
}

/** @throws TransactionError INSUFFICIENT_FUNDS, NO_SUCH_MODEL, MODEL_SUPERSEDED, NO_MINER. */
export async function planLease({ chain, account }: Payer, wish: LeaseWish, signal: AbortSignal): Promise<LeasePlan> {
  const [model, head, { values }, { balance }] = await Promise.all([
    chain.market.model(wish.model, signal),
    chain.head(signal),
    chain.parameters(signal),
    chain.account(account, signal),
  ])
  refuseSuperseded(model)
  const tariff = {
    parts: model.segments.map(({ linear, attention }) => ({ linear: BigInt(linear), attention: BigInt(attention) })),
    price: BigInt(model.price),
    decodeWeight: BigInt(values.decodeWeight),
  }
  const { price } = tariff
  const needed = costOf({ ...tariff, price: priceMaxOf(price) }, wish.need)
  const cap = wish.cap ?? usualCap({ cost: costOf(tariff, wish.need), needed, balance: BigInt(balance) })
  const avoid = wish.avoid.slice(-MARKET_LIMITS.leaseAvoidMax).toSorted()
  requireBalance(chain, { account, cap, balance: BigInt(balance), baseFee: BigInt(head.baseFee) })
  const perMille = 1_000n - BigInt(values.treasuryShare) - BigInt(values.stakerShare)
  const segments = model.segments.length
  const runs = await runsOf(chain, { wish, segments, bidMax: (price * perMille) / 1_000n }, signal)
  const ways = await waysThatWork(chain, { cuts: cutsToTry(segments, runs), wish, avoid, account }, signal)
  return {
    ...{ wish, price, cap, head, ...ways },
    ...{ commitMs: Number(values.commitMs), leaseBlocksMax: Number(values.leaseBlocksMax) },
  }
}

/** The chain would refuse it too, but a light client hears that only when the transaction is on its way. */
function refuseSuperseded({ name, successor }: ModelView): void {
  if (successor === undefined) return
  const message = `${name} was superseded by another version, ${successor}. Chat with that one.`
  throw new TransactionError('MODEL_SUPERSEDED', message, { details: { successor } })
}

/** Who could serve now: by the chain where a full node answers, else by what miners say of themselves. */
async function runsOf(
  chain: ChainAccess,
  { wish, segments, bidMax }: { readonly wish: LeaseWish; readonly segments: number; readonly bidMax: bigint },
  signal: AbortSignal,
): Promise<readonly ServedRun[]> {
  if (chain.source !== 'node') return wish.heard(segments)
  const avoided = new Set(wish.avoid)
  const placements = await chain.market.placements(wish.model, signal)
  const able = placements.filter(({ operator, live, used, slots, bid }) => {
    return live && used < slots && BigInt(bid) <= bidMax && !avoided.has(accountOfAddress(operator, chain.network.kind))
  })
  return able.map(({ operator, first, end }) => ({ owner: operator, first, end }))
}

type Ways = Pick<LeasePlan, 'cuts' | 'avoid'>

interface WayWish extends Ways {
  readonly wish: LeaseWish
  readonly account: AccountId
}

/** Where a full node answers, the first cuts with which the auction finds miners, who are there, come first. @throws TransactionError NO_MINER. */
async function waysThatWork(chain: ChainAccess, ways: WayWish, signal: AbortSignal): Promise<Ways> {
  const { cuts, avoid } = ways
  if (cuts.length === 0) throw noRing()
  if (chain.source !== 'node') return { cuts, avoid }
  let refusal: unknown
  for (const one of cuts) {
    try {
      const avoided = await avoidAbsent(chain, { ...ways, cuts: [one] }, signal)
      return { cuts: [one, ...cuts.filter((other) => other !== one)], avoid: avoided }
    } catch (error) {
      if (codeOf(error) !== 'NO_MINER') throw error
      refusal = error
    }
  }
  throw refusal
}

/** A placement outlives its miner by minutes: who would win with these cuts and is not there is avoided too. @throws TransactionError NO_MINER. */
async function avoidAbsent(
  chain: ChainAccess,
  { cuts, wish, avoid, account }: WayWish,
  signal: AbortSignal,
): Promise<readonly AccountId[]> {
  const avoided = [...avoid]
  for (;;) {
    const asked = { model: wish.model, cuts: cuts[0]!, rows: rowsOf(wish.need), avoid: avoided, payer: account }
    const { lots } = await chain.market.quote(asked, signal)
    const miners = lots.map(({ operator, peerKey }) => {
      return { operator: accountOfAddress(operator, chain.network.kind), peerKey: hexToBytes(peerKey) }
    })
    const absent = await wish.absent(miners)
    // Who is beyond what a lease can avoid may win it, and then another lease is opened.
    if (absent.length === 0 || avoided.length + absent.length > MARKET_LIMITS.leaseAvoidMax) return avoided
    for (const { operator } of absent) avoided.push(operator)
    avoided.sort()
  }
}

/** That miners are ranked by: as if all of them were decode steps. */
export function rowsOf({ promptRows, decodeRows }: ChatNeed): number {
  return Math.max(1, promptRows + decodeRows)
}

/** Units of a transaction that opens a lease of many lots. */
const OPEN_UNITS_MAX = 400n + 25n * 15n + 2n * 8n

function requireBalance(
  { network }: ChainAccess,
  { account, cap, balance, baseFee }: { account: AccountId; cap: bigint; balance: bigint; baseFee: bigint },
): void {
  const fee = OPEN_UNITS_MAX * (baseFee + 1n)
  if (cap + fee <= balance) return
  const address = addressOfAccount(account, network.kind)
  const message = `A lease for this answer needs ${dllm(cap)} and a fee of up to ${dllm(fee)}, and ${address} has ${dllm(balance)}. Receive the rest there, ask for fewer --max-tokens, or set less aside with --cap.`
  throw new TransactionError('INSUFFICIENT_FUNDS', message, {
    details: { needed: String(cap + fee), balance: String(balance), address },
  })
}

function noRing(): TransactionError {
  const message = 'Nobody who has a free slot serves all of this model for the price of now. Try again in a few blocks.'
  return new TransactionError('NO_MINER', message)
}
