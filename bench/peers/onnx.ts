/**
 * A process with onnxruntime in it: one session of the whole model, keys and values in buffers of ours that it writes to. Asked by messages.
 * @module
 */
import { createRequire } from 'node:module'
import { join } from 'node:path'
import type { ModelConfig } from '../../src/ml/config.ts'
import { answerParent } from '../lab/child.ts'
import { type PeerTold, type StepsOrder, timeSteps } from './orders.ts'

export interface OnnxLoad {
  readonly type: 'load'
  /** Of the package. */
  readonly folder: string
  readonly file: string
  readonly config: ModelConfig
  readonly threads: number
  /** Positions of keys and values. */
  readonly context: number
}

/** What is used of onnxruntime-node. */
interface Library {
  readonly InferenceSession: { create(path: string, options: object): Promise<Session> }
  readonly Tensor: new (type: 'float32' | 'int32', data: Float32Array | Int32Array, shape: readonly number[]) => Tensor
}

interface Session {
  run(feeds: Tensors, fetches: Readonly<Record<string, Tensor | null>>): Promise<Tensors>
}

interface Tensor {
  readonly data: Float32Array | Int32Array
}

type Tensors = Readonly<Record<string, Tensor>>

let run: (position: number, rows: number) => Promise<Float32Array>

answerParent<OnnxLoad | StepsOrder>(async (order): Promise<PeerTold> => {
  if (order.type === 'load') return { ms: [], about: await load(order) }
  return timeSteps(order, run)
})

async function load({ folder, file, config, threads, context }: OnnxLoad): Promise<string> {
  const library = createRequire(join(folder, 'package.json'))('onnxruntime-node') as Library
  const { version } = createRequire(import.meta.url)(join(folder, 'package.json')) as { version: string }
  const session = await library.InferenceSession.create(file, {
    executionProviders: ['cpu'],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
  })
  const { keyValueHeadCount, headSize, hiddenSize, layerCount } = config
  const kept: Record<string, Tensor> = {}
  const shape = [1, keyValueHeadCount, context, headSize]
  for (let layer = 0; layer < layerCount; layer++) {
    for (const name of [`key.${layer}`, `value.${layer}`]) {
      kept[name] = new library.Tensor('float32', new Float32Array(keyValueHeadCount * context * headSize), shape)
    }
  }
  const written = Object.fromEntries(Object.entries(kept).map(([name, tensor]) => [`new.${name}`, tensor]))
  run = async (position, rows) => {
    const values = Float32Array.from({ length: rows * hiddenSize }, (_, at) => Math.sin(position * hiddenSize + at))
    const end = position + rows
    const counts = {
      last: new library.Tensor('int32', Int32Array.of(end - 1), [1]),
      total: new library.Tensor('int32', Int32Array.of(end), [1]),
    }
    const hidden = new library.Tensor('float32', values, [1, rows, hiddenSize])
    const { logits } = await session.run({ hidden, ...counts, ...kept }, { logits: null, ...written })
    return logits!.data as Float32Array
  }
  // The same token at the same place, behind the same keys and values; and another one.
  const [logits, alone, other] = [(await run(0, 2)).slice(), (await run(1, 1)).slice(), await run(2, 1)]
  const distanceTo = (from: Float32Array): number => Math.hypot(...logits.map((value, at) => value - from[at]!))
  if (!(distanceTo(alone) < 0.1 * distanceTo(other))) throw new Error('it does not compute what the graph says')
  return `onnxruntime-node ${version}`
}
