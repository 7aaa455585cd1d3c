/**
 * Weights of a GGUF model in blocks of rows, in the order of rows that Hugging Face files have. Spec: docs/spec/model.md §10.
 * @module
 */
import type { ModelConfig } from '../../ml/config.ts'
import { type BlockName, decodeBlocks } from '../../ml/gguf/blocks.ts'
import {
  checkGgufTensor,
  ggufPlace,
  isPermuted,
  LONG_FACTORS_NAME,
  permutedRow,
  ROPE_FACTORS_NAME,
  SHORT_FACTORS_NAME,
} from '../../ml/gguf/tensors.ts'
import type { TensorPlan } from '../../ml/tensors.ts'
import type { GgufFiles, LocatedGgufTensor } from './gguf-files.ts'
import {
  bytesAt,
  checkFinite,
  missingTensor,
  type RowBlock,
  type SourceWeights,
  unknownTensor,
} from './source-weights.ts'

type Tensors = GgufFiles['tensors']

/** `files` are closed with the weights. */
export function ggufWeights(files: GgufFiles): SourceWeights {
  const { tensors } = files
  return {
    close: files.close,
    check: (config, plan) => checkTensors(tensors, config, plan),
    bytesOf: (config, plan) => {
      const { tensor } = locate(tensors, config, plan)
      return (tensor.end - tensor.start) * (plan.rows / ggufPlace(plan, config).rows)
    },
    async readRows(config, plan, block) {
      const located = locate(tensors, config, plan)
      const place = ggufPlace(plan, config)
      const name = checkGgufTensor(plan, located.tensor, place.rows)
      const inFile = { ...block, firstRow: place.firstRow + block.firstRow }
      const values = await readBlock(located, { name, plan, block: inFile, config })
      checkFinite(located.tensor.name, values, plan, block.firstRow)
      return values
    },
  }
}

function checkTensors(tensors: Tensors, config: ModelConfig, plan: readonly TensorPlan[]): void {
  const scaling = config.ropeScaling.type === 'longrope' ? [SHORT_FACTORS_NAME, LONG_FACTORS_NAME] : [ROPE_FACTORS_NAME]
  const wanted = new Set<string>(scaling)
  for (const item of plan) {
    const { name, rows } = ggufPlace(item, config)
    checkGgufTensor(item, locate(tensors, config, item).tensor, rows)
    wanted.add(name)
  }
  const stranger = [...tensors.keys()].find((name) => !wanted.has(name))
  if (stranger !== undefined) throw unknownTensor(stranger)
}

function locate(tensors: Tensors, config: ModelConfig, plan: TensorPlan): LocatedGgufTensor {
  const { name } = ggufPlace(plan, config)
  const found = tensors.get(name)
  if (found === undefined) throw missingTensor(name)
  return found
}

interface Wanted {
  readonly name: BlockName
  readonly plan: TensorPlan
  readonly block: RowBlock
  readonly config: ModelConfig
}

async function readBlock(located: LocatedGgufTensor, { name, plan, block, config }: Wanted): Promise<Float32Array> {
  // A vector is one row of the file, of which blocks of a quantised form cannot be cut.
  if (plan.kind === 'vector') {
    const values = decodeBlocks(name, await readFileRows(located, { firstRow: 0, rows: 1 }))
    return values.subarray(block.firstRow, block.firstRow + block.rows)
  }
  if (!isPermuted(plan, config)) return decodeBlocks(name, await readFileRows(located, block))
  return readPermuted(located, { name, plan, block, config })
}

/** Our rows that follow each other within half of a head are every second row of the file. */
async function readPermuted(located: LocatedGgufTensor, { name, plan, block, config }: Wanted): Promise<Float32Array> {
  const half = config.headSize / 2
  const values = new Float32Array(block.rows * plan.columns)
  for (let done = 0; done < block.rows; ) {
    const row = block.firstRow + done
    const count = Math.min(block.rows - done, half - (row % half))
    const firstRow = permutedRow(row, config.headSize)
    const read = decodeBlocks(name, await readFileRows(located, { firstRow, rows: 2 * count - 1 }))
    for (let index = 0; index < count; index++) {
      const from = 2 * index * plan.columns
      values.set(read.subarray(from, from + plan.columns), (done + index) * plan.columns)
    }
    done += count
  }
  return values
}

/** Bytes of rows of the file's own tensor: its fastest dimension is a row. */
function readFileRows({ tensor, file }: LocatedGgufTensor, { firstRow, rows }: RowBlock): Promise<Uint8Array> {
  const rowBytes = (tensor.shape[0]! / tensor.type.elements) * tensor.type.bytes
  return bytesAt(file, tensor.start + firstRow * rowBytes, rows * rowBytes)
}
