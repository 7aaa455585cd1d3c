/**
 * The machine that the figures are from, and whether it had other things to do.
 * @module
 */
import { readFileSync } from 'node:fs'
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'

export interface Machine {
  readonly processor: string
  readonly cores: number
  /** Instruction sets of the processor that matter here, as far as the system tells them. */
  readonly simd: readonly string[]
  readonly memoryGiB: number
  readonly system: string
  readonly node: string
  /** One, five and fifteen minutes, before the run. */
  readonly loadAverage: readonly number[]
  /** Share of all cores that others used while we waited. */
  readonly busyShare: number
}

const SIMD =
  /^(?:ssse3|sse4_[12]|avx|avx2|fma|avx_vnni|avx512(?:f|bw|vl|_vnni|_bf16)|amx_int8|asimd|asimddp|i8mm|sve2?)$/
const WATCH_MS = 1_000
/** Above this, somebody else's work shows in the figures. */
const QUIET_SHARE = 0.1

/** Takes a second: the load average alone tells of the past. */
export async function describeMachine(): Promise<Machine> {
  const before = cpuTimes()
  await sleep(WATCH_MS)
  const after = cpuTimes()
  return {
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    simd: simdFlags(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${process.platform} ${process.arch} ${release()}`,
    node: process.version,
    loadAverage: loadavg().map((value) => Number(value.toFixed(2))),
    busyShare: (after.busy - before.busy) / Math.max(1, after.total - before.total),
  }
}

export function machineText(machine: Machine): string {
  const { processor, cores, simd, memoryGiB, system, node, loadAverage, busyShare } = machine
  const lines = [
    `${processor}, ${cores} cores, ${memoryGiB} GiB; ${simd.length > 0 ? simd.join(' ') : 'SIMD flags not visible'}`,
    `${system}, Node ${node}; load average ${loadAverage.join(' ')}, ${percent(busyShare)} busy before the run`,
  ]
  if (!isQuiet(machine)) {
    lines.push('WARNING: the machine is not quiet. Ratios suffer less than absolute values; run again later.')
  }
  return lines.join('\n')
}

/** Load of the last minute counts too: whoever caused it may go on. */
export function isQuiet({ busyShare, loadAverage, cores }: Machine): boolean {
  return busyShare <= QUIET_SHARE && (loadAverage[0] ?? 0) <= cores / 2
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`
}

function cpuTimes(): { busy: number; total: number } {
  let busy = 0
  let total = 0
  for (const { times } of cpus()) {
    const sum = times.user + times.nice + times.sys + times.irq
    busy += sum
    total += sum + times.idle
  }
  return { busy, total }
}

function simdFlags(): string[] {
  try {
    const line = /^(?:flags|Features)\s*:(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1] ?? ''
    return line.split(' ').filter((flag) => SIMD.test(flag))
  } catch {
    return [] // no such file outside Linux
  }
}
