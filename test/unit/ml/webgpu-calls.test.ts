/**
 * What the exact engine asks of a device, counted on Dawn's backend that computes nothing, whose results are whatever was in memory: calls per layer, submissions per step, buffers that stay. Counts, not times: those are in
 * bench/gpu-calls.ts. Spec: docs/spec/gpu.md §8.
 * @module
 */
import { afterEach, describe, expect, test } from 'vitest'
import { type OpenGpu, openGpuDevice } from '../../../src/app/gpu/open-device.ts'
import type { DeviceStage } from '../../../src/ml/engine/engine.ts'
import { createWebgpuEngine } from '../../../src/ml/engine/webgpu/webgpu.ts'
import { step, tokens, tokensOf } from '../../contract/engine-case.ts'
import { randomWeights, smallConfig, wholeRange } from '../../contract/random-model.ts'
import { HAS_WEBGPU } from '../../gpu-drivers.ts'

interface Counts {
  calls: number
  submissions: number
  buffers: number
  /** Copied to where this machine reads them. */
  bytesBack: number
}

/** Counts what goes through this device from now on. */
function counting(device: GPUDevice): Counts {
  const counts: Counts = { calls: 0, submissions: 0, buffers: 0, bytesBack: 0 }
  const createBuffer = device.createBuffer.bind(device)
  device.createBuffer = (descriptor) => {
    const buffer = createBuffer(descriptor)
    const destroy = buffer.destroy.bind(buffer)
    counts.buffers++
    buffer.destroy = () => {
      counts.buffers--
      destroy()
    }
    return buffer
  }
  const submit = device.queue.submit.bind(device.queue)
  device.queue.submit = (commands) => {
    counts.submissions++
    submit(commands)
  }
  const createCommandEncoder = device.createCommandEncoder.bind(device)
  device.createCommandEncoder = () => {
    const encoder = createCommandEncoder()
    const begin = encoder.beginComputePass.bind(encoder)
    const copy = encoder.copyBufferToBuffer.bind(encoder) as (...given: unknown[]) => void
    encoder.copyBufferToBuffer = (...given: unknown[]) => {
      counts.bytesBack += Number(given.at(-1))
      copy(...given)
    }
    encoder.beginComputePass = () => {
      const pass = begin()
      const dispatch = pass.dispatchWorkgroups.bind(pass)
      pass.dispatchWorkgroups = (...sizes) => {
        counts.calls++
        dispatch(...sizes)
      }
      return pass
    }
    return encoder
  }
  return counts
}

