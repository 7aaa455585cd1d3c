/** The local network as real processes: any split gives the same text, what is killed comes back, nothing is left. */
import { existsSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { createDllm, processesOf } from './dllm.ts'

const STORIES = join(import.meta.dirname, '../../../shared/models/stories260k')
const hasStories = existsSync(join(STORIES, 'expected.txt'))
const dllm = createDllm()

interface Miner {
  readonly name: string
  readonly pid: number
}

interface Group {
  readonly model: string
  readonly started: number
  readonly miners: readonly Miner[]
  readonly running: readonly boolean[]
}

function up(...args: string[]): Promise<Group> {
  return dllm.json<Group>(['devnet', 'up', '--threads', '1', ...args])
}

async function groups(): Promise<readonly Group[]> {
  return (await dllm.json<{ groups: Group[] }>(['devnet', 'status'])).groups
}

const pids = ({ miners }: Group): number[] => miners.map(({ pid }) => pid)

afterAll(() => dllm.cleanUp())

describe.skipIf(!hasStories)('stories260k (skipped where ../shared is missing)', () => {
  beforeAll(async () => {
    expect(await dllm.run(['model', 'import', STORIES, '--format', 'f32'])).toMatchObject({ code: 0 })
  })

  // The last ones run beside what comes after.
  test.each([5, 3, 2, 1])('over %i miners prints exactly the expected text', async (miners) => {
    const { started } = await up('--model', 'stories260k', '--miners', String(miners))
    expect(started).toBe(miners)
    const args = ['chat', '--model', 'stories260k', '--temperature', '0', '--max-tokens', '200', '']
    const { code, stdout, stderr } = await dllm.runWarm(args)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toBe(readFileSync(join(STORIES, 'expected.txt'), 'utf8'))
  })
})

describe('genesis', () => {
  const chat = ['chat', 'Once upon a time', '--seed', '11', '--max-tokens', '40']
  let text: string | undefined

  test.each([3, 2])('draws the same text from the same seed over %i miners', async (miners) => {
    await up('--miners', String(miners))
    const { code, stdout } = await dllm.run(chat)
    expect(code).toBe(0)
    text ??= stdout
    expect(stdout).toBe(text)
    expect(stdout.length).toBeGreaterThan(40)
  })

  test('is left as it is by the same wish, and by one that cannot be', async () => {
    const before = (await up('--miners', '2')).miners
    for (const miners of ['7', '0', 'x']) {
      const { code, stderr } = await dllm.runWarm(['devnet', 'up', '--miners', miners])
      expect([code, stderr]).toEqual([2, expect.stringMatching(/^Error: .*\((USAGE|DEVNET_TOO_MANY_MINERS)\)\n/)])
    }
    const again = await dllm.runWarm(['devnet', 'up'])
    expect(again.stdout).toMatch(/^The local network runs already\.\nMINER/)
    expect((await groups()).find(({ model }) => model === 'genesis')).toMatchObject({ miners: before })
  })

  test('gets back the miner that was killed, and only that one', async () => {
    const before = await up('--miners', '2')
    process.kill(before.miners[1]!.pid, 'SIGKILL')
    const status = await dllm.run(['devnet', 'status'])
    expect(status.stdout).toMatch(/local-genesis-1 .*running/)
    expect(status.stdout).toMatch(/local-genesis-2 .*gone/)
    expect((await dllm.run(['status'])).stdout).toMatch(/local-genesis-2\s+ended/)
    const after = await up()
    expect(after.started).toBe(1)
    expect(pids(after)[0]).toBe(pids(before)[0])
    expect((await dllm.run(chat)).stdout).toBe(text)
  })

  test('ends with `devnet down`, which leaves no process', async () => {
    const running = (await groups()).flatMap(pids)
    const { validators } = await dllm.json<{ validators: { pid: number }[] }>(['devnet', 'status'])
    const all = [...running, ...validators.map(({ pid }) => pid)]
    expect(processesOf(dllm.home).sort()).toEqual(all.sort())
    const stopped = `Stopped ${running.length} miner processes and 1 validator process.\n`
    expect((await dllm.run(['devnet', 'down'])).stdout).toBe(stopped)
    expect(processesOf(dllm.home)).toEqual([])
    expect(await groups()).toEqual([])
    expect((await dllm.run(['devnet', 'down'])).stdout).toBe('No local network was running.\n')
  })
})

test('what a killed starter had begun is known, and ends', async () => {
  const starter = dllm.start(['devnet', 'up', '--threads', '1'])
  const file = join(dllm.home, 'devnet/genesis.json')
  await vi.waitUntil(() => existsSync(file), { timeout: 20_000, interval: 5 })
  const begun = pids(JSON.parse(readFileSync(file, 'utf8')) as Group)
  starter.child.kill('SIGKILL')
  await starter.ended
  expect(begun).toHaveLength(3)
  expect((await dllm.run(['devnet', 'down'])).code).toBe(0)
  expect(processesOf(dllm.home)).toEqual([])
})

/** The genesis file of a chain of which nothing runs. */
async function restingChain(): Promise<string> {
  const file = join(dllm.home, 'devnet/chain/genesis.json')
  if (!existsSync(file)) await up('--miners', '1')
  await dllm.run(['devnet', 'down'])
  return file
}

test('a chain that this program cannot read is told, and makes way for a new one', async () => {
  const file = await restingChain()
  writeFileSync(file, readFileSync(file, 'utf8').replace('"kind"', '"sort"'))
  const head = await dllm.run(['chain', 'head'])
  expect([head.code, head.stderr]).toEqual([1, expect.stringMatching(/another version.*`dllm devnet up`.*\(GENESIS_/)])
  const again = await dllm.run(['devnet', 'up', '--miners', '1', '--threads', '1'])
  expect([again.code, again.stdout]).toEqual([0, expect.stringContaining('\nThis is a new chain.')])
  expect(await dllm.run(['chain', 'head'])).toMatchObject({ code: 0 })
  expect(await dllm.run(['devnet', 'down'])).toMatchObject({ code: 0 })
})

test('a chain with other parameters is of another version: `devnet up` begins a new one, with money for its miners', async () => {
  const file = await restingChain()
  writeFileSync(file, readFileSync(file, 'utf8').replace(/"disputeBlocks": "?\d+"?/, '"disputeBlocks": 31'))
  const again = await dllm.run(['devnet', 'up', '--miners', '1', '--threads', '1'])
  expect([again.code, again.stdout]).toEqual([0, expect.stringContaining('\nThis is a new chain.')])
  expect(again.stdout).toMatch(/local-genesis-1 +\d+ +100 [\s\S]*`dllm earnings` shows what came\.\n$/)
  const account = ['--role', 'operator', '--account', '131']
  expect(await dllm.json(['wallet', 'balance', 'local', ...account])).toMatchObject({ balance: '100000000000' })
  const { models } = await dllm.json<{ models: object[] }>(['chain', 'models'])
  expect(models).toMatchObject([{ name: 'genesis', price: '500' }])
  expect(await dllm.run(['devnet', 'down'])).toMatchObject({ code: 0 })
})

test('a model that is not there starts nothing', async () => {
  const { code, stderr } = await dllm.run(['devnet', 'up', '--model', 'nothing'])
  expect([code, stderr]).toEqual([1, expect.stringContaining('(MODEL_NOT_FOUND)')])
  expect(processesOf(dllm.home)).toEqual([])
})

test.skipIf(!hasStories)('a damaged shard is told in the words of the miner that read it', async () => {
  const { segments } = await dllm.json<{ segments: { shard: { root: string } }[] }>(['model', 'show', 'stories260k'])
  truncateSync(join(dllm.home, 'shards', segments[1]!.shard.root), 1_000)
  const { code, stderr } = await dllm.run(['chat', '--model', 'stories260k', ''])
  expect(code).toBe(1)
  expect(stderr).toMatch(/MODEL_BAD_SHARD.* log is .*local-stories260k-1\.log\. \(DEVNET_MINER_FAILED\)\n$/)
  expect(processesOf(dllm.home)).toEqual([])
})
