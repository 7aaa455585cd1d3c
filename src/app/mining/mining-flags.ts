/**
 * What `dllm mine` takes for mining for pay, from what people type to what it means. Spec: docs/spec/cli.md §10.
 * @module
 */
import type { AccountId } from '../../base/brand.ts'
import { accountOfAddress } from '../../core/fields.ts'
import type { NetworkKind } from '../../core/network-kind.ts'
import { parseDllm, parseGrains } from '../../core/units.ts'
import { cacheBytes } from '../../ml/engine/engine.ts'
import { UsageError } from '../base-command.ts'
import type { PostWish } from '../posts/post.ts'
import type { MiningOptions } from './open-mining.ts'

export interface MarketFlags {
  readonly wallet?: string | undefined
  readonly payout?: string | undefined
  readonly slots?: number | undefined
  readonly bid?: string | undefined
  readonly deposit?: string | undefined
  /** What it computes on; not typed by people. */
  readonly device?: 'cpu' | 'gpu' | undefined
  readonly free: boolean
  readonly audit?: boolean | undefined
  readonly 'journal-mib': number
  readonly 'cache-mib': number
}

/** The flags that say how to earn, and mean nothing without a wallet. */
const EARNING_FLAGS = ['payout', 'slots', 'bid', 'deposit'] as const

/** @throws UsageError for a flag that needs a wallet. */
export function requireWalletFor(flags: Omit<MarketFlags, 'audit' | 'cache-mib' | 'journal-mib'>): void {
  if (flags.wallet !== undefined) return
  const flag = flags.free ? 'free' : EARNING_FLAGS.find((name) => flags[name] !== undefined)
  if (flag === undefined) return
  throw new UsageError(
    'USAGE',
    `--${flag} is for mining for pay. Name the wallet with --wallet, or leave --${flag} out.`,
  )
}

export type MarketWish = Pick<
  MiningOptions,
  'slotsOf' | 'bid' | 'deposit' | 'device' | 'isFree' | 'audits' | 'journalBytes'
> & {
  /** undefined: the role `payout` of the wallet's account. */
  readonly payout: AccountId | undefined
}

/** `posts`: how many there are to begin with. @throws AmountError, AddressError. */
export function marketWish(
  flags: MarketFlags,
  { kind, posts }: { readonly kind: NetworkKind; readonly posts: number },
): MarketWish {
  const { payout, bid, deposit } = flags
  return {
    payout: payout === undefined ? undefined : accountOfAddress(payout, kind),
    slotsOf: (wish) => flags.slots ?? usualSlots((flags['cache-mib'] * MIB) / posts, wish),
    bid: bid === undefined ? 0n : parseGrains(bid),
    deposit: deposit === undefined ? undefined : parseDllm(deposit),
    device: flags.device,
    isFree: flags.free,
    audits: flags.audit ?? true,
    journalBytes: flags['journal-mib'] * MIB,
  }
}

const MIB = 1_048_576
/** More share the machine, and each of them is slower. */
const SLOTS_MAX = 4
/** Positions of a usual session: few use the whole context. */
const USUAL_POSITIONS = 4_096

/** As many leases at once as there is memory for sessions of a usual length, 1 to 4. */
export function usualSlots(bytesMax: number, { model, firstSegment, lastSegment }: PostWish): number {
  const { config, segments } = model.manifest
  const run = segments.slice(firstSegment, lastSegment)
  const positions = Math.min(config.contextLength, USUAL_POSITIONS)
  const bytes = run.reduce((sum, segment) => sum + cacheBytes(config, segment, positions), 0)
  const fitting = bytes === 0 ? SLOTS_MAX : Math.floor(bytesMax / bytes)
  return Math.max(1, Math.min(SLOTS_MAX, fitting))
}
