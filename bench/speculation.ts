/**
 * What drafts gain in a ring whose stages are far apart: time of an answer without them ÷ with them, for a text that repeats itself, one that does not, and one of
 * which nothing can be guessed. The same processes, taking turns; the answers must be the same. Stage 1 of a model with a tokenizer has the same model in q4 to draft with.
 * @module
 */
import { SESSION_LIMITS } from '../src/base/limits.ts'
import type { Generation } from '../src/net/protocols/generation.ts'
import type { Bench, BenchModel, Measure } from './bench.ts'
import { type Row, rowOf, type Target } from './report.ts'
import { writeDraftModel } from './ring/draft-model.ts'
import type { Answers } from './ring/messages.ts'
import { type BenchRing, startRing } from './ring/ring.ts'

const STAGES = 3
const ROUND_TRIP_MS = 50
const CAPACITY = 512
const TOKENS = 64
/** Of a long text; without drafts it takes as long per token as a short one. */
const TOKENS_LONG = 192
const DRAFTS_MAX = SESSION_LIMITS.windowRowsMax - 1
/** Of the text that repeats itself, before it is measured. */
const LEAD_TOKENS = 200
const PROMPT = Array.from({ length: 16 }, (_, index) => 900 + 7 * index)

interface Text {
  readonly name: string
  readonly target: Target
  readonly generation: Partial<Generation>
  /** It goes on with what was said before. */
  readonly hasLead: boolean
  /** Of the answers with drafts. */
  readonly lengths: readonly number[]
}

const SAMPLED = { temperature: 0.8, topK: 40, topP: 0.95 }
const TEXTS: readonly Text[] = [
  {
    name: 'a text that repeats itself',
    target: { atLeast: 5 },
    generation: {},
    hasLead: true,
    lengths: [TOKENS, TOKENS_LONG],
  },
  { name: 'a new text', target: { atLeast: 1.8 }, generation: SAMPLED, hasLead: false, lengths: [TOKENS] },
  {
    name: 'a text without sense',
    target: { atLeast: 0.98 },
    generation: { temperature: 100 },
    hasLead: false,
    lengths: [TOKENS],
  },
]

export const speculation: Measure = {
  name: 'drafts',
  run: (bench, report) =>
    bench.forEachModel(async (model) => {
      for (const row of await measureModel(bench, model)) report(row)
    }),
}

interface Sample {
  readonly off: Answers
  /** For each of the text's lengths. */
  readonly on: readonly Answers[]
}

async function measureModel(bench: Bench, model: BenchModel): Promise<Row[]> {
  bench.progress(`drafts, ${model.label}: starting`)
  // Models of random numbers have no tokens to compare.
  const hasTokens = model.stored.manifest.files.length > 0
  const draftModel = hasTokens ? await writeDraftModel(bench, model.stored) : undefined
  const ring = await startRing(bench, model, { stages: STAGES, means: bench.means, draftModel })
  const samples = new Map<Text, Sample[]>(TEXTS.map((text) => [text, []]))
  try {
    const lead = await ring.answer({ ...CHAT, tokens: LEAD_TOKENS, prompt: PROMPT })
    await ring.setOneWay(ROUND_TRIP_MS / 2)
    for (let run = 0; run < bench.runs; run++) {
      for (const [text, list] of samples) {
        bench.signal.throwIfAborted()
        bench.progress(`drafts, ${model.label}, ${text.name}, run ${run + 1} of ${bench.runs}`)
        const { generation, hasLead, lengths } = text
        const order = { ...CHAT, generation: { ...generation, seed: BigInt(run) } }
        const prompt = hasLead ? [...PROMPT, ...lead.text] : PROMPT
        const without = () => ring.answer({ ...order, prompt })
        // Taking turns at going first.
        const early = run % 2 === 0 ? await without() : undefined
        const on: Answers[] = []
        for (const tokens of lengths) on.push(await ring.answer({ ...order, prompt, tokens, draftsMax: DRAFTS_MAX }))
        list.push({ off: early ?? (await without()), on })
      }
    }
  } finally {
    await ring.close()
  }
  return [...samples].flatMap(([text, list]) =>
    text.lengths.map((tokens, at) => {
      const pairs = list.map(({ off, on }) => ({ off, on: on[at]! }))
      return rowFor(model, { ring, text, tokens, pairs })
    }),
  )
}

const CHAT = { chats: 1, capacity: CAPACITY, promptTokens: PROMPT.length, tokens: TOKENS }

interface Compared {
  readonly ring: BenchRing
  readonly text: Text
  readonly tokens: number
  readonly pairs: readonly { readonly off: Answers; readonly on: Answers }[]
}

function rowFor({ label }: BenchModel, { ring, text, tokens, pairs }: Compared): Row {
  for (const { off, on } of pairs) {
    const same = String(off.text) === String(on.text.slice(0, off.text.length))
    if (!same) throw new Error(`${text.name}: drafts changed the answer`)
  }
  const length = tokens === TOKENS ? '' : `, ${tokens} tokens`
  return rowOf({
    measure: `drafts on ÷ off, ${text.name}${length}, ${ROUND_TRIP_MS} ms RTT (${ring.means}), ${label}`,
    ratios: pairs.map(({ off, on }) => on.tokensPerSecond / off.tokensPerSecond),
    target: text.target,
    values: {
      'tokens/s with': pairs.map(({ on }) => on.tokensPerSecond),
      'tokens/s without': pairs.map(({ off }) => off.tokensPerSecond),
      drafts: pairs.map(({ on }) => on.drafts),
      'drafts that were right': pairs.map(({ on }) => on.draftsKept),
    },
  })
}
