/**
 * Kernels of the webgpu backend for products with q8 and q4 matrices, registered with TF.js: weights stay packed on the device,
 * a quarter or an eighth of f32. One workgroup computes one output of up to eight rows. Other backends have none: there the engine
 * dequantises at load. Spec: docs/spec/float.md §1.
 * @module
 */
import type { WeightFormat } from '../../config.ts'
import type { Tensor, Tensorflow } from './tensorflow.ts'

const WEBGPU = 'webgpu'
const NAMES = { q8: 'DllmQ8Product', q4: 'DllmQ4Product' } as const
/** Threads that share one output, and those of a narrow matrix: of 64 most would have nothing to read. */
const LANES = 64
const NARROW_LANES = 16
/** Rows that read a weight together. */
const TILE_ROWS = 8

/** What of TF.js's webgpu backend the kernels use: public members, but not part of the interface that all backends have. */
interface WebGpuBackend {
  runWebGPUProgram(
    program: Program,
    inputs: readonly TensorInfo[],
    dtype: 'float32',
    uniforms: readonly { type: 'int32'; data: number[] }[],
  ): Tensor
}

type TensorInfo = Pick<Tensor, 'dataId' | 'dtype' | 'shape'>

/** A "WebGPUProgram" of TF.js 4.22.0. */
interface Program {
  readonly outputShape: number[]
  readonly variableNames: string[]
  readonly variableComponents: number[]
  readonly outputComponent: number
  readonly workgroupSize: [number, number, number]
  readonly dispatchLayout: { x: number[]; y: number[]; z: number[] }
  readonly dispatch: [number, number, number]
  readonly uniforms: string
  shaderKey: string
  getUserCode(): string
}

/** Name of the kernel that multiplies with this format on the active backend; undefined: dequantise. */
export function packedKernelName(tf: Tensorflow, format: WeightFormat): string | undefined {
  if (format === 'f32') return undefined
  return tf.getKernel(NAMES[format], tf.getBackend()) === undefined ? undefined : NAMES[format]
}

/** Once for a library; later calls do nothing. */
export function registerPackedKernels(tf: Tensorflow): void {
  for (const format of ['q8', 'q4'] as const) {
    if (tf.getKernel(NAMES[format], WEBGPU) !== undefined) continue
    tf.registerKernel({
      kernelName: NAMES[format],
      backendName: WEBGPU,
      kernelFunc: ({ inputs, backend }) => {
        const { x, words, scales } = inputs as unknown as { x: Tensor; words: Tensor; scales: Tensor }
        const device = backend as WebGpuBackend
        const sizes = [x.shape[1]!, words.shape[1]!].map((size) => ({ type: 'int32' as const, data: [size] }))
        const given = [x, words, scales].map(flat)
        return device.runWebGPUProgram(program(format, x.shape[0]!, words.shape), given, 'float32', sizes)
      },
    })
  }
}

/** Its values in one dimension: TF.js compiles a program again where an input has the shape of the output and where it has not. */
function flat({ dataId, dtype, size }: Tensor): TensorInfo {
  return { dataId, dtype, shape: [size] }
}

/** The same code, and so one compilation, for all sizes of one format, tile and number of threads. */
function program(format: 'q8' | 'q4', rows: number, words: readonly number[]): Program {
  const [outputs, wordsPerRow] = words as [number, number]
  const lanes = wordsPerRow <= LANES ? NARROW_LANES : LANES
  // A dimension of the dispatch has 65,535 workgroups at the most. Two planes at the least: TF.js compiles again where there is only one line.
  const across = Math.min(Math.ceil(outputs / 2), 32_768)
  const tile = Math.min(rows, TILE_ROWS)
  return {
    outputShape: [rows, outputs],
    variableNames: ['x', 'words', 'scales'],
    variableComponents: [1, 1, 1],
    outputComponent: 1,
    workgroupSize: [lanes, 1, 1],
    dispatchLayout: { x: [1], y: [0], z: [] },
    dispatch: [across, Math.ceil(rows / tile), Math.max(2, Math.ceil(outputs / across))],
    uniforms: 'columns : i32, wordsPerRow : i32,',
    shaderKey: `dllm ${format} ${tile} ${lanes}`,
    getUserCode: () => source(format, tile, lanes),
  }
}

/**
 * `at`: an element of x, 0 past a row's last column, where the weights are padding but what lies behind need not be finite. Rows past the last
 * one read the last one and are not written.
 */
const READ = `
fn at(row : i32, k : i32) -> f32 {
  let inside = min(row, uniforms.outShape[0] - 1);
  return select(0.0, x[inside * uniforms.columns + min(k, uniforms.columns - 1)], k < uniforms.columns);
}`

/** `addWord`: what one word of an output's weights adds to each row. A word of q8 is four elements, one byte each. */
const Q8_WORD = `
fn addWord(first : i32, output : i32, w : i32) {
  let word = words[output * uniforms.wordsPerRow + w];
  for (var j = 0; j < 4; j++) {
    let weight = f32(extractBits(word, u32(8 * j), 8u));
    for (var r = 0; r < TILE; r++) { sums[r] += weight * at(first + r, 4 * w + j); }
  }
}
fn finish(output : i32, sum : f32) -> f32 { return sum * scales[output]; }`

/** Four words are a group of 32; byte j of the group holds element j and, in its high half, element j + 16. */
const Q4_WORD = `
fn addWord(first : i32, output : i32, w : i32) {
  let word = u32(words[output * uniforms.wordsPerRow + w]);
  let step = scales[output * (uniforms.wordsPerRow / 4) + w / 4];
  let k = 32 * (w / 4) + 4 * (w % 4);
  for (var j = 0; j < 4; j++) {
    let byte = extractBits(word, u32(8 * j), 8u);
    let low = step * (f32(byte & 15u) - 8.0);
    let high = step * (f32(byte >> 4u) - 8.0);
    for (var r = 0; r < TILE; r++) { sums[r] += low * at(first + r, k + j) + high * at(first + r, k + j + 16); }
  }
}
fn finish(output : i32, sum : f32) -> f32 { return sum; }`

function source(format: 'q8' | 'q4', tile: number, lanes: number): string {
  return `
const TILE : i32 = ${tile};
var<private> sums : array<f32, ${tile}>;
var<workgroup> lanes : array<f32, ${lanes * tile}>;
${READ}
${format === 'q8' ? Q8_WORD : Q4_WORD}
fn main() {
  let first = TILE * i32(workgroupId.y);
  let output = i32(workgroupId.x + numWorkgroups.x * workgroupId.z);
  let lane = i32(localIndex);
  let outputs = uniforms.outShape[1];
  if (output < outputs) {
    for (var w = lane; w < uniforms.wordsPerRow; w += ${lanes}) { addWord(first, output, w); }
  }
  for (var r = 0; r < TILE; r++) { lanes[r * ${lanes} + lane] = sums[r]; }
  for (var half = ${lanes / 2}; half > 0; half = half / 2) {
    workgroupBarrier();
    if (lane < half) {
      for (var r = 0; r < TILE; r++) { lanes[r * ${lanes} + lane] += lanes[r * ${lanes} + lane + half]; }
    }
  }
  if (lane == 0 && output < outputs) {
    for (var r = 0; r < TILE && first + r < uniforms.outShape[0]; r++) {
      result[(first + r) * outputs + output] = finish(output, lanes[r * ${lanes}]);
    }
  }
}`
}
