/**
 * A process with llama.cpp in it, by the lowest door that node-llama-cpp's binding has: a batch of tokens, of which the last one's logits are wanted, is
 * computed; nothing is sampled. Asked by messages.
 * @module
 */
import { readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { answerParent } from '../lab/child.ts'
import { type PeerTold, type StepsOrder, timeSteps } from './orders.ts'

export interface LlamaLoad {
  readonly type: 'load'
  /** Of the package with the binaries. */
  readonly folder: string
  readonly file: string
  readonly threads: number
  readonly context: number
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
/** llama.cpp's own default. */
const BATCH_TOKENS = 512

let context: Context | undefined

answerParent<LlamaLoad | StepsOrder>(async (order): Promise<PeerTold> => {
  if (order.type === 'load') return { ms: [], about: await load(order) }
  return timeSteps(order, run)
})

async function load({ folder, file, threads, context: size }: LlamaLoad): Promise<string> {
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
