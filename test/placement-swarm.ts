/**
 * Small swarms for tests of placement: machines, the balance that they have together, every way to place them, and their moves one after the other.
 */
import { bestResponse, type PlacementDecision } from '../src/core/market/best-response.ts'
import {
  type Balance,
  balanceOf,
  flowOf,
  type Host,
  type SegmentNeed,
  type SegmentRun,
} from '../src/core/market/segment-balance.ts'

export interface Member {
  readonly owner: string
  readonly rate: bigint
  /** Bytes of weights; segments of a plain swarm have 1. */
  readonly bytes: number
  now: SegmentRun | undefined
}

/** CU per second × 2¹⁶ of a machine that reads 5 GB of weights per second. */
export const COMMON_RATE: bigint = 20_000n << 16n

export function plainNeeds(count: number, owners: number): SegmentNeed[] {
  return Array.from({ length: count }, () => ({ model: 0, bytes: 1, macs: 50_000_000, owners, weight: 1 }))
}

export function hostOf(needs: readonly SegmentNeed[], { owner, rate }: Member, { first, end }: SegmentRun): Host {
  const macs = needs.slice(first, end).reduce((sum, need) => sum + need.macs, 0)
  return { owner, first, end, flow: flowOf(rate, macs), isServing: true }
}

export function hostsOf(needs: readonly SegmentNeed[], members: readonly Member[]): Host[] {
  return members.flatMap((member) => (member.now === undefined ? [] : [hostOf(needs, member, member.now)]))
}

export function balanceWith(needs: readonly SegmentNeed[], members: readonly Member[]): Balance {
  return balanceOf(needs, hostsOf(needs, members))
}

export function decide(needs: readonly SegmentNeed[], members: readonly Member[], member: Member): PlacementDecision {
  const others = hostsOf(
    needs,
    members.filter((other) => other !== member),
  )
  const { owner, rate, bytes, now } = member
  return bestResponse(needs, others, { owner, rate, bytes, now: now && { ...now, isServing: true } })
}

/** The members look in turn until nobody moves. Returns how many moves there were, joining included. */
export function settle(
  needs: readonly SegmentNeed[],
  members: readonly Member[],
  onMove: (member: Member, decision: PlacementDecision) => void = () => undefined,
): number {
  let moves = 0
  for (let quiet = 0; quiet < members.length; ) {
    for (const member of members) {
      const decision = decide(needs, members, member)
      const isMove = ['join', 'move', 'make-way'].includes(decision.verdict)
      quiet = isMove ? 0 : quiet + 1
      if (!isMove) continue
      onMove(member, decision)
      member.now = { first: decision.chosen!.first, end: decision.chosen!.end }
      moves += 1
    }
  }
  return moves
}

/** Runs of a plain swarm that fill what the machine can hold. */
export function fullRunsOf(count: number, { bytes }: Member): SegmentRun[] {
  const length = Math.min(count, bytes)
  return Array.from({ length: count - length + 1 }, (_, first) => ({ first, end: first + length }))
}

/** Calls `visit` with the hosts of every way to place all members. */
export function forEachPlacing(
  needs: readonly SegmentNeed[],
  members: readonly Member[],
  visit: (hosts: readonly Host[]) => void,
): void {
  const place = (index: number, hosts: readonly Host[]): void => {
    const member = members[index]
    if (member === undefined) visit(hosts)
    else for (const run of fullRunsOf(needs.length, member)) place(index + 1, [...hosts, hostOf(needs, member, run)])
  }
  place(0, [])
}
