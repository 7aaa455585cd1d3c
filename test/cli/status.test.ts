/** `dllm status` as people and scripts run it. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test, vi } from 'vitest'
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

test('counts the work of miners that only others tell of', async () => {
  const put = (bootstrap: readonly string[]) => {
    mkdirSync(join(dllm.home, 'networks'), { recursive: true })
    writeFileSync(join(dllm.home, 'networks/home.json'), JSON.stringify({ id: 'home', bootstrap }))
  }
  const mine = (segments: string) => {
    const place = ['--network', 'home', '--name', `part-${segments}`, '--listen', '/ip4/127.0.0.1/tcp/0']
    return dllm.start(['mine', '--segments', segments, '--threads', '1', ...place])
  }
  put([])
  const first = mine('1-3')
  put(/\/ip4\/127\S+/.exec(await first.printed(/Listening on \S+\n/))!)
  const second = mine('4-6')
  await second.printed(/Listening on \S+\n/)
  const chat = ['chat', 'one two', '--max-tokens', '5', '--network', 'home']
  await vi.waitUntil(async () => (await dllm.run(chat)).code === 0, { timeout: 30_000 })
  const { stdout } = await dllm.run(['status', '--network', 'home'])
  for (const miner of [first, second]) miner.child.kill('SIGTERM')
  await Promise.all([first.ended, second.ended])
  expect(stdout).toMatch(/\n1 .* 1-3 .* 5 .*\n2 .* 4-6 .* 5 .*\n/)
  expect(stdout.replace(/\s+/g, ' ')).toContain('Chain The network home has no chain')
  for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80)
})

interface Group {
  readonly miners: readonly { readonly pid: number }[]
}
