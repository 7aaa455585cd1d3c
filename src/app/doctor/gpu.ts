/**
 * Doctor's check of GPUs: which engine would be chosen on this machine, and why no better one. No GPU is nothing to repair.
 * Spec: docs/spec/gpu.md §3.
 * @module
 */
import { codeOf, messageOf } from '../../base/error.ts'
import type { Clock } from '../../base/ports.ts'
import { type ListedGpu, listGpus } from '../gpu/list-gpus.ts'
import { type Finding, ok, warn } from './finding.ts'

const ID = 'engine.gpu'
const WITHOUT = 'Engines in the order of choice: native, wasm, reference.'

export async function checkGpu(ports: { readonly clock: Clock }): Promise<Finding> {
  try {
    return gpuFinding(await listGpus({ tests: 'hardware' }, ports))
  } catch (error) {
    if (codeOf(error) !== 'GPU_NO_PACKAGE') return warn(ID, `GPUs cannot be looked at. ${WITHOUT}`, messageOf(error))
    return ok(ID, `GPUs are out of reach: the package "webgpu" is not installed. ${WITHOUT}`, { gpus: 0 })
  }
}

/** What was found, in one line. */
export function gpuFinding(gpus: readonly ListedGpu[]): Finding {
  const values = { gpus: gpus.length }
  const usable = gpus.find(({ refused, found }) => refused === undefined && found?.isSoftware === false)
  if (usable !== undefined) {
    const { index, name } = usable
    const summary = `GPU ${index}, ${name}, computes the same numbers as the processor. Engines in the order of choice: webgpu with \`dllm mine --gpu ${index}\`, native, wasm, reference.`
    return ok(ID, summary, { ...values, index, name })
  }
  const refused = gpus.find((gpu) => gpu.refused !== undefined)
  if (refused?.refused !== undefined) {
    return warn(ID, `The GPU ${refused.name} cannot be used. ${WITHOUT}`, refused.refused.message, values)
  }
  const [software] = gpus
  if (software === undefined) return ok(ID, `There is no GPU within reach. ${WITHOUT}`, values)
  return ok(ID, `There is no GPU; ${software.name} computes on the processor, and is not chosen. ${WITHOUT}`, values)
}
