/** `dllm status` as people and scripts run it. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { createDllm } from './dllm.ts'

const dllm = createDllm()

afterAll(() => dllm.cleanUp())

test('with nothing running ends with code 3, says what to do, and starts nothing', async () => {
  const { code, stdout, stderr } = await dllm.run(['status'])
  expect({ code, stdout }).toEqual({ code: 3, stdout: '' })
  expect(stderr).toMatch(/`dllm chat` or `dllm devnet up` starts it\. \(DEVNET_NOT_RUNNING\)\n$/)
  expect((await dllm.run(['devnet', 'status'])).stdout).toMatch(/^No local network runs\./)
})

test.each([
  ['a model that is not there', ['--model', 'gpt'], 1, 'MODEL_NOT_FOUND'],
  ['a network that is not there', ['--network', 'moon'], 2, 'NETWORK_UNKNOWN'],
  ['an argument', ['now'], 2, 'USAGE'],
])('refuses %s', async (_case, args, exitCode, code) => {
  const { code: found, stdout } = await dllm.run(['status', ...args, '--json'])
  expect([found, JSON.parse(stdout)]).toEqual([exitCode, { error: expect.objectContaining({ code }) }])
})

test('shows the processes of the route, and the work of the latest session', async () => {
  const { miners } = await dllm.json<{ miners: { pid: number; peer: string }[] }>([
    'devnet',
    'up',
    '--miners',
    '2',
    '--threads',
    '1',
  ])
  const stage = (index: number, segments: string) => {
    const { pid, peer } = miners[index]!
    return { stage: index + 1, pid, peer, segments, sessions: 0 }
  }
  const idle = await dllm.json<{ stages: object[] }>(['status'])
  expect(idle).toMatchObject({ network: 'local', model: 'genesis', stages: [stage(0, '1-3'), stage(1, '4-6')] })
  await dllm.run(['chat', 'one two', '--max-tokens', '5'])
  const { stages } = await dllm.json<{ stages: { latest: Record<string, number> }[] }>(['status'])
  for (const { latest } of stages) {
    expect(latest['steps']).toBe(5)
    expect(latest['bytesSent']).toBeGreaterThan(0)
    expect(latest['bytesReceived']).toBeGreaterThan(0)
  }
  const { stdout } = await dllm.run(['status'])
  expect(stdout).toMatch(
    /^Network local, model genesis: a ring of 2, .*\n# +PEER +PID .*\n.*1-3.*\n.*4-6.*\nSteps, ms and bytes .*\n\nChain +block \d+, final .*\n/,
  )
  expect(stdout).toMatch(
    /\nValidators +1\nThis node +local-validator-1, 0 peers, votes for the validator\n +ldllm1\w+\n$/,
  )
  for (const { pid } of miners) expect(stdout).toContain(` ${pid} `)
})

test('shows the chain where no ring covers the model, and says why there is none', async () => {
  const { chain } = await dllm.json<{ chain: { head: { name: string }; node: { nodeName: string } } }>(['status'])
  expect(chain).toMatchObject({ head: { name: 'local', validators: 1 }, node: { nodeName: 'local-validator-1' } })
  const { miners } = JSON.parse(readFileSync(join(dllm.home, 'devnet/genesis.json'), 'utf8')) as Group
  process.kill(miners[0]!.pid, 'SIGKILL')
  const { code, stdout } = await dllm.run(['status'])
  expect(code).toBe(0)
  expect(stdout).toMatch(/local-genesis-1\s+ended\..*\n(?:.*\n)*\nChain +block /)
  for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80)
  expect(await dllm.json(['status'])).toMatchObject({ stages: [], noRing: { code: 'DEVNET_NOT_RUNNING' } })
})

interface Group {
  readonly miners: readonly { readonly pid: number }[]
}
