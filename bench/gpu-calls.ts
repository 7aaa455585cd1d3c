/**
 * What a token costs this process on a GPU before the GPU does anything: a model of 28 layers on Dawn's backend that computes nothing, CPU time of JavaScript and Dawn together ÷ 2 ms.
 * @module
 */
import { openGpuDevice } from '../src/app/gpu/open-device.ts'
import type { DeviceStage } from '../src/ml/engine/engine.ts'
import { createWebgpuEngine } from '../src/ml/engine/webgpu/webgpu.ts'
import { randomWeights, smallConfig, wholeRange } from '../test/contract/random-model.ts'
import type { Measure } from './bench.ts'
import { rowOf } from './report.ts'

const LAYERS = 28
const TOKENS = 200
const TARGET_MS = 2

export const gpuCalls: Measure = {
  name: 'gpu-calls',
  async run(bench, report) {
    const gpu = await openGpuDevice({ allowSoftware: true, backend: 'null' })
    const config = smallConfig({ layerCount: LAYERS })
    const weights = randomWeights({ config, format: 'q4', seed: 1 })
    const engine = createWebgpuEngine({ device: gpu.device, arithmetic: 'native' })
    const stage = await engine.createStage({ config, range: wholeRange(config), weights, cacheBytesMax: 1 << 24 })
    const values: number[] = []
    await cpuMsPerToken(stage)
    for (let run = 0; run < bench.runs; run++) {
      bench.signal.throwIfAborted()
      bench.progress(`GPU calls, run ${run + 1} of ${bench.runs}`)
      values.push(await cpuMsPerToken(stage))
    }
    await stage.close()
    await gpu.close()
    const measure = `calls of a token, ${LAYERS} layers of q4, no GPU`
    const ratios = values.map((ms) => ms / TARGET_MS)
    report(rowOf({ measure, ratios, target: { atMost: 1 }, values: { 'token CPU ms': values } }))
  },
}

async function cpuMsPerToken(stage: DeviceStage): Promise<number> {
  const cache = stage.openCache(8)
  const before = process.cpuUsage()
  // What comes back is whatever was in memory; the position 0 is there whether the step before failed or not.
  for (let token = 0; token < TOKENS; token++) {
    await stage.run([{ cache, position: 0, input: { type: 'tokens', tokens: Int32Array.of(1) }, logits: 'last' }])
  }
  const { user, system } = process.cpuUsage(before)
  stage.closeCache(cache)
  return (user + system) / 1_000 / TOKENS
}
