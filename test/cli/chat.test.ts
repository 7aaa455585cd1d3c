/** `dllm chat` as people and scripts run it, over real miner processes on this machine. */
import { spawn } from 'node:child_process'
import { mkdirSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { createDllm, type Outcome, PROGRAM, watch } from './dllm.ts'
import { atTerminal, hasTerminal, PROMPTED } from './terminal.ts'

const dllm = createDllm()
const PROMPT = 'Once upon a time'
const sampled = ['chat', PROMPT, '--seed', '7', '--max-tokens', '40']
const STARTED = 'Started the local network: 3 miner processes for genesis.'

interface Stage {
  readonly pid: number
  readonly segments: string
}

async function stages(): Promise<readonly Stage[]> {
  return (await dllm.json<{ stages: Stage[] }>(['status'])).stages
}

/** Every line of NDJSON. */
function lines(text: string): Record<string, unknown>[] {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
}

afterAll(() => dllm.cleanUp())

/** Set by the first test, which starts the network for those after it. */
let expected = ''

test('two chats at one moment in an empty folder start one network of three processes, and agree', async () => {
  const both = await Promise.all([dllm.run(sampled), dllm.run(sampled)])
  expect(both.map(({ code }) => code)).toEqual([0, 0])
  expect(both.filter(({ stderr }) => stderr.startsWith(STARTED))).toHaveLength(1)
  expect(both.filter(({ stderr }) => stderr === '')).toHaveLength(1)
  expected = both[0]!.stdout
  expect(expected.length).toBeGreaterThan(40)
  expect(both[1]!.stdout).toBe(expected)
  const route = await stages()
  expect(route.map(({ segments }) => segments)).toEqual(['1-2', '3-4', '5-6'])
  expect(new Set(route.map(({ pid }) => pid)).size).toBe(3)
  for (const { pid } of route) expect(process.kill(pid, 0)).toBe(true)
})

describe('with the network of the first chat', () => {
  test('a second one says nothing but the answer, without a line end', async () => {
    expect(await dllm.run(sampled)).toEqual({ code: 0, stdout: expected, stderr: '' })
    expect(expected).not.toMatch(/\n$/)
  })

  test('takes the prompt from stdin', async () => {
    expect(await dllm.run(['chat', '--seed', '7', '--max-tokens', '40'], `${PROMPT}\n`)).toMatchObject({
      code: 0,
      stdout: expected,
    })
  })

  test('prints a line of JSON per token, then the whole', async () => {
    const { code, stdout, stderr } = await dllm.runWarm([...sampled, '--json', '--digests'])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const [parts, others] = [lines(stdout), [] as Record<string, unknown>[]]
    const end = parts.pop()!
    // Whether its chain runs by now hangs on the machine.
    while (parts[0]!['type'] === 'lease') others.push(parts.shift()!)
    for (const other of others) expect(other).toMatchObject({ lease: expect.any(String), cap: expect.any(String) })
    expect(parts).toHaveLength(40)
    expect(parts.map(({ text }) => text).join('')).toBe(expected)
    for (const part of parts)
      expect(part).toMatchObject({ type: 'text', digest: expect.stringMatching(/^[0-9a-f]{64}$/) })
    expect(end).toMatchObject({ type: 'end', model: 'genesis', text: expected, reason: 'max-tokens', stages: 3 })
  })

  test('chooses the same tokens every time at temperature 0, whatever the seed, with drafts and without', async () => {
    const greedy = (...more: string[]) => dllm.runWarm(['chat', PROMPT, '-t', '0', '--max-tokens', '20', ...more])
    const [one, two] = await Promise.all([greedy('--seed', '1'), greedy('--seed', '2', '--drafts', 'off')])
    expect(one.stdout).toBe(two.stdout)
  })

  test('ends at a stop text and does not show it', async () => {
    const stop = expected.trim().split(' ')[3]!
    const { stdout } = await dllm.runWarm([...sampled, '--stop', 'never in it', '--stop', ` ${stop}`])
    expect(stdout).toBe(expected.slice(0, expected.indexOf(` ${stop}`)))
  })

  test('traces the route and the work of every stage beside the answer', async () => {
    const { stdout, stderr } = await dllm.runWarm([...sampled, '--trace'])
    expect(stdout).toBe(expected)
    expect(stderr).toMatch(
      /# +PEER +SEGMENTS[^\n]*\n1 .*\n2 .*\n3 .*\n40 tokens \(max-tokens\)(?:.|\n)*\nChain +block \d+, /,
    )
  })

  test('says why an answer ends with the context', async () => {
    const { code, stdout, stderr } = await dllm.run(['chat', '--max-tokens', '512', '--seed', '1'], 'ab '.repeat(220))
    expect([code, stderr]).toEqual([0, 'The answer ends here because the context of genesis, 512 tokens, is full.\n'])
    expect(stdout.length).toBeGreaterThan(0)
  })

  // A miner that is told to end goes on for half a second, in which a small model says all of this: the tail waits meanwhile.
  const long = ['chat', PROMPT, '--seed', '3', '--max-tokens', '480', '--drafts', 'off']
  let unbroken: Promise<Outcome> | undefined

  test.each(['SIGKILL', 'SIGTERM'] as const)(
    'gives the unbroken text when %s ends a miner in the middle',
    async (signal) => {
      unbroken ??= dllm.run(long)
      const whole = (await unbroken).stdout
      const [, victim, tail] = (await stages()).map(({ pid }) => pid)
      const chat = dllm.start(long)
      await chat.printed(/\w/)
      process.kill(tail!, 'SIGSTOP')
      process.kill(victim!, signal)
      await vi.waitFor(() => expect(() => process.kill(victim!, 0)).toThrow('ESRCH'), { timeout: 30_000 })
      process.kill(tail!, 'SIGCONT')
      const { code, stdout, stderr } = await chat.ended
      expect(stderr).toMatch(
        /Stage \d of the ring .* Looking for another ring\.\nStarted .* 1 miner process for genesis/,
      )
      expect({ code, stdout }).toEqual({ code: 0, stdout: whole })
    },
  )

  test('starts a miner again that ended since, and says so', async () => {
    process.kill((await stages())[0]!.pid, 'SIGKILL')
    const { code, stdout, stderr } = await dllm.run(sampled)
    expect({ code, stdout }).toEqual({ code: 0, stdout: expected })
    expect(stderr).toMatch(/^Started the local network: 1 miner process for genesis\./)
  })

  test('Ctrl-C ends it with 130', async () => {
    const chat = dllm.start(['chat', PROMPT, '--max-tokens', '400'])
    await chat.printed(/\w/)
    chat.child.kill('SIGINT')
    const { code, stderr } = await chat.ended
    expect([code, stderr]).toEqual([130, 'Error: Interrupted. (INTERRUPTED)\n'])
  })

  test.each(['text', 'JSON'])('ends quietly when the reader of its %s has left', async (form) => {
    const chat = dllm.start(['chat', PROMPT, '--max-tokens', '400', ...(form === 'JSON' ? ['--json'] : [])])
    await chat.printed(/\w/)
    chat.child.stdout!.destroy()
    const { code, stderr } = await chat.ended
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  })

  test('leaves neither prompts, answers nor keys in the logs', () => {
    const nodes = join(dllm.home, 'nodes')
    const names = readdirSync(nodes).filter((name) => name.endsWith('.key'))
    const keys = names.map((name) => readFileSync(join(nodes, name)))
    const forms = keys.flatMap((key) => [
      key.toString('hex'),
      key.toString('base64'),
      key.subarray(4, 36).toString('hex'),
    ])
    const secrets = [PROMPT, expected.slice(0, 20), ...forms]
    const folder = join(dllm.home, 'devnet/logs')
    for (const name of readdirSync(folder)) {
      const log = readFileSync(join(folder, name), 'utf8')
      if (name.startsWith('local-genesis')) expect(log).toMatch(/session\.opened/)
      for (const secret of secrets) expect(log).not.toContain(secret)
    }
  })
})

describe('refuses', () => {
  beforeAll(() => {
    mkdirSync(join(dllm.home, 'networks'), { recursive: true })
    writeFileSync(join(dllm.home, 'networks', 'bare.json'), JSON.stringify({ id: 'bare', bootstrap: [] }))
  })

  test.each([
    ['no prompt, and nothing on stdin', ['chat'], 2, 'USAGE'],
    ['--json without a prompt', ['chat', '--json'], 2, 'USAGE'],
    ['a flag that is not there', ['chat', 'x', '--tempo', '1'], 2, 'USAGE'],
    ['two prompts', ['chat', 'x', 'y'], 2, 'USAGE'],
    ['a temperature that is no number', ['chat', 'x', '--temperature', 'warm'], 2, 'USAGE'],
    ['a top-p out of its range', ['chat', 'x', '--top-p', '2'], 2, 'USAGE'],
    ['a seed of 65 bits', ['chat', 'x', '--seed', '18446744073709551616'], 2, 'USAGE'],
    ['no tokens', ['chat', 'x', '--max-tokens', '0'], 2, 'USAGE'],
    ['--system for a model without template', ['chat', 'x', '--system', 'Be brief.'], 2, 'USAGE'],
    ['an unknown model', ['chat', 'x', '--model', 'gpt'], 1, 'MODEL_NOT_FOUND'],
    ['a model of a bad name', ['chat', 'x', '--model', '../x'], 2, 'CONFIG_BAD_VALUE'],
    ['a network that is not there', ['chat', 'x', '--network', 'moon'], 2, 'NETWORK_UNKNOWN'],
    ['a cap that is no amount', ['chat', 'x', '--cap', 'much'], 2, 'AMOUNT_BAD'],
    ['a cap of less than a grain', ['chat', 'x', '--cap', '0.0000000001'], 2, 'AMOUNT_TOO_PRECISE'],
    ['--free beside a wallet', ['chat', 'x', '--free', '--wallet', 'mine'], 2, 'USAGE'],
    ['--free beside a cap', ['chat', 'x', '--free', '--cap', '1'], 2, 'USAGE'],
    ['an account below 0', ['chat', 'x', '--account', '-1'], 2, 'USAGE'],
    ['two passwords', ['chat', 'x', '--password-file', 'a', '--password-fd', '3'], 2, 'USAGE'],
    ['a wallet where nothing is to be paid', ['chat', 'x', '--network', 'bare', '--wallet', 'mine'], 2, 'USAGE'],
    ['a prompt longer than the context', ['chat', 'word '.repeat(600)], 1, 'RING_PROMPT_TOO_LONG'],
  ])('%s', async (_case, args, exitCode, code) => {
    const { code: found, stdout, stderr } = await dllm.runWarm(args)
    const text = args.includes('--json') ? stdout : stderr
    expect([found, text]).toEqual([exitCode, expect.stringContaining(code)])
    expect(stdout + stderr).not.toContain('    at ')
  })

  test('a prompt on stdin that is longer than any context', async () => {
    const { code, stderr } = await dllm.run(['chat'], 'x'.repeat(1_000_001))
    expect([code, stderr]).toEqual([2, expect.stringContaining('longer than 1000000 characters')])
  })

  test('a stdin that cannot be read', async () => {
    const folder = openSync(dllm.home, 'r')
    const child = spawn(process.execPath, [PROGRAM, 'chat', '--home', dllm.home], { stdio: [folder, 'pipe', 'pipe'] })
    const { code, stderr } = await watch(child).ended
    expect([code, stderr]).toEqual([2, expect.stringContaining('(USAGE)')])
  })

  test.each([
    ['another version', { version: '99\n' }, 'HOME_OTHER_VERSION'],
    ['other files', { 'letter.txt': 'Dear reader' }, 'HOME_NOT_OURS'],
  ])('a data folder of %s', async (_case, files, code) => {
    const folder = join(dllm.home, `../${code}`)
    mkdirSync(folder)
    for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content)
    const { code: found, stderr } = await dllm.runWarm(['chat', 'x', '--home', folder])
    expect([found, stderr]).toEqual([1, expect.stringContaining(`(${code})`)])
    expect(readdirSync(folder)).toEqual(Object.keys(files))
  })

  test.skipIf(process.getuid?.() === 0)('a data folder that may not be written (skipped for root)', async () => {
    const folder = join(dllm.home, '../read-only')
    mkdirSync(folder, { mode: 0o500 })
    const { code, stderr } = await dllm.run(['chat', 'x', '--home', folder])
    expect([code, stderr]).toEqual([1, expect.stringContaining('(HOME_NOT_WRITABLE)')])
  })
})