describe.skipIf(!HAS_WEBGPU)('what the webgpu engine asks of a device', () => {
  const open: OpenGpu[] = []
  afterEach(async () => {
    for (const gpu of open.splice(0)) await gpu.close()
  })
  const config = smallConfig({ layerCount: 6, slidingWindow: 30 })

  async function started(format: 'f32' | 'q8' | 'q4'): Promise<{ stage: DeviceStage; counts: Counts }> {
    const gpu = await openGpuDevice({ allowSoftware: true, backend: 'null' })
    open.push(gpu)
    const counts = counting(gpu.device)
    const weights = randomWeights({ config, format, seed: 1 })
    const engine = createWebgpuEngine({ device: gpu.device, arithmetic: 'native' })
    const options = { config, range: wholeRange(config), weights, cacheBytesMax: 2 ** 40 }
    return { stage: await engine.createStage(options), counts }
  }

  test.each([
    ['f32', 8],
    ['q8', 10],
    ['q4', 10],
  ] as const)(
    'a token of a model in %s is %d calls per layer, three more, and one submission',
    async (format, perLayer) => {
      const { stage, counts } = await started(format)
      const cache = stage.openCache(200)
      await stage.run([step(cache, 0, tokens(1), 'last')])
      const before = { ...counts }
      for (let round = 0; round < 8; round++) await stage.run([step(cache, 0, tokens(2), 'last')])
      // Embedding; norm and product of the head.
      expect(counts.calls - before.calls).toBe(8 * (perLayer * config.layerCount + 3))
      expect(counts.submissions - before.submissions).toBe(8)
      expect(counts.buffers).toBe(before.buffers)
    },
  )

  test('the largest logit is two calls more, and one word of a row instead of its logits comes back', async () => {
    const { stage, counts } = await started('q4')
    const ask = { ...step(stage.openCache(200), 0, tokens(1), 'last'), largestOnly: true }
    await stage.run([ask])
    const before = { ...counts }
    await stage.run([ask])
    expect(counts.calls - before.calls).toBe(10 * config.layerCount + 3 + 2)
    expect(counts.submissions - before.submissions).toBe(1)
    // The status of the row, and the id.
    expect(counts.bytesBack - before.bytesBack).toBe(8 + 4)
  })

  test('a prompt of 150 is as many calls three times, handed over four layers at a time and then the head, and a step without logits has no head', async () => {
    const { stage, counts } = await started('q4')
    const cache = stage.openCache(200)
    const input = { type: 'tokens', tokens: tokensOf(config, 150) } as const
    await stage.run([step(cache, 0, input, 'last')])
    expect(counts).toMatchObject({ submissions: 3 * 2 + 1, calls: 3 * 61 + 2 })
    await stage.run([step(cache, 0, tokens(1), 'none')])
    expect(counts).toMatchObject({ submissions: 3 * 2 + 2, calls: 3 * 61 + 2 + 61 })
  })

  test('rows of a pass are as many as 64 MiB of scores hold', async () => {
    const { stage, counts } = await started('q8')
    // 4 heads · 300,000 positions · 4 bytes: 13 rows.
    const cache = stage.openCache(300_000, { firstLayer: 0, lastLayer: 1, hasEmbedding: true, hasHead: false })
    await stage.run([step(cache, 0, { type: 'tokens', tokens: tokensOf(config, 40) })])
    expect(counts.submissions).toBe(Math.ceil(40 / 13))
  })

  test('caches and stages give back every buffer', async () => {
    const { stage, counts } = await started('q8')
    stage.closeCache(stage.openCache(100))
    const before = counts.buffers
    const caches = [stage.openCache(100), stage.openCache(50)]
    expect(counts.buffers).toBe(before + 2 * 2 * config.layerCount)
    for (const cache of caches) stage.closeCache(cache)
    expect(counts.buffers).toBe(before)
    await stage.close()
    expect(counts.buffers).toBe(0)
  })

  test('a session that the device has no room for is refused alone, and leaves nothing there', async () => {
    const { stage, counts } = await started('q8')
    const small = stage.openCache(16)
    await stage.run([step(small, 0, tokens(1), 'last')])
    const before = counts.buffers
    // This backend has 512 MiB.
    const large = stage.openCache(1_000_000)
    expect(await stage.run([step(large, 0, tokens(1))])).toMatchObject([
      { type: 'failed', error: { code: 'ENGINE_OUT_OF_MEMORY' } },
    ])
    // Scores came before what there was no room for, and stay for others.
    expect(counts.buffers).toBe(before + 1)
    stage.closeCache(large)
    expect(counts.buffers).toBe(before + 1)
    const later = stage.openCache(16)
    const outputs = await stage.run([step(small, 0, tokens(1), 'last'), step(later, 0, tokens(1), 'last')])
    for (const output of outputs) expect(output).not.toMatchObject({ error: { code: 'ENGINE_OUT_OF_MEMORY' } })
    expect(await Promise.race([stage.lost, 'not lost'])).toBe('not lost')
  })

  test('scores that the device has no room for are not those of later sessions', async () => {
    const { stage, counts } = await started('q8')
    const fillers = [240, 240].map((mib) => open[0]!.device.createBuffer({ size: mib * 2 ** 20, usage: 128 }))
    const before = counts.buffers
    const [large, meanwhile] = [stage.openCache(100_000), stage.openCache(16)]
    expect(await stage.run([step(large, 0, tokens(1)), step(meanwhile, 0, tokens(1))])).toMatchObject(
      [0, 1].map(() => ({ type: 'failed', error: { code: 'ENGINE_OUT_OF_MEMORY' } })),
    )
    for (const cache of [large, meanwhile]) stage.closeCache(cache)
    expect(counts.buffers).toBe(before)
    for (const filler of fillers) filler.destroy()
    const [output] = await stage.run([step(stage.openCache(100_000), 0, tokens(1))])
    expect(output).not.toMatchObject({ error: { code: 'ENGINE_OUT_OF_MEMORY' } })
    expect(await Promise.race([stage.lost, 'not lost'])).toBe('not lost')
  })

  test('a device that is gone is told of, and steps fail with what happened', async () => {
    const { stage } = await started('q8')
    const cache = stage.openCache(10)
    open[0]!.device.createShaderModule({ code: 'this is no shader' })
    expect(await stage.lost).toMatchObject({ code: 'ENGINE_UNAVAILABLE' })
    open[0]!.device.destroy()
    await expect(stage.run([step(cache, 0, tokens(1))])).rejects.toMatchObject({ code: 'ENGINE_UNAVAILABLE' })
  })
})
