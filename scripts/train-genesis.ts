/**
 * `node scripts/train-genesis.ts FOLDER_OF_TEXTS --out FOLDER`: trains a model of the shape of genesis, or a smaller one, from the .txt files
 * of a folder, with TF.js on any backend. Writes a folder that `dllm model import` takes, the losses as `loss.svg`, and a checkpoint from which the same command
 * goes on. Spec: docs/spec/float.md §4.
 * @module
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type OpenGpu, openGpuDevice } from '../src/app/gpu/open-device.ts'
import { writeFileAtomic } from '../src/app/home.ts'
import { tokenizerFromFiles } from '../src/app/model-tokenizer.ts'
import { TFJS_BACKENDS, type TfjsBackend } from '../src/app/tfjs/backends.ts'
import { openTfjs } from '../src/app/tfjs/open-tfjs.ts'
import { lossPlot } from '../src/app/train/loss-plot.ts'
import { encodeSafetensors, loadSafetensors, writeHuggingFaceFolder } from '../src/app/train/safetensors-out.ts'
import { HouseError } from '../src/base/error.ts'
import type { ModelConfig } from '../src/ml/config.ts'
import { createModelOps } from '../src/ml/engine/tfjs/model-ops.ts'
import type { NamedTensor } from '../src/ml/huggingface-out.ts'
import { drawBatch } from '../src/ml/train/batch.ts'
import { freshWeights } from '../src/ml/train/fresh-weights.ts'
import { fullLearner } from '../src/ml/train/learner.ts'
import { rateAt } from '../src/ml/train/schedule.ts'
import { createTrainer, type Trainer } from '../src/ml/train/trainer.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    out: { type: 'string' },
    steps: { type: 'string', default: '200' },
    backend: { type: 'string', default: 'wasm' },
    shape: { type: 'string', default: 'genesis' },
    batch: { type: 'string', default: '8' },
    rows: { type: 'string', default: '64' },
    rate: { type: 'string', default: '0.002' },
    seed: { type: 'string', default: '1' },
    /** Characters of each text at the most; without it, all. */
    excerpt: { type: 'string' },
    /** Folder with tokenizer.json. */
    tokenizer: { type: 'string', default: join(import.meta.dirname, '../models/genesis') },
    /** A driver that computes on the processor will do for --backend webgpu. */
    'allow-software-gpu': { type: 'boolean', default: false },
  },
})

const SHAPES = {
  genesis: { hiddenSize: 192, layerCount: 6, headCount: 6, keyValueHeadCount: 2, headSize: 32, intermediateSize: 512 },
  small: { hiddenSize: 96, layerCount: 3, headCount: 3, keyValueHeadCount: 1, headSize: 32, intermediateSize: 256 },
  tiny: { hiddenSize: 32, layerCount: 1, headCount: 2, keyValueHeadCount: 1, headSize: 16, intermediateSize: 64 },
} as const

/** Share of each text that is not learnt from. */
const HELD_OUT = 0.03
const HELD_OUT_BATCHES = 2
/** Steps between looks at the held-out text, and between checkpoints. */
const LOOK_STEPS = 20
const VOCABULARY = 2_048
const LOSSES = 'training.losses'
const HELD_STEPS = 'training.heldOutSteps'
const HELD_LOSSES = 'training.heldOutLosses'

interface Progress {
  readonly losses: number[]
  readonly heldOut: { step: number; loss: number }[]
}

function configOf(shape: string): ModelConfig {
  if (!(shape in SHAPES)) fail(`--shape is one of ${Object.keys(SHAPES).join(', ')}.`)
  return {
    ...{ family: 'llama', vocabularySize: VOCABULARY, contextLength: 512, normEpsilon: 1e-5, ropeTheta: 10_000 },
    ...{ ropeScaling: { type: 'none' }, slidingWindow: undefined, queryKeyValueBias: false, queryKeyNorm: false },
    ...{ tiedHead: true, beginToken: 0, endTokens: [0] },
    ...SHAPES[shape as keyof typeof SHAPES],
  }
}

function fail(message: string): never {
  console.error(message)
  process.exit(2)
}

function wholeNumber(name: 'steps' | 'batch' | 'rows' | 'seed' | 'excerpt'): number {
  const number = Number(values[name])
  if (!Number.isSafeInteger(number) || number < 1) fail(`--${name} is a whole number of at least 1.`)
  return number
}

/** All texts as ids, each after the begin token; the end of each is held out. */
async function loadTokens(folder: string, config: ModelConfig): Promise<{ learnt: Int32Array; heldOut: Int32Array }> {
  const names = readdirSync(folder)
    .filter((name) => name.endsWith('.txt'))
    .sort()
  if (names.length === 0) fail(`${folder} has no .txt files.`)
  const read = (name: string) => {
    const path = join(values.tokenizer, name)
    return existsSync(path) ? readFileSync(path) : undefined
  }
  const tokenizer = await tokenizerFromFiles(read, config)
  const [learnt, heldOut]: [number[], number[]] = [[], []]
  for (const name of names) {
    const text = readFileSync(join(folder, name), 'utf8')
    const ids = tokenizer.encode(values.excerpt === undefined ? text : text.slice(0, wholeNumber('excerpt')))
    const cut = Math.floor(ids.length * (1 - HELD_OUT))
    for (const id of ids.slice(0, cut)) learnt.push(id)
    for (const id of ids.slice(cut)) heldOut.push(id)
  }
  return { learnt: Int32Array.from(learnt), heldOut: Int32Array.from(heldOut) }
}

