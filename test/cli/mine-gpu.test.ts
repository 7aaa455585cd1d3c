/** `dllm mine --gpu` as people and scripts run it, on drivers without hardware: what it lists, what it refuses, and that what it serves is exact. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { importModel } from '../../src/app/model-import.ts'
import { openModelStore } from '../../src/app/model-store.ts'
import { driverEnvironment, GPU_DRIVERS, type GpuDriver, HAS_WEBGPU, noteMissingDrivers } from '../gpu-drivers.ts'
import { greedyText } from '../model-versions.ts'
import { TINY_FAMILIES, tinyFamilyFiles } from '../unit/app/families.ts'
import { writeFolder } from '../unit/app/hugging-face-folder.ts'
import { createDllm, type Started } from './dllm.ts'

const dllm = createDllm()
const HERE = ['--listen', '/ip4/127.0.0.1/tcp/0', '--threads', '1']
const lavapipe = GPU_DRIVERS.filter(({ name }) => name === 'lavapipe')
const PROMPT = 'Once upon a time'
const TOKENS = 8
const running: Started[] = []
const before = { ...process.env }

/** What processes that begin from now on see. */
function see(drivers: readonly GpuDriver[]): void {
  Object.assign(process.env, driverEnvironment(drivers))
}

function mine(...args: string[]): Started {
  const started = dllm.start(['mine', ...HERE, ...args])
  running.push(started)
  return started
}

// The data folder is made by a command.
beforeAll(async () => void (await dllm.run(['network', 'list'])))
afterAll(async () => {
  for (const { child } of running) child.kill('SIGKILL')
  await Promise.all(running.map(({ ended }) => ended))
  await dllm.cleanUp()
  process.env = before
})

noteMissingDrivers()

describe.skipIf(!HAS_WEBGPU)('without a driver', () => {
  test('it says what to install, and lists nothing', async () => {
    see([])
    const [refused, listed] = await Promise.all([
      mine('--gpu', '0').ended,
      dllm.start(['mine', '--gpu', 'list', '--json']).ended,
    ])
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringMatching(/Vulkan driver.*\(GPU_NO_ADAPTER\)\n$/)])
    expect([listed.code, JSON.parse(listed.stdout)]).toEqual([0, { gpus: [] }])
  })
})

describe.skipIf(GPU_DRIVERS.length === 0)('with drivers that compute on the processor', () => {
  test('it lists them and says that they are not used, and why', async () => {
    see(GPU_DRIVERS)
    const { code, stdout, stderr } = await dllm.start(['mine', '--gpu', 'list']).ended
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/^GPU +NAME +DRIVER .*\n +0 +(llvmpipe|SwiftShader).*not tested\n/)
    expect(stdout).toMatch(/\n0: No GPU, but a driver that computes on the processor, .*--allow-software-gpu\.\n/)
  })

  test.each([
    ['such a driver', '0', 1, /no GPU but a driver.*--allow-software-gpu\. \(GPU_ONLY_SOFTWARE\)/],
    ['a GPU that is not there', '7', 2, /There is no GPU 7\..*--gpu list.*\(GPU_OUT_OF_RANGE\)/],
    ['a GPU by its name', 'nvidia', 2, /--gpu takes the number of a GPU.*\(USAGE\)/],
  ])('it refuses %s', async (_what, gpu, code, text) => {
    see(GPU_DRIVERS)
    const outcome = await mine('--gpu', gpu).ended
    expect([outcome.code, outcome.stderr]).toEqual([code, expect.stringMatching(text)])
    expect(outcome.stdout).toBe('')
  })
})

test.skipIf(lavapipe.length === 0)('a miner on a driver that was allowed answers a chat with exact text', async () => {
  see(lavapipe)
  const networks = join(dllm.home, 'networks')
  mkdirSync(networks, { recursive: true })
  const put = (bootstrap: readonly string[]): void =>
    writeFileSync(join(networks, 'gpu.json'), JSON.stringify({ id: 'gpu', bootstrap }))
  put([])
  const part = ['--network', 'gpu', '--model', 'genesis']
  const onGpu = mine(...part, '--segments', '3', '--gpu', '0', '--allow-software-gpu')
  const others = [
    mine(...part, '--segments', '1-2', '--name', 'first'),
    mine(...part, '--segments', '4-6', '--name', 'last'),
  ]
  const said = await onGpu.printed(/Ctrl-C ends it/)
  expect(said).toMatch(/^GPU 0 is llvmpipe .*\nServing segment 3 of 6 of genesis \(q8, .*\) with webgpu on llvmpipe /)
  const all = [said, ...(await Promise.all(others.map((miner) => miner.printed(/Ctrl-C ends it/))))]
  put(all.map((text) => /\/ip4\/\S+/.exec(text)![0]))
  const choice = ['--temperature', '0', '--max-tokens', String(TOKENS)]
  const { code, stdout, stderr } = await dllm.run(['chat', PROMPT, '--network', 'gpu', '--model', 'genesis', ...choice])
  const expected = await greedyText(openModelStore({ home: dllm.home }).find('genesis'), PROMPT, TOKENS)
  expect({ code, stderr, stdout: stdout.trim() }).toEqual({ code: 0, stderr: '', stdout: expected.trim() })
  onGpu.child.kill('SIGINT')
  const ended = await onGpu.ended
  expect({ code: ended.code, steps: Number(/Ended after (\d+) steps/.exec(ended.stdout)?.[1]) >= TOKENS }).toEqual({
    code: 0,
    steps: true,
  })
})

test.skipIf(lavapipe.length === 0)(
  'a model that GPUs do not compute is served by the processor, and that is said',
  async () => {
    see(lavapipe)
    const family = TINY_FAMILIES.find(({ name }) => name === 'gemma-2')!
    const folder = writeFolder(dllm.home, tinyFamilyFiles(family), 'source')
    await importModel({ folder, home: dllm.home, name: 'odd', format: 'q8' }, new AbortController().signal)
    const miner = mine('--network', 'local', '--model', 'odd', '--gpu', '0', '--allow-software-gpu')
    const said = await miner.printed(/Ctrl-C ends it/)
    expect(said).toMatch(
      /\nGPUs do not compute odd yet, a gemma2 model: the processor does\.\nServing segments 1-4 of 4 of odd .* with (?:native|wasm)/,
    )
  },
)
