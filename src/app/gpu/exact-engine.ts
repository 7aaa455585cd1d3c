/**
 * The engine of the exact class on a GPU, in the fastest way in which this GPU's numbers are right.
 * Spec: docs/spec/gpu.md §4.
 * @module
 */
import { assert } from '../../base/assert.ts'
import type { WeightFormat } from '../../ml/config.ts'
import { type DeviceEngine, EngineError } from '../../ml/engine/engine.ts'
import { type SelfTestFailure, testNumbers } from '../../ml/engine/self-test.ts'
import { createWebgpuEngine } from '../../ml/engine/webgpu/webgpu.ts'
import type { FloatArithmetic } from '../../ml/engine/webgpu/wgsl-float.ts'
import { GpuError } from './gpu-error.ts'
import type { OpenGpu } from './open-device.ts'

export interface ExactEngine {
  readonly engine: DeviceEngine
  readonly arithmetic: FloatArithmetic
}

/** The fastest first. */
const ARITHMETICS: readonly FloatArithmetic[] = ['native', 'soft']

/** For weights of these formats. @throws GpuError GPU_NOT_EXACT; EngineError, where no way computes at all. */
export async function openExactEngine(
  { device, info }: Pick<OpenGpu, 'device' | 'info'>,
  formats: readonly WeightFormat[],
): Promise<ExactEngine> {
  let last: SelfTestFailure | EngineError | undefined
  for (const { arithmetic, hasSubgroups } of waysOn(device)) {
    const engine = createWebgpuEngine({ device, arithmetic, hasPackedDot: info.hasPackedDot, hasSubgroups })
    // What a driver does not compile or computes wrongly in one way, it may do well in another.
    const found = await testNumbers(engine, formats).catch(unavailable)
    if (found === undefined) return { engine, arithmetic }
    last = found
  }
  assert(last !== undefined, 'there is a way')
  if (last instanceof EngineError) throw last
  const { what, format, differing, count } = last
  throw new GpuError(
    'GPU_NOT_EXACT',
    `The driver of ${info.name} computes other numbers than this program's own engines do (${differing} of ${count} numbers of ${what} in ${format}), so its work would not stand an audit. Update the driver; \`dllm mine --gpu none\` computes on the processor.`,
    { details: { name: info.name, driver: info.driver } },
  )
}

/** All that the device can do, and the same without subgroups, for drivers that get those wrong. */
function waysOn({ features }: GPUDevice): { arithmetic: FloatArithmetic; hasSubgroups: boolean }[] {
  const forms = features.has('subgroups') ? [true, false] : [false]
  return ARITHMETICS.flatMap((arithmetic) => forms.map((hasSubgroups) => ({ arithmetic, hasSubgroups })))
}

function unavailable(error: unknown): EngineError {
  if (error instanceof EngineError && error.code === 'ENGINE_UNAVAILABLE') return error
  throw error
}
