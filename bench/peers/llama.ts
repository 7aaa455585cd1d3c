/**
 * A process with llama.cpp in it, by the lowest door that node-llama-cpp's binding has: a batch of tokens, of which the last one's logits are wanted, is
 * computed; nothing is sampled. Asked by messages.
 * @module
 */
import { readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { answerParent } from '../lab/child.ts'

export type LlamaOrder =
  | {
      readonly type: 'load'
      /** Of the package with the binaries. */
      readonly folder: string
      readonly file: string
      readonly threads: number
      readonly context: number
    }
  /** A prompt of so many tokens, alone in its context. */
  | { readonly type: 'prefill'; readonly rows: number }
  /** So many tokens one after the other, or fewer where they take long, from a position that has been computed up to. */
  | { readonly type: 'decode'; readonly position: number; readonly steps: number; readonly hasLogits: boolean }

export interface LlamaTold {
  /** Of the prompt or of each token. */
  readonly ms: readonly number[]
  /** What the library says of itself, when it has been loaded. */
  readonly about: string
}

/** What is used of the binding (node-llama-cpp, bindings/AddonTypes). */
interface Binding {
  readonly AddonModel: new (path: string, options: object) => { init(): Promise<boolean>; getTotalSize(): number }
  readonly AddonContext: new (model: object, options: object) => Context
  readonly AddonSampler: new (model: object) => { applyConfig(config: object): void }
  setLogger(logger: (level: number, text: string) => void): void
  markLoaded(): boolean
  loadBackends(folder?: string): void
  init(): Promise<void>
  systemInfo(): string
}

interface Context {
  init(): Promise<boolean>
  initBatch(size: number): void
  addToBatch(sequence: number, position: number, tokens: Uint32Array, logits: Uint32Array): Uint32Array
  decodeBatch(): Promise<void>
  sampleToken(index: number, sampler: object): Promise<number>
  removeTokenCellsFromSequence(sequence: number, from: number, to: number): boolean
}

/** Whatever this machine runs of a text; each token another. */
const FIRST_TOKEN = 300
const TOKENS_USED = 20_000
/** Where others use the cores its steps take seconds. */
const DECODE_MS_MAX = 3_000
const STEPS_MIN = 3
/** llama.cpp's own default. */
const BATCH_TOKENS = 512

let context: Context | undefined

answerParent<LlamaOrder>(async (order) => {
  switch (order.type) {
    case 'load':
      return { ms: [], about: await load(order) } satisfies LlamaTold
    case 'prefill':
      return { ms: [await prefill(order.rows)], about: '' } satisfies LlamaTold
    case 'decode':
      return { ms: await decode(order), about: '' } satisfies LlamaTold
  }
})

async function load({ folder, file, threads, context: size }: Extract<LlamaOrder, { type: 'load' }>): Promise<string> {
  const addon = readdirSync(folder, { recursive: true, encoding: 'utf8' }).find((name) =>
    name.endsWith('llama-addon.node'),
  )
  if (addon === undefined) throw new Error('the package has no binding')
  const path = join(folder, addon)
  const binding = createRequire(import.meta.url)(path) as Binding
  binding.markLoaded()
  const said: string[] = []
  binding.setLogger((_level, text) => said.push(text))
  binding.loadBackends()
  binding.loadBackends(dirname(path))
  await binding.init()
  const model = new binding.AddonModel(file, { addonExports: binding, gpuLayers: 0, useMmap: true })
  if (!(await model.init())) throw new Error(`the model was not loaded: ${said.join('')}`)
  const options = { contextSize: size, batchSize: BATCH_TOKENS, sequences: 1, flashAttention: 'auto', threads }
  const made = new binding.AddonContext(model, options)
  if (!(await made.init())) throw new Error(`no context was made: ${said.join('')}`)
  context = made
  const [index] = await run(0, 1, true)
  // Whoever has no logits cannot draw from them.
  const sampler = new binding.AddonSampler(model)
  sampler.applyConfig({ temperature: 0 })
  const drawn = await made.sampleToken(index!, sampler)
  if (!(drawn >= 0)) throw new Error('no logits were computed')
  return `${binding.systemInfo()}; ${(model.getTotalSize() / 1e6).toFixed(0)} MB`
}

/** Tokens from `position` on; what was there and after it is forgotten. Gives where the logits are. */
async function run(position: number, rows: number, hasLogits: boolean): Promise<Uint32Array> {
  const made = context!
  made.removeTokenCellsFromSequence(0, position, -1)
  const tokens = Uint32Array.from({ length: rows }, (_, index) => FIRST_TOKEN + ((position + index) % TOKENS_USED))
  made.initBatch(rows)
  const indexes = made.addToBatch(0, position, tokens, hasLogits ? Uint32Array.of(rows - 1) : new Uint32Array())
  await made.decodeBatch()
  return indexes
}

async function prefill(rows: number): Promise<number> {
  const startedMs = performance.now()
  await run(0, rows, true)
  return performance.now() - startedMs
}

async function decode({ position, steps, hasLogits }: Extract<LlamaOrder, { type: 'decode' }>): Promise<number[]> {
  const times: number[] = []
  const untilMs = performance.now() + DECODE_MS_MAX
  for (let step = 0; step < steps; step++) {
    if (step >= STEPS_MIN && performance.now() > untilMs) break
    const startedMs = performance.now()
    await run(position + step, 1, hasLogits)
    times.push(performance.now() - startedMs)
  }
  return times
}
