/**
 * Buffers of one stage on a device, so that closing it frees them all, and how a device says that it is full.
 * @module
 */
import { EngineError } from '../engine.ts'

/** GPUBufferUsage and GPUMapMode as WebGPU fixes them; the globals of these names exist in browsers only. */
export const USAGE = { MAP_READ: 1, COPY_SRC: 4, COPY_DST: 8, UNIFORM: 64, STORAGE: 128 } as const
export const MAP_READ = 1
/** A device may hold each write a second time until it has it, in one piece. */
const WRITE_BYTES_MAX = 2 ** 26

export interface DeviceMemory {
  readonly device: GPUDevice
  /** Zeros. Sizes are rounded up to 16 bytes, and are 16 at the least. */
  storage(bytes: number): GPUBuffer
  uniform(words: Uint32Array<ArrayBuffer>): GPUBuffer
  /** To be mapped for reading. */
  staging(bytes: number): GPUBuffer
  /** Storage with this content. */
  holding(data: ArrayBufferView<ArrayBufferLike>): GPUBuffer
  free(buffer: GPUBuffer): void
  freeAll(): void
}

export function createDeviceMemory(device: GPUDevice): DeviceMemory {
  const live = new Set<GPUBuffer>()

  const create = (bytes: number, usage: number): GPUBuffer => {
    const buffer = device.createBuffer({ size: Math.max(Math.ceil(bytes / 16) * 16, 16), usage })
    live.add(buffer)
    return buffer
  }
  const storage = (bytes: number) => create(bytes, USAGE.STORAGE | USAGE.COPY_SRC | USAGE.COPY_DST)

  return {
    device,
    storage,
    uniform(words) {
      const buffer = create(words.byteLength, USAGE.UNIFORM | USAGE.COPY_DST)
      device.queue.writeBuffer(buffer, 0, words)
      return buffer
    },
    staging: (bytes) => create(bytes, USAGE.MAP_READ | USAGE.COPY_DST),
    holding(data) {
      const buffer = storage(data.byteLength)
      writeBytes(device, { buffer, offset: 0 }, data)
      return buffer
    },
    free(buffer) {
      if (live.delete(buffer)) buffer.destroy()
    },
    freeAll() {
      for (const buffer of live) buffer.destroy()
      live.clear()
    },
  }
}

/** What `make` asks of the device at once, and what the device says of it later: that it is full, if it does not take it. */
export function asked<Value>(
  device: GPUDevice,
  make: () => Value,
): { value: Value; refusal: Promise<EngineError | undefined> } {
  // What writes to or binds a buffer that there was no room for is refused as well, and must not count as the loss of the device.
  device.pushErrorScope('validation')
  device.pushErrorScope('out-of-memory')
  const answer = async (): Promise<EngineError | undefined> => {
    const [full, other] = await Promise.all([device.popErrorScope(), device.popErrorScope()])
    const error = full ?? other
    return error === null ? undefined : outOfMemory(error)
  }
  let value: Value
  try {
    value = make()
  } catch (cause) {
    answer().catch(() => undefined)
    throw cause
  }
  const refusal = answer()
  refusal.catch(() => undefined)
  return { value, refusal }
}

function outOfMemory(cause: GPUError): EngineError {
  return new EngineError(
    'ENGINE_OUT_OF_MEMORY',
    'The memory of the GPU is full. Offer fewer layers or shorter sessions, or close other programs that use it.',
    {
      details: { reason: cause.message },
    },
  )
}

/** Writes at an offset that is a multiple of 4; a length that is none is filled up with zeros. */
export function writeBytes(
  device: GPUDevice,
  target: { buffer: GPUBuffer; offset: number },
  data: ArrayBufferView<ArrayBufferLike>,
): void {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  const whole = bytes.length - (bytes.length % 4)
  for (let at = 0; at < whole; at += WRITE_BYTES_MAX) {
    const piece = bytes.subarray(at, Math.min(at + WRITE_BYTES_MAX, whole)) as Uint8Array<ArrayBuffer>
    device.queue.writeBuffer(target.buffer, target.offset + at, piece)
  }
  if (whole === bytes.length) return
  const tail = new Uint8Array(4)
  tail.set(bytes.subarray(whole))
  device.queue.writeBuffer(target.buffer, target.offset + whole, tail)
}
