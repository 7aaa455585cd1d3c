/**
 * Key/value caches on a device: two buffers per layer of a session's part, and the room for scores, which all sessions of a stage share.
 * @module
 */
import type { ModelConfig } from '../../config.ts'
import type { LayerRange } from '../../tensors.ts'
import { EngineError } from '../engine.ts'
import { asked, type DeviceMemory } from './device-memory.ts'

/** One session's cache. */
export interface DeviceCache {
  /** Group 1 by layer, counted from the stage's first; empty before the part's first. */
  readonly groups: readonly GPUBindGroup[]
  readonly buffers: readonly GPUBuffer[]
  /** Rows that a pass of this session may have. */
  readonly rowsMax: number
  /** Why the device has no room for it, once it has said so. */
  readonly refusal: Promise<EngineError | undefined>
}

export interface DeviceCaches {
  /** Throws ENGINE_OUT_OF_MEMORY for what no kernel could see at once; what the device has no room for shows in `refusal`. */
  open(capacity: number, part: LayerRange): DeviceCache
  /** The first rows of all layers, after what the device was handed before. */
  copy(from: DeviceCache, to: DeviceCache, rows: number): void
  close(cache: DeviceCache): void
}

export interface DeviceCachesOptions {
  readonly memory: DeviceMemory
  readonly config: ModelConfig
  readonly range: LayerRange
  readonly layout: GPUBindGroupLayout
  readonly bindingBytesMax: number
  readonly rowsMax: number
}

/** More than one row has at the most: bounds room that no session is charged for, and how long a device is busy with one call of attention. */
const SCORES_BYTES_MAX = 2 ** 26

export function createDeviceCaches(options: DeviceCachesOptions): DeviceCaches {
  const { memory, config, range, layout, bindingBytesMax, rowsMax } = options
  const { device } = memory
  const scoresBytesMax = Math.min(SCORES_BYTES_MAX, bindingBytesMax)
  const rowBytes = config.keyValueHeadCount * config.headSize * 4
  /** For sessions to come, and the last that the device has had room for. */
  let scores: GPUBuffer | undefined
  let goodScores: GPUBuffer | undefined

  const scoresFor = (capacity: number, rows: number): GPUBuffer => {
    const bytes = rows * config.headCount * capacity * 4
    if (scores !== undefined && scores.size >= bytes) return scores
    // Sessions that are open keep the smaller one; doubling bounds what that wastes.
    const size = Math.max(bytes, Math.min((scores?.size ?? 0) * 2, scoresBytesMax))
    const { value: made, refusal } = asked(device, () => memory.storage(size))
    scores = made
    const settle = (error: EngineError | undefined) => {
      if (error === undefined) {
        goodScores = made
        return
      }
      // Whoever got it meanwhile is refused as well: what binds it is.
      memory.free(made)
      if (scores === made) scores = goodScores
    }
    void refusal.then(settle).catch(() => undefined)
    return made
  }
  const close = (buffers: readonly GPUBuffer[]): void => {
    for (const buffer of buffers) memory.free(buffer)
  }

  return {
    open(capacity, part) {
      const scoreBytes = config.headCount * capacity * 4
      const rows = Math.max(Math.min(rowsMax, Math.floor(scoresBytesMax / scoreBytes)), 1)
      if (Math.max(capacity * rowBytes, scoreBytes) > bindingBytesMax) {
        throw new EngineError(
          'ENGINE_OUT_OF_MEMORY',
          'A session of this length does not fit what this GPU lets one program see at once.',
          {
            details: { capacity, bytes: capacity * rowBytes, bytesMax: bindingBytesMax },
          },
        )
      }
      const buffers: GPUBuffer[] = []
      const { value: groups, refusal } = asked(device, () => {
        const list: GPUBindGroup[] = []
        for (let layer = part.firstLayer; layer < part.lastLayer; layer++) {
          const [keys, values] = [memory.storage(capacity * rowBytes), memory.storage(capacity * rowBytes)]
          buffers.push(keys, values)
          const resources = [keys, values, scoresFor(capacity, rows)]
          const entries = resources.map((buffer, binding) => ({ binding, resource: { buffer } }))
          list[layer - range.firstLayer] = device.createBindGroup({ layout, entries })
        }
        return list
      })
      void refusal.then((error) => error !== undefined && close(buffers)).catch(() => undefined)
      return { groups, buffers, rowsMax: rows, refusal }
    },
    copy(from, to, rows) {
      if (rows === 0) return
      // Where the device had no room for `to`, its steps say so.
      asked(device, () => {
        const encoder = device.createCommandEncoder()
        for (const [index, buffer] of from.buffers.entries()) {
          encoder.copyBufferToBuffer(buffer, 0, to.buffers[index]!, 0, rows * rowBytes)
        }
        device.queue.submit([encoder.finish()])
      })
    },
    close: ({ buffers }) => close(buffers),
  }
}
