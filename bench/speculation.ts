/**
 * What drafts gain in a ring whose stages are far apart: time of an answer without them ÷ with them, for a text that repeats itself, one that does not, and one of
 * which nothing can be guessed. The same processes, taking turns; the answers must be the same. Stage 1 of a model with a tokenizer has the same model in q4 to draft with.
 * @module
 */
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
const DRAFTS_MAX = 15
/** Of the text that repeats itself, before it is measured. */
const LEAD_TOKENS = 200
const PROMPT = Array.from({ length: 16 }, (_, index) => 900 + 7 * index)

interface Text {
  readonly name: string
  readonly target: Target
  readonly generation: Partial<Generation>
  /** It goes on with what was said before. */
  readonly hasLead: boolean
}

const SAMPLED = { temperature: 0.8, topK: 40, topP: 0.95 }
const TEXTS: readonly Text[] = [
  { name: 'a text that repeats itself', target: { atLeast: 5 }, generation: {}, hasLead: true },
  { name: 'a new text', target: { atLeast: 1.8 }, generation: SAMPLED, hasLead: false },
  { name: 'a text without sense', target: { atLeast: 0.98 }, generation: { temperature: 100 }, hasLead: false },
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
  readonly on: Answers
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
        const { generation, hasLead } = text
        const order = { ...CHAT, generation: { ...generation, seed: BigInt(run) } }
        const prompt = hasLead ? [...PROMPT, ...lead.text] : PROMPT
        const answer = (draftsMax: number): Promise<Answers> => ring.answer({ ...order, prompt, draftsMax })
        // Taking turns at going first.
        const [first, second] = [run % 2 === 0 ? 0 : DRAFTS_MAX, run % 2 === 0 ? DRAFTS_MAX : 0]
        const pair = [await answer(first), await answer(second)] as const
        list.push(first === 0 ? { off: pair[0], on: pair[1] } : { off: pair[1], on: pair[0] })
      }
    }
  } finally {
    await ring.close()
  }
  return [...samples].map(([text, list]) => rowFor(model, { ring, text, list }))
}

const CHAT = { chats: 1, capacity: CAPACITY, promptTokens: PROMPT.length, tokens: TOKENS }

function rowFor(
  { label }: BenchModel,
  { ring, text, list }: { ring: BenchRing; text: Text; list: readonly Sample[] },
): Row {
  for (const { off, on } of list) {
    if (String(off.text) !== String(on.text)) throw new Error(`${text.name}: drafts changed the answer`)
  }
  return rowOf({
    measure: `drafts on ÷ off, ${text.name}, ${ROUND_TRIP_MS} ms RTT (${ring.means}), ${label}`,
    ratios: list.map(({ off, on }) => on.tokensPerSecond / off.tokensPerSecond),
    target: text.target,
    values: {
      'tokens/s with': list.map(({ on }) => on.tokensPerSecond),
      'tokens/s without': list.map(({ off }) => off.tokensPerSecond),
      drafts: list.map(({ on }) => on.drafts),
      'drafts that were right': list.map(({ on }) => on.draftsKept),
    },
  })
}