/** util-linux's `script` gives the program a terminal. */
describe.skipIf(!hasTerminal)('at a terminal (skipped where util-linux is missing)', () => {
  const converse = () => atTerminal(['chat', '--home', dllm.home, '--seed', '3', '--max-tokens', '300'])
  const CTRL_C = '\u0003'
  const CTRL_D = '\u0004'

  test('keeps the conversation, obeys its commands, stops an answer at Ctrl-C, ends at Ctrl-D', async () => {
    const chat = converse()
    expect(await chat.see(PROMPTED)).toMatch(/Chatting with genesis on 3 miners; \/help lists the commands\./)
    chat.type('/help\r')
    expect(await chat.see(/stops an answer[\s\S]*> /)).toMatch(/\/new +forgets the conversation/)
    chat.type('/mail\r')
    await chat.see(/There is no command \/mail\.[\s\S]*stops an answer[\s\S]*> /)
    chat.type(`${PROMPT}\r`)
    const first = await chat.see(/\w+ \w+ \w+ \w+ \w+ \w+ \w+ \w+/)
    chat.type(CTRL_C)
    await chat.see(PROMPTED)
    chat.type('/new\r')
    await chat.see(/Forgotten\.[\s\S]*> /)
    chat.type(`thrown away${CTRL_C}${PROMPT}\r`)
    const again = await chat.see(/\w+ \w+ \w+ \w+ \w+ \w+ \w+ \w+[\s\S]*\n[\s\S]*> /)
    const shown = first.slice(first.lastIndexOf('\n') + 1, -2)
    expect(again).toContain(shown)
    chat.type(CTRL_D)
    expect((await chat.ended).code).toBe(0)
  })
})
