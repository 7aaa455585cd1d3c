/**
 * `node scripts/calibrate-imprint.ts FOLDER_OF_TEXTS`: how far imprints are apart between float engines that compute the same, and from those that compute
 * something else. Prints the table of docs/spec/float.md §5. `--gpu` adds the GPU at hand, also a software one.
 * @module
 */
import { readdirSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { openGpuDevice } from '../src/app/gpu/open-device.ts'
import { openModelStore } from '../src/app/model-store.ts'
import { loadTokenizer } from '../src/app/model-tokenizer.ts'
import { openWeights } from '../src/app/shard-reader.ts'
import { openTfjs } from '../src/app/tfjs/open-tfjs.ts'
import { uniformAt } from '../src/base/prng.ts'
import type { ModelConfig } from '../src/ml/config.ts'
import { dequantizeRows } from '../src/ml/dequantize.ts'
import type { DeviceStage, Stage } from '../src/ml/engine/engine.ts'
import { createReferenceEngine } from '../src/ml/engine/reference.ts'
import { createTfjsEngine, type TfjsEngineOptions } from '../src/ml/engine/tfjs/tfjs.ts'
import { compareImprint, type ImprintMatch, imprintOf, isWithin } from '../src/ml/imprint.ts'
import { quantizeRows } from '../src/ml/quantize.ts'
import type { WeightSource } from '../src/ml/tensors.ts'

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: { gpu: { type: 'boolean', default: false }, texts: { type: 'string', default: '24' } },
})

/** Of each text; four windows. */
const TOKENS = 128
const WINDOW = 32
/** Texts for those who are slow. */
const FEW = 6

interface Variant {
  readonly name: string
  readonly isSame: boolean
  readonly stage: DeviceStage | Stage
  readonly chunk: number
  readonly texts: number
}

const model = openModelStore({ home: join(tmpdir(), 'no home') }).find('genesis')
const { config, segments } = model.manifest
const range = { firstLayer: 0, lastLayer: config.layerCount, hasEmbedding: true, hasHead: false }
const weights = openWeights(model, { firstSegment: 0, lastSegmentExclusive: segments.length })

/** The model's matrices as f32, changed. */
function changed(change: (values: Float32Array, name: string) => Float32Array): WeightSource {
  return {
    vector: (name) => weights.vector(name),
    matrix: (name) => {
      const matrix = weights.matrix(name)
      return { format: 'f32', rows: matrix.rows, columns: matrix.columns, values: change(dequantizeRows(matrix), name) }
    },
  }
}

function noisy(share: number): WeightSource {
  return changed((values, name) => {
    const deviation = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length)
    const stream = BigInt(name.length) << 40n
    return values.map(
      (value, at) => value + share * deviation * 2 * (uniformAt(9n, stream + BigInt(at)) - 0.5) * Math.sqrt(3),
    )
  })
}

const asQ4: WeightSource = {
  vector: (name) => weights.vector(name),
  matrix: (name) => {
    const matrix = weights.matrix(name)
    return quantizeRows('q4', dequantizeRows(matrix), matrix.columns)
  },
}

const asHalves = changed((values) => {
  const words = new Uint32Array(values.buffer)
  // To bfloat16, nearest.
  for (let at = 0; at < words.length; at++) words[at] = (words[at]! + 0x8000) & 0xffff0000
  return values
})

const withoutLayer3 = changed((values, name) =>
  /^layers\.3\.(attentionOutput|down)$/.test(name) ? values.fill(0) : values,
)

