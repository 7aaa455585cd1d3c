/**
 * The native engine on Node: its addon from native/, built on this machine or delivered for machines like it. An addon of
 * other sources than this program's is refused: it may compute or ask for something else.
 * @module
 */
import { existsSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { messageOf } from '../base/error.ts'
import { ENGINE_LIMITS } from '../base/limits.ts'
import { type Engine, EngineError } from '../ml/engine/engine.ts'
import { bestInstructions, createNativeEngine } from '../ml/engine/native.ts'
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
export function createNodeNativeEngine(options: NodeNativeOptions): Engine {
  const { threads = availableParallelism(), bytesPerThread } = options
  const instructions = options.instructions ?? (process.env['DLLM_NATIVE_ISA'] || undefined)
  const bounded = Math.min(Math.max(threads, 1), ENGINE_LIMITS.wasmThreadsMax)
  return createNativeEngine({ binding: loadNativeBinding(), instructions, threads: bounded, bytesPerThread })
}

/** The instructions that an engine would use here: those of DLLM_NATIVE_ISA, else the best. Throws as the engine. */
export function nativeInstructions(): string {
  return process.env['DLLM_NATIVE_ISA'] || bestInstructions(loadNativeBinding())
}

const FAILURE_CHARACTERS_MAX = 500

let loaded: NativeBinding | EngineError | undefined

/** The addon of this process; each thread has its own instance. Throws ENGINE_UNAVAILABLE with the reason. */
export function loadNativeBinding(): NativeBinding {
  loaded ??= findOrExplain()
  if (loaded instanceof EngineError) throw loaded
  return loaded
}

/** Files that cannot be read are a reason to go without, too. */
function findOrExplain(): NativeBinding | EngineError {
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
): NativeBinding | EngineError {
  const reasons: string[] = []
  for (const path of paths) {
    if (!existsSync(path)) continue
    try {
      const binding = load(path)
      if (binding.sources === sources) return binding
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
