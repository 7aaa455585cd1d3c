/**
 * An ONNX graph of a llama model with random weights, for onnxruntime: matrices in blocks of 32 (`MatMulNBits`, 4 or 8 bits, an f32 scale each), rotation and
 * attention in one (`GroupQueryAttention`), keys and values in f32 where the caller has them. A file of the graph, and one of the weights beside it. It begins
 * behind the embedding, of which a step reads one row, and gives the logits of the last row. Written by hand: protobuf's fields are numbers and lengths.
 * Formats: onnx.proto3, onnxruntime's docs/ContribOperators.md.
 * @module
 */
import { open, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { ModelConfig } from '../../src/ml/config.ts'

export type OnnxBits = 4 | 8

export interface OnnxFile {
  readonly path: string
  readonly bits: OnnxBits
  /** Positions that its tables of rotation have. */
  readonly positions: number
}

const BLOCK_WEIGHTS = 32
const ALIGNMENT = 4_096
const IR_VERSION = 10
const OPSET = 21
/** `TensorProto.DataType`, `AttributeProto.AttributeType`. */
const TYPES = { f32: 1, u8: 2, i32: 6, i64: 7 } as const
const FLOAT = 1
const INT = 2
const EXTERNAL = 1
/** Of uniform integers around their middle. */
const DEVIATION: Readonly<Record<OnnxBits, number>> = { 4: 4.6, 8: 73.9 }
/** Weights are random once, and the same from then on: their place in memory is what counts. */
const RANDOM_BYTES = 1_048_576 + 4_096

type Field = Uint8Array
type DataType = keyof typeof TYPES
type Shape = readonly (number | string)[]
type Attributes = Readonly<Record<string, { readonly int: number } | { readonly float: number }>>

/** Bytes of the weights. */
export async function writeOnnxFile({ path, bits, positions }: OnnxFile, config: ModelConfig): Promise<number> {
  const graph = createGraph(bits, 'weights.bin')
  const { headSize, headCount, keyValueHeadCount, hiddenSize: hidden, intermediateSize: wide } = config
  const [queries, pairs] = [headCount * headSize, headSize / 2]
  const angles = Array.from({ length: positions * pairs }, (_, at) => {
    return Math.floor(at / pairs) / config.ropeTheta ** ((2 * (at % pairs)) / headSize)
  })
  graph.floats('cos', [positions, pairs], angles.map(Math.cos))
  graph.floats('sin', [positions, pairs], angles.map(Math.sin))
  graph.floats(
    'norm',
    [hidden],
    Array.from({ length: hidden }, () => 1),
  )
  const epsilon = { epsilon: { float: config.normEpsilon } }
  const heads = { num_heads: { int: headCount }, kv_num_heads: { int: keyValueHeadCount }, do_rotary: { int: 1 } }
  graph.node('SimplifiedLayerNormalization', ['hidden', 'norm'], ['x'], { ...epsilon, axis: { int: -1 } }, '')
  let [x, sum] = ['x', 'hidden']
  const norm = (name: string, added: string): void => {
    graph.node('SkipSimplifiedLayerNormalization', [sum, added, 'norm'], [name, '', '', `${name}.sum`], epsilon)
    ;[x, sum] = [name, `${name}.sum`]
  }
  for (let layer = 0; layer < config.layerCount; layer++) {
    const of = (name: string): string => `${name}.${layer}`
    const [keys, values] = [of('key'), of('value')]
    graph.matmul(x, of('qkv'), [hidden, queries + 2 * keyValueHeadCount * headSize])
    const past = [keys, values, 'last', 'total', 'cos', 'sin']
    graph.node(
      'GroupQueryAttention',
      [of('qkv'), '', '', ...past],
      [of('heads'), `new.${keys}`, `new.${values}`],
      heads,
    )
    for (const name of [keys, values]) {
      graph.input(name, 'f32', [1, keyValueHeadCount, 'positions', headSize])
      graph.output(`new.${name}`, 'f32', [1, keyValueHeadCount, 'positions', headSize])
    }
    graph.matmul(of('heads'), of('out'), [queries, hidden])
    norm(of('y'), of('out'))
    graph.matmul(x, of('gate'), [hidden, wide])
    graph.matmul(x, of('up'), [hidden, wide])
    // x · sigmoid(x)
    graph.node('QuickGelu', [of('gate')], [of('open')], { alpha: { float: 1 } })
    graph.node('Mul', [of('open'), of('up')], [of('wide')], {}, '')
    graph.matmul(of('wide'), of('down'), [wide, hidden])
    norm(of('z'), of('down'))
  }
  graph.longs('minus one', [1], [-1])
  graph.node('Gather', [x, 'minus one'], ['row'], { axis: { int: 1 } }, '')
  graph.matmul('row', 'logits', [hidden, config.vocabularySize])
  graph.input('hidden', 'f32', [1, 'rows', hidden])
  graph.input('last', 'i32', [1])
  graph.input('total', 'i32', [1])
  graph.output('logits', 'f32', [1, 1, config.vocabularySize])
  await writeFile(path, graph.finish(), { mode: 0o600 })
  return graph.writeWeights(join(dirname(path), 'weights.bin'))
}

interface Graph {
  input(name: string, type: DataType, shape: Shape): void
  output(name: string, type: DataType, shape: Shape): void
  floats(name: string, shape: readonly number[], values: readonly number[]): void
  longs(name: string, shape: readonly number[], values: readonly number[]): void
  node(
    type: string,
    inputs: readonly string[],
    outputs: readonly string[],
    attributes: Attributes,
    domain?: string,
  ): void
  /** `x · W`: weights are `columns × rows` of the result, outside. */
  matmul(x: string, result: string, shape: readonly [columns: number, rows: number]): void
  finish(): Uint8Array
  writeWeights(path: string): Promise<number>
}

function createGraph(bits: OnnxBits, weightsFile: string): Graph {
  const fields: Field[] = [text(2, 'llama')]
  const pieces: { readonly at: number; readonly bytes: number; readonly scale: number | undefined }[] = []
  let end = 0
  const outside = (name: string, type: DataType, shape: readonly number[], scale?: number): void => {
    const bytes = shape.reduce((product, size) => product * size, type === 'f32' ? 4 : 1)
    const entries = { location: weightsFile, offset: String(end), length: String(bytes) }
    const places = Object.entries(entries).map(([key, value]) => message(13, [text(1, key), text(2, value)]))
    fields.push(message(5, [...tensor(name, type, shape), ...places, number(14, EXTERNAL)]))
    pieces.push({ at: end, bytes, scale })
    end = Math.ceil((end + bytes) / ALIGNMENT) * ALIGNMENT
  }
  const inside = (name: string, type: DataType, shape: readonly number[], data: ArrayBufferLike): void => {
    fields.push(message(5, [...tensor(name, type, shape), bytesField(9, new Uint8Array(data))]))
  }
  const node: Graph['node'] = (type, inputs, outputs, attributes, domain = 'com.microsoft') => {
    const named = Object.entries(attributes).map(([name, value]) => message(5, attribute(name, value)))
    const ends = [...inputs.map((name) => text(1, name)), ...outputs.map((name) => text(2, name))]
    fields.push(message(1, [...ends, text(3, outputs[0]!), text(4, type), ...named, text(7, domain)]))
  }
  return {
    node,
    input: (name, type, shape) => void fields.push(message(11, valueInfo(name, type, shape))),
    output: (name, type, shape) => void fields.push(message(12, valueInfo(name, type, shape))),
    floats: (name, shape, values) => inside(name, 'f32', shape, Float32Array.from(values).buffer),
    longs: (name, shape, values) => inside(name, 'i64', shape, BigInt64Array.from(values, BigInt).buffer),
    matmul(x, result, [columns, rows]) {
      const blocks = columns / BLOCK_WEIGHTS
      outside(`${result}.weights`, 'u8', [rows, blocks, (BLOCK_WEIGHTS * bits) / 8])
      outside(`${result}.scales`, 'f32', [rows * blocks], 1 / (DEVIATION[bits] * Math.sqrt(columns)))
      const sizes = { K: { int: columns }, N: { int: rows }, bits: { int: bits }, block_size: { int: BLOCK_WEIGHTS } }
      // Activations in eight bits, as everybody else here has them.
      const attributes = { ...sizes, accuracy_level: { int: 4 } }
      node('MatMulNBits', [x, `${result}.weights`, `${result}.scales`], [result], attributes)
    },
    finish() {
      const opsets = [message(8, [text(1, ''), number(2, OPSET)]), message(8, [text(1, 'com.microsoft'), number(2, 1)])]
      return joined([number(1, IR_VERSION), message(7, fields), ...opsets])
    },
    async writeWeights(path) {
      const file = await open(path, 'w', 0o600)
      try {
        const random = randomBytes(bits)
        for (const { at, bytes, scale } of pieces) {
          const data =
            scale === undefined ? random : new Uint8Array(new Float32Array(RANDOM_BYTES / 4).fill(scale).buffer)
          for (let done = 0; done < bytes; done += data.length) {
            await file.write(data, 0, Math.min(data.length, bytes - done), at + done)
          }
        }
      } finally {
        await file.close()
      }
      return end
    },
  }
}

/** Marsaglia's xorshift32, without the lowest integer: what is left has its mean in the middle, which stands for zero. */
function randomBytes(bits: OnnxBits): Uint8Array {
  const words = new Uint32Array(RANDOM_BYTES / 4)
  let state = 0x9e3779b9
  for (let index = 0; index < words.length; index++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    words[index] = state
  }
  const data = new Uint8Array(words.buffer)
  const integers = bits === 4 ? [[0x0f, 0x08] as const, [0xf0, 0x80] as const] : [[0xff, 0x80] as const]
  for (const [mask, middle] of integers) {
    for (const [at, byte] of data.entries()) if ((byte & mask) === 0) data[at] = byte | middle
  }
  return data
}

function tensor(name: string, type: DataType, shape: readonly number[]): Field[] {
  return [...shape.map((size) => number(1, size)), number(2, TYPES[type]), text(8, name)]
}

function attribute(name: string, value: Attributes[string]): Field[] {
  return 'int' in value
    ? [text(1, name), number(3, value.int), number(20, INT)]
    : [
        text(1, name),
        joined([varint((2 << 3) | 5), new Uint8Array(Float32Array.of(value.float).buffer)]),
        number(20, FLOAT),
      ]
}

function valueInfo(name: string, type: DataType, shape: Shape): Field[] {
  const sizes = shape.map((size) => message(1, [typeof size === 'number' ? number(1, size) : text(2, size)]))
  return [text(1, name), message(2, [message(1, [number(1, TYPES[type]), message(2, sizes)])])]
}

/** Protobuf: a tag, which is the field's number and how its value is written, then the value. */
function number(field: number, value: number): Field {
  return joined([varint(field << 3), varint(value)])
}

function text(field: number, value: string): Field {
  return bytesField(field, new TextEncoder().encode(value))
}

function message(field: number, fields: readonly Field[]): Field {
  return bytesField(field, joined(fields))
}

function bytesField(field: number, value: Uint8Array): Field {
  return joined([varint((field << 3) | 2), varint(value.length), value])
}

/** Seven bits a byte, the low ones first; a negative number has all 64 bits. */
function varint(value: number): Uint8Array {
  const bytes: number[] = []
  let left = BigInt.asUintN(64, BigInt(value))
  for (; left >= 128n; left >>= 7n) bytes.push(Number(left & 127n) | 128)
  return Uint8Array.of(...bytes, Number(left))
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}
