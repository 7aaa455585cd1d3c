/**
 * The fastest engine ÷ an engine of others, in a process of its own, on the same work: a model of TinyLlama-1.1B's shape with random weights, the same number of
 * threads, the same positions, logits of the last token, nothing sampled. The two take turns.
 * @module
 */
import { fork } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Bench, BenchModel } from './bench.ts'
import { openTimedStage, type TimedStage } from './engine-stage.ts'
import { ask, endChild } from './lab/child.ts'
import type { PeerTold, StepsOrder } from './peers/orders.ts'
import { median, type Row, rowOf, type Target } from './report.ts'

/** An engine of others, and what it gets. */
export interface Peer {
  /** `llama.cpp` */
  readonly name: string
  /** Of its weights: `Q4_0`. */
  readonly format: string
  /** Of its process. */
  readonly program: string
  /** Asked first; positions that it has room for are said beside it, and how many threads. */
  readonly load: object
  readonly targets: { readonly decode: Target | undefined; readonly prefill: Target | undefined }
  /** Whether it can compute a step without logits, which is told beside the ratio. */
  readonly canBeBare: boolean
}

interface Times {
  readonly ours: number[]
  readonly theirs: number[]
}

interface Seen {
  readonly decode: Times
  readonly bareMs: number[]
  /** The quickest step of theirs; far below the median where others use the machine, on which their threads spin. */
  readonly bestMs: number[]
  /** By tokens of the prompt. */
  readonly prefill: ReadonlyMap<number, Times>
}

const PROMPTS = [128, 512]
const PROMPTS_QUICK = [128]
/** The first token of a sample stands here, and so many follow. */
const POSITION = 128
const STEPS = 16
/** Its threads look for work for a while before they sleep; ours should not pay for that. */
const PAUSE_MS = 100

export async function measurePeer(bench: Bench, model: BenchModel, peer: Peer): Promise<Row[]> {
  const threads = availableParallelism()
  const engine = bench.engines[0]!
  const prompts = bench.quick ? PROMPTS_QUICK : PROMPTS
  // Beside the prompts, decoding goes on behind its position.
  const rowsMax = Math.max(...prompts, POSITION + STEPS)
  const stage = await openTimedStage(bench, model, { engine, threads, rowsMax })
  const child = fork(peer.program, { serialization: 'advanced' })
  try {
    const { about } = await ask<PeerTold>(child, { ...peer.load, threads, context: rowsMax + POSITION })
    console.log(`\n${peer.name}: ${about}`)
    const tell = (order: StepsOrder): Promise<PeerTold> => ask<PeerTold>(child, order)
    const seen = await takeTurns(bench, { label: `${peer.name}, ${model.label}`, peer, stage, tell, prompts })
    return rowsFor(seen, { peer, engine, where: `${model.label}, ${threads} threads` })
  } finally {
    stage.close()
    await endChild(child)
  }
}

interface Sides {
  readonly label: string
  readonly peer: Peer
  readonly stage: TimedStage
  readonly tell: (order: StepsOrder) => Promise<PeerTold>
  /** Tokens of each. */
  readonly prompts: readonly number[]
}

async function takeTurns(bench: Bench, { label, peer, stage, tell, prompts }: Sides): Promise<Seen> {
  const decode: Times = { ours: [], theirs: [] }
  const bareMs: number[] = []
  const bestMs: number[] = []
  const prefill = new Map<number, Times>(prompts.map((rows) => [rows, { ours: [], theirs: [] }]))
  const theirs = async (order: StepsOrder): Promise<{ middleMs: number; leastMs: number }> => {
    const { ms } = await tell(order)
    await sleep(PAUSE_MS)
    return { middleMs: median(ms), leastMs: Math.min(...ms) }
  }
  for (let run = -1; run < bench.runs; run++) {
    const isCounted = run >= 0
    bench.progress(`${label}, ${isCounted ? `run ${run + 1} of ${bench.runs}` : 'warming up'}`)
    for (const [rows, times] of prefill) {
      bench.signal.throwIfAborted()
      const { middleMs } = await theirs({ type: 'prefill', rows })
      const ourMs = stage.prefillMs(rows)
      if (!isCounted) continue
      times.theirs.push(middleMs)
      times.ours.push(ourMs)
    }
    const steps = { type: 'decode', position: POSITION, steps: STEPS } as const
    const { middleMs, leastMs } = await theirs({ ...steps, hasLogits: true })
    const ourMs = stage.decodeMs(POSITION + STEPS / 2)
    const bare = peer.canBeBare ? await theirs({ ...steps, hasLogits: false }) : undefined
    if (!isCounted) continue
    decode.theirs.push(middleMs)
    decode.ours.push(ourMs)
    bestMs.push(leastMs)
    if (bare !== undefined) bareMs.push(bare.middleMs)
  }
  return { decode, bareMs, bestMs, prefill }
}

interface RowsPlace {
  readonly peer: Peer
  readonly engine: string
  readonly where: string
}

function rowsFor({ decode, bareMs, bestMs, prefill }: Seen, { peer, engine, where }: RowsPlace): Row[] {
  const { name, format, targets } = peer
  // Of those who have nothing but wasm nothing is expected.
  const isFast = engine !== 'wasm'
  return [
    rowOf({
      measure: `${engine} ÷ ${name} ${format}, decode, ${where}`,
      ratios: ratiosOf(decode),
      target: isFast ? targets.decode : undefined,
      values: {
        [`${engine} ms`]: decode.ours,
        [`${name} ms`]: decode.theirs,
        [`${name} best step ms`]: bestMs,
        ...(bareMs.length > 0 ? { [`${name} without logits ms`]: bareMs } : {}),
      },
    }),
    ...[...prefill].map(([rows, times]) =>
      rowOf({
        measure: `${engine} ÷ ${name} ${format}, prompt of ${rows}, ${where}`,
        ratios: ratiosOf(times),
        target: isFast ? targets.prefill : undefined,
        values: {
          [`${engine} tokens/s`]: times.ours.map((ms) => (rows * 1_000) / ms),
          [`${name} tokens/s`]: times.theirs.map((ms) => (rows * 1_000) / ms),
        },
      }),
    ),
  ]
}

/** Of speeds. */
function ratiosOf({ ours, theirs }: Times): number[] {
  return ours.map((ms, run) => theirs[run]! / ms)
}
