/**
 * The engine of `dllm model probe`: one of the miners', or the float engine on a backend of TF.js. Loads what was asked for only.
 * Spec: docs/spec/float.md §3.
 * @module
 */
import type { DeviceEngine, Engine } from '../ml/engine/engine.ts'
import { createEngine, ENGINE_WISHES, type EngineWish } from './engines.ts'
import type { OpenGpu } from './gpu/open-device.ts'
import type { TfjsBackend } from './tfjs/backends.ts'

/** For flags, the default first. */
export const PROBE_ENGINES: readonly (EngineWish | 'tfjs')[] = [...ENGINE_WISHES, 'tfjs']

export interface ProbeEngineWish {
  readonly engine: EngineWish | 'tfjs'
  /** Of tfjs. */
  readonly backend: TfjsBackend
  /** Of native and wasm. */
  readonly threads?: number | undefined
}

/** @throws EngineError ENGINE_UNAVAILABLE, GpuError. */
export async function openProbeEngine(
  wish: ProbeEngineWish,
): Promise<{ engine: Engine | DeviceEngine; close: () => Promise<void> }> {
  if (wish.engine !== 'tfjs') {
    return { engine: await createEngine(wish.engine, { threads: wish.threads }), close: async () => undefined }
  }
  const [{ openTfjs }, { createTfjsEngine }] = await Promise.all([
    import('./tfjs/open-tfjs.ts'),
    import('../ml/engine/tfjs/tfjs.ts'),
  ])
  const gpu = wish.backend === 'webgpu' ? await openAnyGpu() : undefined
  const open = await openTfjs(wish.backend, gpu)
  return {
    engine: createTfjsEngine(open.tf, open),
    close: async () => {
      open.close()
      await gpu?.close()
    },
  }
}

async function openAnyGpu(): Promise<OpenGpu> {
  const { openGpuDevice } = await import('./gpu/open-device.ts')
  return openGpuDevice({ allowSoftware: true })
}