async function variants(): Promise<{ variants: Variant[]; verifier: Variant; close: () => Promise<void> }> {
  const wasm = await openTfjs('wasm')
  const cpu = await openTfjs('cpu')
  const on = (open: TfjsEngineOptions, source: WeightSource, change: Partial<ModelConfig> = {}) =>
    createTfjsEngine(wasm.tf, open).createStage({
      config: { ...config, ...change },
      range,
      weights: source,
      cacheBytesMax: 1 << 28,
    })
  const reference = createReferenceEngine().createStage({ config, range, weights, cacheBytesMax: 1 << 28 })
  const texts = Number(flags.texts)
  const whole = { chunk: TOKENS, texts }
  const honest = await on(wasm, weights)
  const list: Variant[] = [
    { name: 'wasm, token by token', isSame: true, stage: honest, chunk: 1, texts: FEW },
    { name: 'wasm, in pieces of 7', isSame: true, stage: honest, chunk: 7, texts },
    { name: 'cpu', isSame: true, stage: await on(cpu, weights), chunk: TOKENS, texts: FEW },
    { name: 'exact-1, which rounds activations', isSame: false, stage: reference, chunk: TOKENS, texts: FEW },
    { name: 'weights as bfloat16', isSame: false, stage: await on(wasm, asHalves), ...whole },
    { name: 'weights with noise of 0.1 %', isSame: false, stage: await on(wasm, noisy(0.001)), ...whole },
    { name: 'weights with noise of 1 %', isSame: false, stage: await on(wasm, noisy(0.01)), ...whole },
    { name: 'q4 in place of q8', isSame: false, stage: await on(wasm, asQ4), ...whole },
    { name: 'one of six layers skipped', isSame: false, stage: await on(wasm, withoutLayer3), ...whole },
    {
      name: 'no more than 32 positions seen',
      isSame: false,
      stage: await on(wasm, weights, { slidingWindow: 32 }),
      ...whole,
    },
  ]
  if (!flags.gpu) return { variants: list, verifier: { ...list[0]!, ...whole }, close: async () => undefined }
  const gpu = await openGpuDevice({ allowSoftware: true })
  const open = await openTfjs('webgpu', gpu)
  list.splice(3, 0, {
    name: `webgpu, ${gpu.info.name}`,
    isSame: true,
    stage: await on(open, weights),
    chunk: 32,
    texts: 2,
  })
  return { variants: list, verifier: { ...list[0]!, ...whole }, close: () => gpu.close() }
}

/** Rows after the last layer, (TOKENS, d). */
async function rowsOf({ stage, chunk }: Variant, tokens: Int32Array): Promise<Float32Array> {
  const cache = stage.openCache(tokens.length)
  const rows = new Float32Array(tokens.length * config.hiddenSize)
  for (let position = 0; position < tokens.length; position += chunk) {
    const input = { type: 'tokens', tokens: tokens.slice(position, position + chunk) } as const
    const [output] = await stage.run([{ cache, position, input, logits: 'none' }])
    if (output?.type !== 'hidden') throw output?.type === 'failed' ? output.error : new Error('no rows')
    rows.set(output.values, position * config.hiddenSize)
  }
  stage.closeCache(cache)
  return rows
}

async function main(): Promise<void> {
  const [folder] = positionals
  if (folder === undefined) throw new Error('usage: node scripts/calibrate-imprint.ts FOLDER_OF_TEXTS')
  const tokenizer = await loadTokenizer(model)
  const names = readdirSync(folder)
    .filter((name) => name.endsWith('.txt'))
    .sort()
  const tokens = names.slice(0, Number(flags.texts)).map((name) => {
    const text = readFileSync(join(folder, name), 'utf8')
    return Int32Array.from(tokenizer.encode(text.slice(text.length / 2, text.length / 2 + 2_000)).slice(0, TOKENS))
  })
  const { variants: all, verifier, close } = await variants()
  const expected: Float32Array[] = []
  for (const text of tokens) expected.push(await rowsOf(verifier, text))
  console.log(
    '| computed by | windows | same | median difference, least to most | missing, least to most | accepted |\n|---|---|---|---|---|---|',
  )
  for (const variant of all) {
    const matches: ImprintMatch[] = []
    for (const [index, text] of tokens.slice(0, variant.texts).entries()) {
      const found = await rowsOf(variant, text)
      for (let at = 0; at < found.length; at += WINDOW * config.hiddenSize) {
        const window = (values: Float32Array) => values.slice(at, at + WINDOW * config.hiddenSize)
        matches.push(compareImprint(imprintOf(window(found)), window(expected[index]!)))
      }
    }
    console.log(rowOf(variant, matches))
  }
  await close()
}

function rowOf({ name, isSame }: Variant, matches: readonly ImprintMatch[]): string {
  const span = (values: number[], shown: (value: number) => string) =>
    `${shown(Math.min(...values))} to ${shown(Math.max(...values))}`
  const differences = span(
    matches.map((match) => match.medianDifference),
    (value) => value.toExponential(1),
  )
  const missing = span(
    matches.map((match) => match.missing),
    (value) => `${(100 * value).toFixed(0)} %`,
  )
  const accepted = matches.filter((match) => isWithin(match)).length
  return `| ${name} | ${matches.length} | ${isSame ? 'yes' : 'no'} | ${differences} | ${missing} | ${accepted} |`
}

await main()
