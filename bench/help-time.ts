/**
 * How long `dllm --help` takes: against 150 ms, and against a Node that does nothing.
 * @module
 */
import { spawnSync } from 'node:child_process'
import type { Measure } from './bench.ts'
import { PROGRAM } from './program.ts'
import { rowOf } from './report.ts'

const RUNS = 15
const RUNS_QUICK = 5
const LIMIT_MS = 150

export const helpTime: Measure = {
  name: 'help',
  run: async (bench, report) => {
    const help: number[] = []
    const nothing: number[] = []
    const runs = bench.quick ? RUNS_QUICK : RUNS
    for (let run = -1; run < runs; run++) {
      bench.signal.throwIfAborted()
      bench.progress(`help, run ${run + 1} of ${runs}`)
      const sample = [wallMs([PROGRAM, '--help']), wallMs(['-e', '0'])] as const
      // The first run reads the files from the disk.
      if (run < 0) continue
      help.push(sample[0])
      nothing.push(sample[1])
    }
    const values = { 'help ms': help, 'node ms': nothing }
    report(
      rowOf({
        measure: '`dllm --help` ÷ 150 ms',
        ratios: help.map((ms) => ms / LIMIT_MS),
        target: { atMost: 1 },
        values,
      }),
    )
    report(rowOf({ measure: '`dllm --help` ÷ `node -e 0`', ratios: help.map((ms, run) => ms / nothing[run]!), values }))
  },
}

function wallMs(args: readonly string[]): number {
  const startedMs = performance.now()
  const { status, stderr } = spawnSync(process.execPath, args)
  if (status !== 0) throw new Error(`node ${args.join(' ')} failed: ${stderr}`)
  return performance.now() - startedMs
}
