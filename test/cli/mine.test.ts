/** `dllm mine` as people and scripts run it: what it says, how it ends, and what it refuses. */
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { createDllm, type Started } from './dllm.ts'

const dllm = createDllm()
const HERE = ['--listen', '/ip4/127.0.0.1/tcp/0', '--threads', '1']
const running: Started[] = []
let taken: Server
let takenPort: number

/** A miner that is ended after its test. */
function mine(...args: string[]): Started {
  const started = dllm.start(['mine', ...HERE, ...args])
  running.push(started)
  return started
}

beforeAll(async () => {
  taken = createServer()
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
  const address = taken.address()
  takenPort = typeof address === 'object' && address !== null ? address.port : 0
})
afterEach(async () => {
  for (const { child } of running) child.kill('SIGKILL')
  await Promise.all(running.splice(0).map(({ ended }) => ended))
})
afterAll(async () => {
  taken.close()
  await dllm.cleanUp()
})

describe('a miner', () => {
  test('says what it serves and where, and ends with Ctrl-C', async () => {
    const miner = mine('--segments', '2-3')
    const said = await miner.printed(/Ctrl-C ends it\.\n/)
    expect(said).toMatch(/^Serving segments 2-3 of 6 of genesis \(q8, .*iB\) with (?:native|wasm) × 1\.\n/)
    expect(said).toMatch(/\nListening on \/ip4\/127\.0\.0\.1\/tcp\/\d+\/p2p\/12D3KooW\w+\n/)
    miner.child.kill('SIGINT')
    expect(await miner.ended).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/\nEnded after 0 steps, .*\.\n$/),
    })
  })

  test('prints NDJSON, keeps its identity, and ends with SIGTERM', async () => {
    const peers: string[] = []
    for (const segment of ['1', '6']) {
      const miner = mine('--json', '--segments', segment)
      await miner.printed(/\n/)
      miner.child.kill('SIGTERM')
      const { code, stdout, stderr } = await miner.ended
      const [serving, ended] = stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Record<string, unknown>)
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      const first = Number(segment) - 1
      expect(serving).toMatchObject({ type: 'serving', model: 'genesis', firstSegment: first, lastSegment: first + 1 })
      expect(ended).toEqual({ type: 'ended', steps: 0, computeMs: 0 })
      peers.push((serving!['addresses'] as string[])[0]!.split('/p2p/')[1]!)
    }
    expect(peers[0]).toBe(peers[1])
  })

  test('that does not hold the whole model serves what is needed most, and says why', async () => {
    const miner = mine('--memory-mib', '1025')
    const said = await miner.printed(/Ctrl-C ends it\.\n/)
    expect(said).toMatch(/^This machine should serve segment 2 of the 6 of genesis: .*\nNobody else serves it, /)
    expect(said).toMatch(/\nServing segment 2 of 6 of genesis /)
  })

  test('that is asked why says it, for people and for programs, and ends', async () => {
    const people = await dllm.run(['mine', '--why'])
    expect(people).toMatchObject({ code: 0, stderr: '' })
    expect(people.stdout).toMatch(
      /^This machine should serve all 6 segments of genesis: .*\n6 segments of it have .*\n$/,
    )
    const { code, stdout } = await dllm.run(['mine', '--why', '--memory-mib', '1026', '--json'])
    const { models } = JSON.parse(stdout) as { models: Record<string, unknown>[] }
    expect({ code, models }).toMatchObject({
      code: 0,
      models: [{ model: 'genesis', source: 'offers', verdict: 'join', chosen: { first: 1, end: 3 }, keptBy: [] }],
    })
    expect(models[0]!['segments']).toEqual(Array.from({ length: 6 }, () => ({ owners: 0, rowsPerSecond: 0 })))
  })

  test('has its name for itself, also after a miner of that name was killed', async () => {
    const first = mine()
    await first.printed(/Ctrl-C ends it/)
    const second = await mine().ended
    expect([second.code, second.stderr]).toEqual([1, expect.stringMatching(/another --name\. \(NODE_NAME_IN_USE\)\n$/)])
    first.child.kill('SIGKILL')
    await first.ended
    await mine().printed(/Ctrl-C ends it/)
  })
})

