/**
 * The Vulkan drivers without hardware that `.ci/run` installs, as far as they are on this machine (scripts/software-gpus.sh). The Vulkan loader reads
 * its environment whenever a library object is made, so that one test file can go from driver to driver.
 * @module
 */
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { test } from 'vitest'

export interface GpuDriver {
  readonly name: 'lavapipe' | 'swiftshader'
  /** Its description for the Vulkan loader. */
  readonly icd: string
}

const SWIFTSHADER = join(
  process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'),
  'dllm-drivers',
  'swiftshader',
  'vk_swiftshader_icd.json',
)

const CANDIDATES: readonly GpuDriver[] = [
  // Debian's older Mesa calls it lvp_icd.x86_64.json; it is one that Dawn refuses.
  { name: 'lavapipe', icd: process.env['DLLM_TEST_LAVAPIPE'] ?? '/usr/share/vulkan/icd.d/lvp_icd.json' },
  { name: 'swiftshader', icd: process.env['DLLM_TEST_SWIFTSHADER'] ?? SWIFTSHADER },
]

function hasPackage(): boolean {
  try {
    createRequire(import.meta.url).resolve('webgpu')
    return true
  } catch {
    return false
  }
}

export const HAS_WEBGPU: boolean = hasPackage()

/** Those that can be used here. */
export const GPU_DRIVERS: readonly GpuDriver[] = HAS_WEBGPU ? CANDIDATES.filter(({ icd }) => existsSync(icd)) : []

const FASTER = 'lavapipe'

/** Positions of a session that somebody asked for; with it every driver has the whole suite. */
export const ASKED_LENGTH: string | undefined = process.env['DLLM_TEST_GPU_LENGTH']

/** Whether this driver has the whole engine suite: all in CI, elsewhere the faster one. */
export function hasEngineSuite({ name }: GpuDriver): boolean {
  return name === FASTER || ASKED_LENGTH !== undefined || process.env['DLLM_TEST_GPU_DRIVERS'] === 'all'
}

/** What a process sees that is to see these drivers only; none: no GPU at all. */
export function driverEnvironment(drivers: readonly GpuDriver[]): Record<string, string> {
  const paths = drivers.map(({ icd }) => icd).join(':') || '/nowhere'
  return {
    ...{ VK_ICD_FILENAMES: paths, VK_DRIVER_FILES: paths, XDG_RUNTIME_DIR: process.env['XDG_RUNTIME_DIR'] ?? '/tmp' },
    // Lavapipe compiles twice as fast without the passes that make its code faster.
    GALLIVM_PERF: 'nopt',
  }
}

/** From here on this process sees these drivers only. */
export function useDrivers(...drivers: readonly GpuDriver[]): void {
  Object.assign(process.env, driverEnvironment(drivers))
}

/** Says in the report of the tests that there is nothing to run them on. */
export function noteMissingDrivers(): void {
  const missing = CANDIDATES.filter((one) => !GPU_DRIVERS.includes(one))
  const why = HAS_WEBGPU ? 'scripts/software-gpus.sh installs it' : 'the package "webgpu" is not installed'
  for (const { name } of missing) test.skip(`${name} is not on this machine: ${why}`, () => undefined)
}
