/**
 * Sums over lines of earnings: of times, miners and models, and a history by hour or by day. Days are those of UTC. Pure.
 * Spec: docs/spec/cli.md §12.
 * @module
 */
import type { EarningsLine } from './earnings-lines.ts'

export interface EarningsSum {
  /** Grains that came, and grains of deposits that went. */
  readonly earned: string
  readonly lost: string
  /** Of settled leases: lots that were paid, and their compute units. */
  readonly lots: number
  readonly units: string
  readonly auditsPassed: number
  readonly auditsFailed: number
}

export interface EarningsHistory {
  readonly unit: 'hour' | 'day'
  /** Grains that came, newest last. */
  readonly grains: readonly string[]
}

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const BUCKETS = 16
/** Less than this is told by the hour. */
const HOURLY_MS = BUCKETS * HOUR_MS

export function sumOf(lines: readonly EarningsLine[]): EarningsSum {
  let [earned, lost, units] = [0n, 0n, 0n]
  let [lots, auditsPassed, auditsFailed] = [0, 0, 0]
  for (const line of lines) {
    const grains = BigInt(line.grains)
    if (grains < 0n) lost -= grains
    else earned += grains
    if (line.type === 'settled' && line.result === 'claimed') {
      lots++
      units += BigInt(line.units ?? 0)
    }
    if (line.type === 'audit' && line.result === 'pass') auditsPassed++
    if (line.type === 'slashed' && line.result !== 'auditor') auditsFailed++
  }
  return { earned: String(earned), lost: String(lost), lots, units: String(units), auditsPassed, auditsFailed }
}

/** Today, and this day with the six before it. */
export function sumsOfDays(
  lines: readonly EarningsLine[],
  nowMs: number,
): { readonly today: EarningsSum; readonly week: EarningsSum } {
  const dayMs = Math.floor(nowMs / DAY_MS) * DAY_MS
  const from = (startMs: number): EarningsSum => sumOf(lines.filter(({ timeMs }) => timeMs >= startMs))
  return { today: from(dayMs), week: from(dayMs - 6 * DAY_MS) }
}

/** By what a line names; those that name nothing are left out. Most first. */
export function sumsBy(
  lines: readonly EarningsLine[],
  nameOf: (line: EarningsLine) => string | undefined,
): readonly (readonly [name: string, sum: EarningsSum])[] {
  const groups = new Map<string, EarningsLine[]>()
  for (const line of lines) {
    const name = nameOf(line)
    if (name === undefined) continue
    const group = groups.get(name) ?? []
    group.push(line)
    groups.set(name, group)
  }
  return [...groups]
    .map(([name, group]) => [name, sumOf(group)] as const)
    .toSorted(([, one], [, other]) => (BigInt(one.earned) < BigInt(other.earned) ? 1 : -1))
}

/** The last sixteen hours, or days where the oldest line is older. */
export function historyOf(lines: readonly EarningsLine[], nowMs: number): EarningsHistory {
  const oldestMs = lines.reduce((least, { timeMs }) => Math.min(least, timeMs), nowMs)
  const unit = nowMs - oldestMs < HOURLY_MS ? 'hour' : 'day'
  const bucketMs = unit === 'hour' ? HOUR_MS : DAY_MS
  const last = Math.floor(nowMs / bucketMs)
  const sums = Array<bigint>(BUCKETS).fill(0n)
  for (const { timeMs, grains } of lines) {
    const at = BUCKETS - 1 - (last - Math.floor(timeMs / bucketMs))
    const came = BigInt(grains)
    // The clock of this machine may be behind that of the chain.
    const bucket = Math.min(at, BUCKETS - 1)
    if (bucket >= 0 && came > 0n) sums[bucket]! += came
  }
  return { unit, grains: sums.map(String) }
}
