/**
 * Many at once: tokens per second of eight chats through one ring ÷ those of one chat, with the stages on one machine and with a delay between
 * them. One chat leaves all stages but one idle; eight share each weight that is read, and the delays.
 * @module
 */
import type { Bench, BenchModel, Measure } from './bench.ts'
import { type Row, rowOf } from './report.ts'
import type { Answers } from './ring/messages.ts'
import { type BenchRing, startRing } from './ring/ring.ts'

const STAGES = 3
const CHATS = 8
const ROUND_TRIP_MS = 50
const TARGET_NEAR = { atLeast: 2.5 }
const TARGET_FAR = { atLeast: 5 }
const WARM_UPS = 2
const PROMPT_TOKENS = 32
const CAPACITY = 256
const TOKENS = 24
const TOKENS_SMALL = 120
const SMALL_BYTES = 50e6

export const ringChats: Measure = {
  name: 'chats',
  run: (bench, report) =>
    bench.forEachModel(
      async (model) => {
        for (const roundTripMs of [0, ROUND_TRIP_MS]) report(await measureModel(bench, model, roundTripMs))
      },
      { formats: ['q4'] },
    ),
}

interface Pair {
  readonly many: Answers
  readonly one: Answers
}

async function measureModel(bench: Bench, model: BenchModel, roundTripMs: number): Promise<Row> {
  const means = roundTripMs === 0 ? 'loopback' : bench.means
  const isSmall = model.stored.manifest.segments.reduce((sum, { shard }) => sum + shard.bytes, 0) < SMALL_BYTES
  const tokens = isSmall && roundTripMs === 0 ? TOKENS_SMALL : TOKENS
  bench.progress(`chats, ${model.label}: starting`)
  const ring = await startRing(bench, model, { stages: STAGES, means })
  try {
    await ring.setOneWay(roundTripMs / 2)
    const pairs: Pair[] = []
    for (let run = -WARM_UPS; run < bench.runs; run++) {
      bench.signal.throwIfAborted()
      bench.progress(
        `chats, ${model.label}, ${roundTripMs} ms, ${run < 0 ? 'warming up' : `run ${run + 1} of ${bench.runs}`}`,
      )
      const pair = await pairOf(ring, tokens, run % 2 === 0)
      if (run >= 0) pairs.push(pair)
    }
    return rowFor(model, pairs, roundTripMs === 0 ? 'loopback' : `${roundTripMs} ms RTT (${ring.means})`)
  } finally {
    await ring.close()
  }
}

/** The one or the many first. */
async function pairOf(ring: BenchRing, tokens: number, isManyFirst: boolean): Promise<Pair> {
  const answer = (chats: number) => ring.answer({ chats, capacity: CAPACITY, promptTokens: PROMPT_TOKENS, tokens })
  const first = await answer(isManyFirst ? CHATS : 1)
  const second = await answer(isManyFirst ? 1 : CHATS)
  return isManyFirst ? { many: first, one: second } : { many: second, one: first }
}

function rowFor({ label }: BenchModel, pairs: readonly Pair[], where: string): Row {
  return rowOf({
    measure: `${CHATS} chats ÷ 1, tokens/s, ${STAGES} stages, ${where}, ${label}`,
    ratios: pairs.map(({ many, one }) => many.tokensPerSecond / one.tokensPerSecond),
    target: where === 'loopback' ? TARGET_NEAR : TARGET_FAR,
    values: {
      [`${CHATS} chats tokens/s`]: pairs.map(({ many }) => many.tokensPerSecond),
      '1 chat tokens/s': pairs.map(({ one }) => one.tokensPerSecond),
      [`a token of ${CHATS} chats ms`]: pairs.map(({ many }) => many.tokenMs),
      'a token of 1 chat ms': pairs.map(({ one }) => one.tokenMs),
    },
  })
}
