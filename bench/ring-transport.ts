/**
 * What libp2p costs: tokens per second of a ring over it ÷ those of the same ring over bare TCP sockets, which neither encrypt nor
 * multiplex nor prove anything (ring/tcp-wire.ts). The same stages, frames and bytes; both with the same delay. The two take turns.
 * @module
 */
import type { Bench, BenchModel, Measure } from './bench.ts'
import { type Row, rowOf } from './report.ts'
import type { Answers, Transport } from './ring/messages.ts'
import { type BenchRing, startRing } from './ring/ring.ts'

const STAGES = 3
const ROUND_TRIP_MS = 20
const TARGET = { atLeast: 0.97 }
const WARM_UPS = 3
const PROMPT_TOKENS = 16
const CAPACITY = 256
const TOKENS = 64

export const ringTransport: Measure = {
  name: 'transport',
  run: (bench, report) =>
    bench.forEachModel(async (model) => report(await measureModel(bench, model)), { formats: ['q4'] }),
}

async function measureModel(bench: Bench, model: BenchModel): Promise<Row> {
  const rings = new Map<Transport, BenchRing>()
  const answers: Record<Transport, Answers[]> = { libp2p: [], tcp: [] }
  try {
    for (const transport of ['libp2p', 'tcp'] as const) {
      const ring = await startRing(bench, model, { stages: STAGES, means: bench.means, transport })
      rings.set(transport, ring)
      await ring.setOneWay(ROUND_TRIP_MS / 2)
    }
    for (let run = -WARM_UPS; run < bench.runs; run++) {
      bench.signal.throwIfAborted()
      bench.progress(`transport, ${model.label}, ${run < 0 ? 'warming up' : `run ${run + 1} of ${bench.runs}`}`)
      for (const [transport, ring] of run % 2 === 0 ? rings : [...rings].reverse()) {
        const answer = await ring.answer({ chats: 1, capacity: CAPACITY, promptTokens: PROMPT_TOKENS, tokens: TOKENS })
        if (run >= 0) answers[transport].push(answer)
      }
    }
    return rowFor(model, answers, rings.get('tcp')!.means)
  } finally {
    for (const ring of rings.values()) await ring.close()
  }
}

function rowFor({ label }: BenchModel, { libp2p, tcp }: Record<Transport, Answers[]>, means: string): Row {
  return rowOf({
    measure: `libp2p ring ÷ bare TCP, tokens/s, ${STAGES} stages, ${ROUND_TRIP_MS} ms RTT (${means}), ${label}`,
    ratios: libp2p.map(({ tokensPerSecond }, run) => tokensPerSecond / tcp[run]!.tokensPerSecond),
    target: TARGET,
    values: {
      'libp2p token ms': libp2p.map(({ tokenMs }) => tokenMs),
      'bare TCP token ms': tcp.map(({ tokenMs }) => tokenMs),
      'libp2p first token ms': libp2p.map(({ firstTokenMs }) => firstTokenMs),
      'bare TCP first token ms': tcp.map(({ firstTokenMs }) => firstTokenMs),
    },
  })
}
