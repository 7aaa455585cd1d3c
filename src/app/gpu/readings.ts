/**
 * Memory, load and temperature of graphics cards, where the system tells: nvidia-smi for cards of NVIDIA, files of the kernel for those of AMD.
 * WebGPU tells none of it. What cannot be read is left out, and is never an error.
 * Spec: docs/spec/gpu.md §3.
 * @module
 */
import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { GPU_LIMITS } from '../../base/limits.ts'

export interface GpuReading {
  readonly vendor: 'nvidia' | 'amd'
  /** As the driver calls the card; AMD's files do not say. */
  readonly name: string | undefined
  readonly memoryBytes: number | undefined
  readonly memoryUsedBytes: number | undefined
  /** Percent of the last moments in which it computed. */
  readonly load: number | undefined
  readonly celsius: number | undefined
}

const MIB = 1_048_576
const NVIDIA_FIELDS = 'name,memory.total,memory.used,utilization.gpu,temperature.gpu'
const DRM = '/sys/class/drm'

/** Cards in the order of their drivers. */
export async function gpuReadings(drm: string = DRM): Promise<GpuReading[]> {
  const [nvidia, amd] = await Promise.all([askNvidia(), amdReadings(drm)])
  return [...nvidiaReadings(nvidia), ...amd]
}

function askNvidia(): Promise<string> {
  const query = [`--query-gpu=${NVIDIA_FIELDS}`, '--format=csv,noheader,nounits']
  const bounds = { timeout: GPU_LIMITS.readingMs, maxBuffer: GPU_LIMITS.readingBytesMax }
  return new Promise((resolve) => {
    execFile('nvidia-smi', query, bounds, (error, output) => resolve(error ? '' : output))
  })
}

/** From lines of five fields with commas between them, MiB, percent and degrees; what is no number is unknown. */
export function nvidiaReadings(text: string): GpuReading[] {
  return text.split('\n').flatMap((line): GpuReading[] => {
    const fields = line.split(',').map((field) => field.trim())
    if (fields.length !== 5) return []
    const [name, total, used, load, celsius] = fields
    return [
      {
        ...{ vendor: 'nvidia', name },
        memoryBytes: scaled(total, MIB),
        memoryUsedBytes: scaled(used, MIB),
        load: scaled(load, 1),
        celsius: scaled(celsius, 1),
      },
    ]
  })
}

const AMD_VENDOR = '0x1002'

async function amdReadings(drm: string): Promise<GpuReading[]> {
  const names = await readdir(drm).catch(() => [])
  const cards = names.filter((name) => /^card\d+$/.test(name)).sort((a, b) => Number(a.slice(4)) - Number(b.slice(4)))
  const readings: GpuReading[] = []
  for (const card of cards.slice(0, GPU_LIMITS.cardsMax)) {
    const device = join(drm, card, 'device')
    if ((await textOf(join(device, 'vendor'))) !== AMD_VENDOR) continue
    const [sensor] = await readdir(join(device, 'hwmon')).catch(() => [])
    const milliCelsius = sensor === undefined ? undefined : await textOf(join(device, 'hwmon', sensor, 'temp1_input'))
    readings.push({
      ...{ vendor: 'amd', name: undefined },
      memoryBytes: scaled(await textOf(join(device, 'mem_info_vram_total')), 1),
      memoryUsedBytes: scaled(await textOf(join(device, 'mem_info_vram_used')), 1),
      load: scaled(await textOf(join(device, 'gpu_busy_percent')), 1),
      celsius: scaled(milliCelsius, 1 / 1_000),
    })
  }
  return readings
}

async function textOf(path: string): Promise<string | undefined> {
  try {
    return (await readFile(path, 'utf8')).trim()
  } catch {
    return undefined
  }
}

/** A whole number that somebody else wrote, times `unit`. */
function scaled(text: string | undefined, unit: number): number | undefined {
  if (text === undefined || !/^\d{1,15}$/.test(text)) return undefined
  return Number(text) * unit
}

/** Of the card with this name, or of the only one of its maker. */
export function readingOf(
  { name, vendor }: { readonly name: string; readonly vendor: string },
  readings: readonly GpuReading[],
): GpuReading | undefined {
  const same = readings.filter((reading) => reading.vendor === vendor)
  return same.find((reading) => reading.name === name) ?? (same.length === 1 ? same[0] : undefined)
}