async function saveCheckpoint(path: string, trainer: Trainer, { losses, heldOut }: Progress): Promise<void> {
  const list = (name: string, numbers: readonly number[]): NamedTensor => {
    return { name, shape: [numbers.length], values: Float32Array.from(numbers) }
  }
  const tensors: NamedTensor[] = [
    list(LOSSES, losses),
    list(
      HELD_STEPS,
      heldOut.map(({ step }) => step),
    ),
    list(
      HELD_LOSSES,
      heldOut.map(({ loss }) => loss),
    ),
  ]
  for (const [name, variable] of trainer.state) {
    tensors.push({ name, shape: variable.shape, values: await variable.data<'float32'>() })
  }
  await writeFileAtomic(path, encodeSafetensors(tensors), { mode: 0o644 })
}

function loadCheckpoint(path: string, trainer: Trainer): Progress {
  if (!existsSync(path)) return { losses: [], heldOut: [] }
  const saved = loadSafetensors(path)
  const misfit = [...trainer.state].find(([name, variable]) => saved.get(name)?.length !== variable.size)
  if (misfit !== undefined) fail(`${path} is of another shape. Name another folder with --out, or remove the file.`)
  const losses = [...(saved.get(LOSSES) ?? [])]
  trainer.resume(saved, losses.length)
  const heldLosses = saved.get(HELD_LOSSES) ?? []
  return { losses, heldOut: [...(saved.get(HELD_STEPS) ?? [])].map((step, at) => ({ step, loss: heldLosses[at]! })) }
}

/** `step 120 of 200  loss 4.312  812 tokens/s  1:36 left` */
function tell(line: { step: number; steps: number; loss: number; tokensPerSecond: number; secondsLeft: number }): void {
  const left = `${Math.floor(line.secondsLeft / 60)}:${String(Math.floor(line.secondsLeft % 60)).padStart(2, '0')} left`
  const text = `step ${line.step} of ${line.steps}  loss ${line.loss.toFixed(3)}  ${line.tokensPerSecond.toFixed(0)} tokens/s  ${left}`
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`)
  else if (line.step % LOOK_STEPS === 0) process.stderr.write(`${text}\n`)
}

async function openBackend(): Promise<{ open: Awaited<ReturnType<typeof openTfjs>>; gpu: OpenGpu | undefined }> {
  const backend = TFJS_BACKENDS.find((known) => known === values.backend)
  if (backend === undefined) fail(`--backend is one of ${TFJS_BACKENDS.join(', ')}.`)
  const needsGpu: TfjsBackend = 'webgpu'
  const gpu = backend === needsGpu ? await openGpuDevice({ allowSoftware: values['allow-software-gpu'] }) : undefined
  return { open: await openTfjs(backend, gpu), gpu }
}

async function main(): Promise<void> {
  const [folder] = positionals
  const out = values.out
  if (folder === undefined || out === undefined)
    fail('usage: node scripts/train-genesis.ts FOLDER_OF_TEXTS --out FOLDER')
  const config = configOf(values.shape)
  const [steps, batch, rows, seed] = [
    wholeNumber('steps'),
    wholeNumber('batch'),
    wholeNumber('rows'),
    wholeNumber('seed'),
  ]
  mkdirSync(out, { recursive: true })
  const { learnt, heldOut } = await loadTokens(folder, config)
  console.error(`${learnt.length} tokens to learn from, ${heldOut.length} held out`)
  const { open, gpu } = await openBackend()
  const ops = createModelOps(open.tf)
  const learner = fullLearner({ ops, config, weights: freshWeights(config, BigInt(seed)) })
  const trainer = createTrainer(learner)
  const checkpoint = join(out, 'checkpoint.safetensors')
  const progress = loadCheckpoint(checkpoint, trainer)
  const look = async (step: number) => {
    let sum = 0
    for (let at = 0; at < HELD_OUT_BATCHES; at++) {
      sum += await trainer.loss(drawBatch(heldOut, { batch, rows }, { seed: 0n, step: at }))
    }
    progress.heldOut.push({ step, loss: sum / HELD_OUT_BATCHES })
    await saveCheckpoint(checkpoint, trainer, progress)
    const title = `${values.shape}, ${batch} × ${rows} tokens per step, TF.js ${open.backend}`
    writeFileSync(join(out, 'loss.svg'), lossPlot({ title, ...progress }))
  }
  const first = progress.losses.length
  const beganMs = performance.now()
  if (first === 0) await look(0)
  for (let step = first; step < steps; step++) {
    const rate = rateAt(step, { top: Number(values.rate), warmSteps: 20, steps })
    const { loss } = await trainer.step(drawBatch(learnt, { batch, rows }, { seed: BigInt(seed), step }), rate)
    if (!Number.isFinite(loss)) fail(`The loss of step ${step} is not a number. Try a lower --rate.`)
    progress.losses.push(loss)
    const done = step + 1
    if (done % LOOK_STEPS === 0 || done === steps) await look(done)
    const secondsPerStep = (performance.now() - beganMs) / 1_000 / (done - first)
    tell({
      step: done,
      steps,
      loss,
      tokensPerSecond: (batch * rows) / secondsPerStep,
      secondsLeft: (steps - done) * secondsPerStep,
    })
  }
  await writeHuggingFaceFolder(out, { config, weights: await learner.weightSource() }, values.tokenizer)
  const { numTensors, numBytes } = open.tf.memory()
  const held = progress.heldOut.at(-1)!
  console.log(
    `${steps} steps: held-out loss ${progress.heldOut[0]!.loss.toFixed(3)} to ${held.loss.toFixed(3)} nats per token; ${numTensors} tensors, ${numBytes} bytes`,
  )
  open.close()
  await gpu?.close()
}

await main().catch((error: unknown) => {
  if (!(error instanceof HouseError)) throw error
  fail(error.message)
})
