/**
 * One pass: rows of one session through its part, from what is written to the device to what is read back.
 * @module
 */
import type { ModelConfig } from '../../config.ts'
import { createRopePages } from '../../rope.ts'
import type { LayerRange } from '../../tensors.ts'
import type { Cache } from '../cache-table.ts'
import { EngineError, type StepInput } from '../engine.ts'
import type { DeviceCache } from './device-caches.ts'
import { type DeviceMemory, MAP_READ } from './device-memory.ts'
import type { Program } from './program.ts'
import { type Call, replay } from './recorder.ts'
import type { Scratch } from './scratch.ts'

export interface PassInput {
  readonly step: StepInput
  readonly cache: Cache<DeviceCache>
  /** Rows [first, first + count) of the step. */
  readonly first: number
  readonly count: number
  /** Rows that come back, as hidden rows or as logits. */
  readonly wanted: 'all' | 'last' | 'none'
  /** Of rows of logits, only which is the largest. */
  readonly largestOnly: boolean
}

export interface PassResult {
  /** Bits of FLAG, of any row. */
  readonly failures: number
  readonly content: ArrayBuffer // (wanted rows, hidden or vocabulary) f32; of `largestOnly` (wanted rows) u32
}

export interface Passes {
  /** Hands a pass to the device. Rejects with ENGINE_UNAVAILABLE when that is gone. */
  start(pass: PassInput): Promise<PassResult>
  /** Once nothing is under way. */
  idle(): Promise<void>
}

export interface PassesOptions {
  readonly memory: DeviceMemory
  readonly config: ModelConfig
  readonly range: LayerRange
  readonly program: Program
}

/** Of a row: two words (STATUS). */
const STATUS_BYTES = 8
/** Layers that a device is handed at once for several rows: a driver takes one that is busy for seconds for one that hangs. */
const LAYERS_AT_ONCE = 4
/** Parts whose calls are kept in one list. */
const PARTS_KEPT = 64

export function createPasses({ memory, config, range, program }: PassesOptions): Passes {
  const { device } = memory
  const { scratch } = program
  const { hiddenSize, headSize } = config
  const rope = createRopePages(config)
  const staging = createStagingPool(memory)
  const running = new Set<Promise<unknown>>()
  const ropeRows = new Map<number, Float32Array<ArrayBuffer>>()

  const writeInputs = ({ step, cache, first, count, wanted }: PassInput): void => {
    const position = step.position + first
    const head = wanted === 'last' ? count - 1 : 0
    device.queue.writeBuffer(scratch.now, 0, Uint32Array.of(position, count, head, cache.capacity, 0))
    if (step.input.type === 'tokens') {
      device.queue.writeBuffer(scratch.tokens, 0, Uint32Array.from(step.input.tokens.subarray(first, first + count)))
    } else {
      const rows = step.input.values.slice(first * hiddenSize, (first + count) * hiddenSize)
      device.queue.writeBuffer(scratch.hidden, 0, rows)
    }
    const tables = ropeRows.get(count) ?? new Float32Array(count * headSize)
    ropeRows.set(count, tables)
    for (let row = 0; row < count; row++) {
      const { cos, sin } = rope(position + row)
      tables.set(cos, row * headSize)
      tables.set(sin, row * headSize + headSize / 2)
    }
    device.queue.writeBuffer(scratch.rope, 0, tables)
  }

  const calls = new Map<LayerRange, readonly (readonly Call[])[]>()
  const callsOf = (part: LayerRange): readonly (readonly Call[])[] => {
    const known = calls.get(part) ?? portionsOf(program, range, part)
    // Sessions of equal parts have the same object while one of them is open; others would pile up.
    if (calls.size > PARTS_KEPT) calls.clear()
    calls.set(part, known)
    return known
  }

  const submit = (pass: PassInput): { buffer: GPUBuffer; valueBytes: number } => {
    const { cache, count, wanted, largestOnly } = pass
    const { hasHead } = cache.part
    const rows = wanted === 'all' ? count : wanted === 'last' ? 1 : 0
    const { from, width } = resultOf(config, scratch, { hasHead, largestOnly })
    const valueBytes = rows * width * 4
    const buffer = staging.take(count * STATUS_BYTES + valueBytes)
    writeInputs(pass)
    let encoder = device.createCommandEncoder()
    encoder.clearBuffer(scratch.status)
    let compute = encoder.beginComputePass()
    const next = (): void => {
      if (count === 1) return
      compute.end()
      device.queue.submit([encoder.finish()])
      encoder = device.createCommandEncoder()
      compute = encoder.beginComputePass()
    }
    for (const [index, portion] of callsOf(cache.part).entries()) {
      if (index > 0) next()
      replay(compute, portion, { rows: count, caches: cache.memory.groups })
    }
    if (hasHead && rows > 0) {
      next()
      replay(compute, program.head, { rows, caches: [] })
      if (largestOnly) replay(compute, program.largest, { rows, caches: [] })
    }
    compute.end()
    encoder.copyBufferToBuffer(scratch.status, 0, buffer, 0, count * STATUS_BYTES)
    if (valueBytes > 0) encoder.copyBufferToBuffer(from, 0, buffer, count * STATUS_BYTES, valueBytes)
    device.queue.submit([encoder.finish()])
    return { buffer, valueBytes }
  }

  const start = async (pass: PassInput): Promise<PassResult> => {
    const { buffer, valueBytes } = submit(pass)
    try {
      await buffer.mapAsync(MAP_READ)
    } catch (cause) {
      throw new EngineError('ENGINE_UNAVAILABLE', 'The GPU stopped answering.', { cause })
    }
    const mapped = buffer.getMappedRange()
    const statusBytes = pass.count * STATUS_BYTES
    const status = new Uint32Array(mapped, 0, pass.count * 2)
    const failures = status.reduce((all, word, at) => (at % 2 === 0 ? all | word : all), 0)
    const content = mapped.slice(statusBytes, statusBytes + valueBytes)
    buffer.unmap()
    staging.giveBack(buffer)
    return { failures, content }
  }

  return {
    start(pass) {
      const result = start(pass)
      running.add(result)
      const settle = () => running.delete(result)
      result.then(settle, settle)
      return result
    },
    async idle() {
      await Promise.allSettled(running)
    },
  }
}

