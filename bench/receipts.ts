/**
 * What a lease costs the ring: tokens per second with vouchers and receipts ÷ without, by the same three miner processes and the same client, the
 * time to the first token alike, and what a lease adds to the CPU time of the four main threads, which other programs on the machine change less than any time
 * and which have no engines in them. Answers with
 * and without take turns; the lease of each answer is a new one, opened before the clock starts.
 * @module
 */

import { freemem } from 'node:os'
import { join } from 'node:path'
import { openRingPayer, type RingPayer } from '../src/app/market/ring-payer.ts'
import { createVoucherStore, type VoucherStore } from '../src/app/market/voucher-store.ts'
import { modelWork } from '../src/app/model-work.ts'
import { openRing } from '../src/app/ring/ring-client.ts'
import { openDisk } from '../src/app/store/disk.ts'
import { keyPairFromSecret } from '../src/core/ed25519.ts'
import type { Bench, BenchModel, Measure } from './bench.ts'
import { GREEDY } from './greedy.ts'
import { type LeaseMiners, leaseOf, startLeaseMiners } from './market/lease-miners.ts'
import type { CpuTime } from './market/messages.ts'
import { type Row, rowOf } from './report.ts'

const MINERS = 3
/** Answers before the counting ones: compiled code is warm, as after minutes of a miner's life. */
const WARM_UPS = 4
const WARM_UPS_LARGE = 2
const PROMPT_TOKENS = 48
const CAPACITY = 512
/** Small models make more tokens, so that a sample takes a while. */
const TOKENS = 240
const TOKENS_SMALL = 440
const SMALL_BYTES = 50e6
const PROCESS_BYTES = 200e6
const RATE_TARGET = { atLeast: 0.99 }
const FIRST_TARGET = { atMost: 1.01 }

export const receipts: Measure = {
  name: 'receipts',
  run: (bench, report) =>
    bench.forEachModel(async (model) => {
      for (const row of await measureModel(bench, model)) report(row)
    }),
}

interface Sample {
  readonly tokensPerSecond: number
  readonly firstTokenMs: number
  /** Of all processes, per token after the first. */
  readonly cpu: CpuTime
}

interface Pair {
  readonly paid: Sample
  readonly free: Sample
}

async function measureModel(bench: Bench, model: BenchModel): Promise<Row[]> {
  const weightBytes = model.stored.manifest.segments.reduce((sum, { shard }) => sum + shard.bytes, 0)
  if (weightBytes + (MINERS + 1) * PROCESS_BYTES > freemem()) {
    bench.progress(`receipts, ${model.label}: left out, needs more free memory`)
    return []
  }
  const isSmall = weightBytes < SMALL_BYTES
  const tokens = isSmall ? TOKENS_SMALL : TOKENS
  const warmUps = isSmall ? WARM_UPS : WARM_UPS_LARGE
  const miners = await startLeaseMiners(bench, model, MINERS)
  const home = await bench.newHome({ sharesModels: false })
  const disk = await openDisk(join(home.path, 'vouchers'))
  const store = createVoucherStore(disk)
  try {
    const pairs: Pair[] = []
    for (let run = -warmUps; run < bench.runs; run++) {
      bench.signal.throwIfAborted()
      bench.progress(`receipts, ${model.label}, ${run < 0 ? 'warming up' : `run ${run + 1} of ${bench.runs}`}`)
      const payer = await newPayer(bench, { miners, model, store, number: run + warmUps + 1 })
      // Taking turns at going first, so that neither always follows a pause.
      const first = await answer(bench, miners, { tokens, payer: run % 2 === 0 ? payer : undefined })
      const second = await answer(bench, miners, { tokens, payer: run % 2 === 0 ? undefined : payer })
      if (run >= 0) pairs.push(run % 2 === 0 ? { paid: first, free: second } : { paid: second, free: first })
    }
    return rowsFor(model, pairs)
  } finally {
    await miners.close()
    await disk.close()
  }
}

function rowsFor({ label }: BenchModel, pairs: readonly Pair[]): Row[] {
  return [
    rowOf({
      measure: `tokens/s with a lease ÷ without, ${label}`,
      ratios: pairs.map(({ paid, free }) => paid.tokensPerSecond / free.tokensPerSecond),
      target: RATE_TARGET,
      values: {
        'with tokens/s': pairs.map(({ paid }) => paid.tokensPerSecond),
        'without tokens/s': pairs.map(({ free }) => free.tokensPerSecond),
      },
    }),
    rowOf({
      measure: `CPU per token without a lease ÷ with, ${label}`,
      // Engines do the same with and without, but not in the same time: theirs is counted once.
      ratios: pairs.map(({ paid, free }) => free.cpu.totalMs / (free.cpu.totalMs + paid.cpu.mainMs - free.cpu.mainMs)),
      target: RATE_TARGET,
      values: {
        'all threads without ms': pairs.map(({ free }) => free.cpu.totalMs),
        'main threads with ms': pairs.map(({ paid }) => paid.cpu.mainMs),
        'without ms': pairs.map(({ free }) => free.cpu.mainMs),
      },
    }),
    rowOf({
      measure: `first token with a lease ÷ without, ${label}`,
      ratios: pairs.map(({ paid, free }) => paid.firstTokenMs / free.firstTokenMs),
      target: FIRST_TARGET,
      values: {
        'with ms': pairs.map(({ paid }) => paid.firstTokenMs),
        'without ms': pairs.map(({ free }) => free.firstTokenMs),
      },
    }),
  ]
}

async function newPayer(
  bench: Bench,
  { miners, model, store, number }: { miners: LeaseMiners; model: BenchModel; store: VoucherStore; number: number },
): Promise<RingPayer> {
  const keys = keyPairFromSecret(bench.system.random.bytes(32))
  const lease = leaseOf(miners.route, modelWork(model.stored.manifest), { number, voucherKey: keys.publicKey })
  await miners.announce(lease)
  return openRingPayer({ lease, secret: keys.secretKey, store, onLow: () => undefined }, bench.system)
}

async function answer(
  bench: Bench,
  miners: LeaseMiners,
  { tokens, payer }: { tokens: number; payer: RingPayer | undefined },
): Promise<Sample> {
  const ports = { ...bench.system, wire: miners.client }
  const ring = await openRing({ route: miners.route, capacity: CAPACITY, payer }, ports, bench.signal)
  try {
    const prompt = Array.from({ length: PROMPT_TOKENS }, (_, index) => 10 + index)
    const generation = { ...GREEDY, maxTokens: tokens }
    const times: number[] = []
    let start: CpuTime | undefined
    const startedMs = performance.now()
    for await (const event of ring.generate(prompt, { generation, draftsMax: 0, signal: bench.signal })) {
      if (event.type !== 'token') continue
      times.push(performance.now())
      start ??= await miners.cpuTime()
    }
    const spentMs = times.at(-1)! - times[0]!
    const made = times.length - 1
    return {
      tokensPerSecond: (made * 1_000) / spentMs,
      firstTokenMs: times[0]! - startedMs,
      cpu: perToken(start!, await miners.cpuTime(), made),
    }
  } finally {
    await ring.close()
  }
}

function perToken(start: CpuTime, end: CpuTime, tokens: number): CpuTime {
  return { totalMs: (end.totalMs - start.totalMs) / tokens, mainMs: (end.mainMs - start.mainMs) / tokens }
}