test('a miner of two models answers chats with both', async () => {
  // The data folder is made by a command.
  expect((await dllm.run(['network', 'list'])).code).toBe(0)
  const twin = join(dllm.home, 'models', 'twin')
  cpSync(join(import.meta.dirname, '../../models/genesis'), twin, { recursive: true })
  const manifest = readFileSync(join(twin, 'manifest.json'), 'utf8')
  writeFileSync(join(twin, 'manifest.json'), manifest.replace('"name": "genesis"', '"name": "twin"'))
  const networks = join(dllm.home, 'networks')
  mkdirSync(networks, { recursive: true })
  const put = (bootstrap: readonly string[]): void =>
    writeFileSync(join(networks, 'two.json'), JSON.stringify({ id: 'two', bootstrap }))
  put([])
  const both = mine('--network', 'two', '--model', 'genesis', '--model', 'twin:1-4')
  const said = await both.printed(/Ctrl-C ends it/)
  expect(said).toMatch(/^Serving segments 1-6 of 6 of genesis .*\nOne decode .*\nServing segments 1-4 of 6 of twin /)
  const rest = mine('--network', 'two', '--model', 'twin:5-6', '--name', 'rest')
  put([said, await rest.printed(/Ctrl-C ends it/)].map((text) => /\/ip4\/\S+/.exec(text)![0]))
  const ask = async (model: string): Promise<string> => {
    const choice = ['--network', 'two', '--model', model, '--temperature', '0', '--max-tokens', '12']
    const { code, stdout, stderr } = await dllm.run(['chat', 'Once upon a time', ...choice])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    return stdout
  }
  const answers = [await ask('genesis'), await ask('twin')]
  expect(answers[0]!.trim().length).toBeGreaterThan(10)
  // The same weights under another name: another model, and the same bits.
  expect(answers[1]).toBe(answers[0])
  both.child.kill('SIGINT')
  const { code, stdout } = await both.ended
  expect({ code, steps: Number(/Ended after (\d+) steps/.exec(stdout)![1]) > 2 }).toEqual({ code: 0, steps: true })
})

describe('refuses', () => {
  test.each([
    ['a segment that the model does not have', ['--segments', '1-7'], 2, 'such as 1-6 (genesis has 6 segments)'],
    ['segment 0', ['--segments', '0'], 2, 'USAGE'],
    ['segments in the wrong order', ['--segments', '3-2'], 2, 'USAGE'],
    ['segments in words', ['--segments', 'all'], 2, 'USAGE'],
    ['one --segments for two models', ['--model', 'genesis', '--model', 'gpt', '--segments', '1'], 2, 'NAME:2-4'],
    ['a model twice', ['--model', 'genesis:1', '--model', 'genesis:3'], 2, 'names genesis twice'],
    ['a name with a separator', ['--name', '../x'], 2, 'USAGE'],
    ['an engine that is not there', ['--engine', 'abacus'], 2, 'USAGE'],
    ['a bootstrap address that is none', ['--bootstrap', 'example.org:4001'], 2, 'USAGE'],
    ['a deposit that is no amount', ['--wallet', 'local', '--deposit', 'all'], 2, 'AMOUNT_BAD'],
    ['a bid in parts of grains', ['--wallet', 'local', '--bid', '0.5'], 2, 'AMOUNT_BAD'],
    ['pay for nobody', ['--wallet', 'local', '--payout', 'ldllm1nobody'], 2, 'ADDRESS'],
    ['a wallet that is not there, before there is a chain', ['--wallet', 'nobody'], 1, 'WALLET_NOT_FOUND'],
    ['an unknown model', ['--model', 'gpt'], 1, 'MODEL_NOT_FOUND'],
    ['a network that is not there', ['--network', 'moon'], 2, 'NETWORK_UNKNOWN'],
  ])('%s', async (_case, args, code, text) => {
    const outcome = await dllm.runWarm(['mine', ...HERE, ...args])
    expect([outcome.code, outcome.stderr]).toEqual([code, expect.stringContaining(text)])
    expect(outcome.stdout + outcome.stderr).not.toContain('    at ')
  })

  test('an address that is none', async () => {
    const { code, stderr } = await dllm.run(['mine', '--listen', '127.0.0.1:4001'])
    expect([code, stderr]).toEqual([2, expect.stringContaining('must be a multiaddr such as /ip4/127.0.0.1/tcp/4001')])
  })

  test('a port in use', async () => {
    const { code, stderr } = await dllm.run(['mine', '--listen', `/ip4/127.0.0.1/tcp/${takenPort}`])
    expect([code, stderr]).toEqual([1, expect.stringMatching(`^Error: Port ${takenPort} is in use.*WIRE_PORT_IN_USE`)])
  })

  test('an address of another machine', async () => {
    const { code, stderr } = await dllm.run(['mine', '--listen', '/ip4/192.0.2.1/tcp/0'])
    expect([code, stderr]).toEqual([1, expect.stringContaining('(WIRE_LISTEN_FAILED)')])
  })
})
