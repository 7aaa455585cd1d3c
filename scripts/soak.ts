/**
 * `npm run soak`: simulates the network seed after seed until an invariant fails, with a line a minute. `--seed N` replays one
 * with its whole trace. Ends with 1 at a failure, after the command that replays it. Spec: docs/spec/simulation.md.
 * @module
 */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { runWorld, type WorldOutcome } from '../test/sim/world.ts'

const { values } = parseArgs({
  options: {
    /** Replay this one. */
    seed: { type: 'string' },
    /** First of many. */
    from: { type: 'string', default: '1' },
    /** How many; without it there is no end. */
    count: { type: 'string' },
    /** Of misfortunes, seconds of virtual time. */
    chaos: { type: 'string', default: '15' },
    quiet: { type: 'boolean', default: false },
  },
})

const chaosMs = Number(values.chaos) * 1_000
const MINUTE_MS = 60_000

let seed = Number(values.seed ?? values.from)
process.on('unhandledRejection', (error) => {
  console.error(error)
  tellFailure(seed)
  process.exit(1)
})

if (values.seed !== undefined) await replay(seed)
else await soak(values.count === undefined ? Number.POSITIVE_INFINITY : Number(values.count))

async function replay(replayed: number): Promise<void> {
  const outcome = await runWorld(replayed, { chaosMs, ...(values.quiet ? {} : { print: console.log }) })
  console.log(`\nseed ${replayed}: ${summary(outcome)}`)
  if (outcome.failure === undefined) return
  tellFailure(replayed, outcome)
  process.exitCode = 1
}

async function soak(count: number): Promise<void> {
  const first = seed
  const beganMs = performance.now()
  let toldMs = beganMs
  let virtualMs = 0
  const tell = (): void => {
    const seconds = (performance.now() - beganMs) / 1_000
    const done = seed - first
    const rates = `${(done / seconds).toFixed(2)} seeds/s, ${(virtualMs / 1_000 / seconds).toFixed(1)} × real time`
    console.log(`${done} seeds from ${first}, ${rates}, every invariant held`)
  }
  for (; seed < first + count; seed++) {
    const outcome = await runWorld(seed, { chaosMs })
    virtualMs += outcome.virtualMs
    if (outcome.failure !== undefined) {
      tellFailure(seed, outcome)
      process.exitCode = 1
      return
    }
    if (performance.now() - toldMs < MINUTE_MS) continue
    toldMs = performance.now()
    tell()
  }
  tell()
}

function tellFailure(failed: number, outcome?: WorldOutcome): void {
  console.error(outcome?.failure?.message ?? 'a promise was rejected and nobody took it')
  console.error(`seed=${failed} commit=${commit()}`)
  const chaos = values.chaos === '15' ? '' : ` --chaos ${values.chaos}`
  console.error(`replay: node scripts/soak.ts --seed ${failed}${chaos}`)
}

function commit(): string {
  try {
    const options = { cwd: join(import.meta.dirname, '..'), encoding: 'utf8' } as const
    const hash = execFileSync('git', ['rev-parse', '--short=12', 'HEAD'], options).trim()
    const isClean =
      execFileSync('git', ['status', '--porcelain', '--', 'src', 'test', 'scripts'], options).trim() === ''
    return isClean ? hash : `${hash} with changes`
  } catch {
    return 'unknown'
  }
}

function summary({ digest, height, virtualMs, events, starts, doubleSigns }: WorldOutcome): string {
  const counts = `${height} blocks, ${starts} starts, ${doubleSigns} double signs of twins, ${events} events`
  return `${counts}, ${(virtualMs / 1_000).toFixed(1)} s, trace ${digest.slice(0, 16)}`
}
