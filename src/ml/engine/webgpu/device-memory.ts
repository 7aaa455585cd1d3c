/**
 * Buffers of one stage on a device, so that closing it frees them all.
 * @module
 */

/** GPUBufferUsage and GPUMapMode as WebGPU fixes them; the globals of these names exist in browsers only. */
export const USAGE = { MAP_READ: 1, COPY_SRC: 4, COPY_DST: 8, UNIFORM: 64, STORAGE: 128 } as const
export const MAP_READ = 1

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
      live.delete(buffer)
      buffer.destroy()
    },
    freeAll() {
      for (const buffer of live) buffer.destroy()
      live.clear()
    },
  }
}

/** Writes at an offset that is a multiple of 4; a length that is none is filled up with zeros. */
export function writeBytes(
  device: GPUDevice,
  target: { buffer: GPUBuffer; offset: number },
  data: ArrayBufferView<ArrayBufferLike>,
): void {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  const whole = bytes.length - (bytes.length % 4)
  if (whole > 0)
    device.queue.writeBuffer(target.buffer, target.offset, bytes.subarray(0, whole) as Uint8Array<ArrayBuffer>)
  if (whole === bytes.length) return
  const tail = new Uint8Array(4)
  tail.set(bytes.subarray(whole))
  device.queue.writeBuffer(target.buffer, target.offset + whole, tail)
}
