/**
 * `node scripts/fuzz.ts`: gives every decoder of test/fuzz/decoders.ts random inputs, seed after seed, without end. An input that
 * breaks a promise is made small, written into test/fuzz/corpus and told; the run goes on, and ends with 1 when it is stopped.
 */
import { createHash } from 'node:crypto'
import { parseArgs } from 'node:util'
import fc from 'fast-check'
import { keep } from '../test/fuzz/corpus.ts'
import { type Decoder, judge } from '../test/fuzz/decoder.ts'
import { DECODERS } from '../test/fuzz/decoders.ts'
import { inputsOf } from '../test/fuzz/inputs.ts'

const { values } = parseArgs({
  options: {
    /** Only decoders whose name holds this. */
    only: { type: 'string', default: '' },
    /** The first of many; left out, it is drawn. */
    from: { type: 'string' },
    /** How many rounds; without it there is no end. */
    count: { type: 'string' },
    /** Cases of a decoder in one round. */
    cases: { type: 'string', default: '500' },
  },
})

const MINUTE_MS = 60_000
const NAME_DIGITS = 12
const decoders = DECODERS.filter(({ name }) => name.includes(values.only))
const first = values.from === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.from)
const count = values.count === undefined ? Number.POSITIVE_INFINITY : Number(values.count)
let done = 0
let found = 0
let toldMs = performance.now()

console.log(`${decoders.length} decoders from seed ${first}`)
for (let seed = first; seed < first + count; seed++) {
  for (const decoder of decoders) {
    await fuzz(decoder, seed)
    if (performance.now() - toldMs < MINUTE_MS) continue
    toldMs = performance.now()
    console.log(`seed ${seed}: ${done} cases, ${found} found`)
  }
}
console.log(`${done} cases, ${found} found`)

async function fuzz(decoder: Decoder, seed: number): Promise<void> {
  const numRuns = Math.ceil(Number(values.cases) / (decoder.cost ?? 1))
  const property = fc.asyncProperty(inputsOf(decoder), async (bytes) => {
    done += 1
    const verdict = await judge(decoder, bytes)
    if (verdict.type === 'fault') throw new Error(verdict.fault)
  })
  const details = await fc.check(property, { seed, numRuns })
  if (details.counterexample !== null) {
    const [bytes] = details.counterexample
    const digest = createHash('sha256').update(bytes).digest('hex').slice(0, NAME_DIGITS)
    tell(decoder, seed, keep(decoder, `found-${digest}`, bytes))
    console.log(String(details.errorInstance))
  }
  if (decoder.roundTrip === undefined) return
  const trip = await fc.check(decoder.roundTrip, { seed, numRuns })
  if (trip.failed) tell(decoder, seed, fc.stringify(trip.counterexample))
}

function tell({ name }: Decoder, seed: number, what: string): void {
  found += 1
  process.exitCode = 1
  console.log(`${name}, seed ${seed}: ${what}`)
}