/** Where a pass leaves what is wanted of it, and words of a row there. */
function resultOf(
  { hiddenSize, vocabularySize }: ModelConfig,
  { hidden, logits, largest }: Scratch,
  { hasHead, largestOnly }: { hasHead: boolean; largestOnly: boolean },
): { from: GPUBuffer; width: number } {
  if (!hasHead) return { from: hidden, width: hiddenSize }
  return largestOnly ? { from: largest, width: 1 } : { from: logits, width: vocabularySize }
}

/** Calls of so many layers each, those of the embedding with the first. */
function portionsOf({ embedding, layers }: Program, range: LayerRange, part: LayerRange): (readonly Call[])[] {
  const own = layers.slice(part.firstLayer - range.firstLayer, part.lastLayer - range.firstLayer)
  const start = part.hasEmbedding ? embedding : []
  const portions = [[...start, ...own.slice(0, LAYERS_AT_ONCE).flat()]]
  for (let first = LAYERS_AT_ONCE; first < own.length; first += LAYERS_AT_ONCE) {
    portions.push(own.slice(first, first + LAYERS_AT_ONCE).flat())
  }
  return portions
}

/** Kept for the next pass; what only long prompts with all their logits need is not. */
const STAGING_BYTES_KEPT = 2 ** 23

/** Buffers that can be mapped, by size: powers of two. */
function createStagingPool(memory: DeviceMemory) {
  const free = new Map<number, GPUBuffer[]>()
  return {
    take(bytes: number): GPUBuffer {
      const size = 2 ** Math.ceil(Math.log2(Math.max(bytes, 256)))
      return free.get(size)?.pop() ?? memory.staging(size)
    },
    giveBack(buffer: GPUBuffer): void {
      if (buffer.size > STAGING_BYTES_KEPT) {
        memory.free(buffer)
        return
      }
      const list = free.get(buffer.size) ?? []
      free.set(buffer.size, list)
      list.push(buffer)
    },
  }
}
