/**
 * Every decoder against bytes that nobody meant: it reads or refuses with a code, in bounded memory, and what it reads has no
 * second encoding. A fixed seed; `DLLM_FUZZ_RUNS=20` runs twenty times as many cases, `scripts/fuzz.ts` never stops.
 */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Decoder, judge } from './decoder.ts'
import { DECODERS } from './decoders.ts'
import { cutsOf, flipsOf, inputsOf, largestOf, lengthsOf } from './inputs.ts'

const SEED = 20_261_103
const FACTOR = Number(process.env['DLLM_FUZZ_RUNS'] ?? 1)
const CASES = 100
const VALUES = 30
/** Of one sample: cuts, changed bytes, endless lengths. */
const PLACES = 96
/** Bytes outside of the heap that a decoder may set aside for each byte of its input, and beside them. */
const SET_ASIDE_MAX = 64
const SET_ASIDE_ROOM = 4 * 1024 * 1024

const runsOf = ({ cost = 1 }: Decoder, runs: number): { seed: number; numRuns: number } => ({
  seed: SEED,
  numRuns: Math.ceil((runs * FACTOR) / cost),
})
const placesOf = ({ cost = 1 }: Decoder): number => Math.ceil((PLACES * FACTOR) / cost)

/** The first broken promise, as a sentence with the input; undefined when all are kept. */
async function faultOf(decoder: Decoder, inputs: readonly Uint8Array[]): Promise<string | undefined> {
  for (const bytes of inputs) {
    const verdict = await judge(decoder, bytes)
    if (verdict.type === 'fault') return `${verdict.fault}\nof ${shown(bytes)}`
  }
  return undefined
}

function shown(bytes: Uint8Array): string {
  return `${bytes.length} bytes, ${Buffer.from(bytes.subarray(0, 600)).toString('hex')}`
}

/** Beginning of each name so that `-t` finds one decoder. */
describe.each(DECODERS.map((decoder) => [decoder.name, decoder] as const))('%s', (_name, decoder) => {
  test('reads its samples', async () => {
    for (const bytes of decoder.samples()) expect(await judge(decoder, bytes), shown(bytes)).toEqual({ type: 'read' })
  })

  test('reads or refuses whatever comes', async () => {
    await fc.assert(
      fc.asyncProperty(inputsOf(decoder), async (bytes) => {
        const fault = await faultOf(decoder, [bytes])
        if (fault !== undefined) throw new Error(fault)
      }),
      runsOf(decoder, CASES),
    )
  })

  test('reads or refuses its samples cut at every place', async () => {
    const cuts = decoder.samples().flatMap((bytes) => cutsOf(bytes, placesOf(decoder)))
    expect(await faultOf(decoder, cuts)).toBeUndefined()
  })

  test('sets nothing aside for a length before it sees the bytes', async () => {
    const lengths = decoder.samples().flatMap((sample) => lengthsOf(sample, placesOf(decoder)))
    for (const bytes of [...lengths, ...(decoder.near?.() ?? [])]) {
      const before = process.memoryUsage().arrayBuffers
      const verdict = await judge(decoder, bytes)
      const grown = process.memoryUsage().arrayBuffers - before
      expect(verdict.type, shown(bytes)).not.toBe('fault')
      expect(grown, shown(bytes)).toBeLessThan(SET_ASIDE_MAX * bytes.length + SET_ASIDE_ROOM)
    }
  })

  test('reads or refuses the largest inputs that reach it', async () => {
    expect(await faultOf(decoder, largestOf(decoder))).toBeUndefined()
  })

  test.runIf(decoder.roundTrip !== undefined)('gives back what was written', async () => {
    await fc.assert(decoder.roundTrip!, runsOf(decoder, VALUES))
  })

  test.runIf(decoder.believes !== undefined)('believes its samples, and none with a changed byte', () => {
    const believed = decoder.samples().filter((bytes) => decoder.believes!(bytes))
    expect(believed.length).toBeGreaterThan(0)
    // Every byte of the first, and some of another: signatures take long to refuse.
    const changed = [...flipsOf(believed[0]!, 512), ...flipsOf(believed.at(-1)!, 32)]
    expect(changed.filter((bytes) => decoder.believes!(bytes)).map(shown)).toEqual([])
  })
})
