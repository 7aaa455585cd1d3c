/**
 * The native engine on Node: its addon from native/, built on this machine or delivered for machines like it. An addon of
 * other sources than this program's is refused: it may compute or ask for something else.
 * @module
 */
import { existsSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { messageOf } from '../base/error.ts'
import { ENGINE_LIMITS } from '../base/limits.ts'
import { EngineError, type StageOptions } from '../ml/engine/engine.ts'
import {
  bestInstructions,
  createNativeEngine,
  NATIVE_BYTES_PER_THREAD,
  type NativeEngine,
} from '../ml/engine/native.ts'
import { type NativeStage, takeNativeStage } from '../ml/engine/native-stage.ts'
import type { NativeBinding } from '../ml/engine/native-types.ts'
import { hashNativeSources, NATIVE_BUILD, NATIVE_FAILURE, NATIVE_PREBUILD } from './native-files.ts'

export interface NodeNativeOptions {
  /** All that compute, clipped to what the engine takes; default one per core. */
  readonly threads?: number | undefined
  /** See NativeEngineOptions; tests pass 1, so that every thread takes part in the smallest step. */
  readonly bytesPerThread?: number | undefined
  /** Default: DLLM_NATIVE_ISA, else the best of this processor. */
  readonly instructions?: string | undefined
}

/** Throws ENGINE_UNAVAILABLE where there is no addon of these sources, or none that runs here. */
export function createNodeNativeEngine(options: NodeNativeOptions): NativeEngine {
  const { threads = availableParallelism(), bytesPerThread } = options
  const instructions = options.instructions ?? (process.env['DLLM_NATIVE_ISA'] || undefined)
  return createNativeEngine({
    binding: loadNativeBinding(),
    instructions,
    threads: boundedThreads(threads),
    bytesPerThread,
  })
}

function boundedThreads(threads: number): number {
  return Math.min(Math.max(threads, 1), ENGINE_LIMITS.wasmThreadsMax)
}

export interface GivenNodeStage extends Omit<StageOptions, 'weights'> {
  /** Those that it was loaded for. */
  readonly threads: number
  /** Of `giveStage`, of an engine in another thread of this process. */
  readonly given: number
}

/** A stage that another thread has loaded. Throws ENGINE_UNAVAILABLE. */
export function takeNodeNativeStage({ given, threads, ...stage }: GivenNodeStage): NativeStage {
  const binding = loadNativeBinding()
  const options = { ...stage, binding, threads: boundedThreads(threads), bytesPerThread: NATIVE_BYTES_PER_THREAD }
  return takeNativeStage(options, given)
}

/** The instructions that an engine would use here: those of DLLM_NATIVE_ISA, else the best. Throws as the engine. */
export function nativeInstructions(): string {
  return process.env['DLLM_NATIVE_ISA'] || bestInstructions(loadNativeBinding())
}

const FAILURE_CHARACTERS_MAX = 500

/** An addon of these sources. */
export interface FoundBinding {
  readonly binding: NativeBinding
  readonly path: string
}

let loaded: FoundBinding | EngineError | undefined

/** The addon of this process; each thread has its own instance. Throws ENGINE_UNAVAILABLE with the reason. */
export function loadNativeBinding(): NativeBinding {
  return found().binding
}

/** Whether it came with the program, and was not built on this machine. Throws ENGINE_UNAVAILABLE. */
export function isNativeDelivered(): boolean {
  return found().path === NATIVE_PREBUILD
}

function found(): FoundBinding {
  loaded ??= findOrExplain()
  if (loaded instanceof EngineError) throw loaded
  return loaded
}

/** Loads the addon, where there is one. */
export function hasNativeEngine(): boolean {
  try {
    return loadNativeBinding() !== undefined
  } catch {
    return false
  }
}

/** Files that cannot be read are a reason to go without, too. */
function findOrExplain(): FoundBinding | EngineError {
  try {
    return findBinding()
  } catch (error) {
    return unavailable(messageOf(error))
  }
}

/** The first addon at `paths` that loads and is of these sources, or why there is none. */
export function findBinding(
  paths: readonly string[] = [NATIVE_BUILD, NATIVE_PREBUILD],
  sources: string = hashNativeSources(),
): FoundBinding | EngineError {
  const reasons: string[] = []
  for (const path of paths) {
    if (!existsSync(path)) continue
    try {
      const binding = load(path)
      if (binding.sources === sources) return { binding, path }
      reasons.push('It was built from other sources.')
    } catch (error) {
      reasons.push(`It does not load: ${messageOf(error)}`)
    }
  }
  const why = [reasons[0], buildFailure()].filter((reason) => reason !== undefined)
  return unavailable(why.join(' ') || 'It was not built.')
}

function load(path: string): NativeBinding {
  const module = { exports: {} }
  process.dlopen(module, path)
  return module.exports as NativeBinding
}

/** Why the last build gave nothing: of the file its first line, bounded, since it is shown. */
function buildFailure(): string | undefined {
  if (!existsSync(NATIVE_FAILURE)) return undefined
  return readFileSync(NATIVE_FAILURE, 'utf8').split('\n', 1)[0]!.slice(0, FAILURE_CHARACTERS_MAX)
}

function unavailable(reason: string): EngineError {
  return new EngineError('ENGINE_UNAVAILABLE', `There is no native engine for this machine. ${reason}`)
}
