/**
 * The engine of the exact class on a GPU, in the fastest way in which this GPU's numbers are right.
 * Spec: docs/spec/gpu.md §4.
 * @module
 */
import type { WeightFormat } from '../../ml/config.ts'
import type { DeviceEngine } from '../../ml/engine/engine.ts'
import { testNumbers } from '../../ml/engine/self-test.ts'
import { createWebgpuEngine } from '../../ml/engine/webgpu/webgpu.ts'
import type { FloatArithmetic } from '../../ml/engine/webgpu/wgsl-float.ts'
import { GpuError } from './gpu-error.ts'
import type { OpenGpu } from './open-device.ts'

export interface ExactEngine {
  readonly engine: DeviceEngine
  readonly arithmetic: FloatArithmetic
}

/** The fastest first. */
const WAYS: readonly FloatArithmetic[] = ['native', 'soft']

/** For weights of these formats. @throws GpuError GPU_NOT_EXACT; EngineError. */
export async function openExactEngine(
  { device, info }: Pick<OpenGpu, 'device' | 'info'>,
  formats: readonly WeightFormat[],
): Promise<ExactEngine> {
  let last = ''
  for (const arithmetic of WAYS) {
    const engine = createWebgpuEngine({ device, arithmetic, hasPackedDot: info.hasPackedDot })
    const failure = await testNumbers(engine, formats)
    if (failure === undefined) return { engine, arithmetic }
    const { what, format, differing, count } = failure
    last = `${differing} of ${count} numbers of ${what} in ${format}`
  }
  throw new GpuError(
    'GPU_NOT_EXACT',
    `The driver of ${info.name} computes other numbers than this program's own engines do (${last}), so its work would not stand an audit. Update the driver; \`dllm mine --gpu none\` computes on the processor.`,
    { details: { name: info.name, driver: info.driver } },
  )
}
