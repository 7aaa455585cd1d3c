import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, watch } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const program = fileURLToPath(new URL('../../bin/run.js', import.meta.url))
let root: string
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'dllm-cli-house-'))
})
afterAll(() => rmSync(root, { recursive: true, force: true }))

interface Run {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** `dllm …` in a home of this file. */
function dllm(...args: string[]): Promise<Run> {
  return runWith({}, args)
}

function runWith(more: Record<string, string>, args: readonly string[]): Promise<Run> {
  return new Promise((resolve) => {
    const env = { ...process.env, DLLM_HOME: join(root, 'home'), ...more }
    execFile(process.execPath, [program, ...args], { env }, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : error ? -1 : 0, stdout, stderr })
    })
  })
}

describe('every command', () => {
  test('prints results on stdout and an error as one sentence with its code on stderr', async () => {
    expect(await dllm('config', 'set', 'threads', '3')).toEqual({ code: 0, stdout: 'threads is 3.\n', stderr: '' })
    expect(await dllm('config', 'get', 'threads')).toEqual({ code: 0, stdout: '3\n', stderr: '' })
    const refused = await dllm('config', 'set', 'threads', 'x')
    expect(refused).toMatchObject({ code: 2, stdout: '' })
    expect(refused.stderr).toMatch(/^Error: The setting threads .*\. \(CONFIG_BAD_VALUE\)\n$/)
  })

  test('prints one JSON value under --json, also for errors', async () => {
    const { stdout } = await dllm('network', 'list', '--json')
    expect(JSON.parse(stdout)).toMatchObject({ selected: 'local', networks: [{ id: 'local' }] })
    const refused = await dllm('network', 'use', 'nowhere', '--json')
    expect(refused).toMatchObject({ code: 2, stderr: '' })
    expect(JSON.parse(refused.stdout)).toMatchObject({
      error: { code: 'NETWORK_UNKNOWN', details: { name: 'nowhere' } },
    })
  })

  test.each([
    ['an unknown flag', ['config', 'get', '--nope'], 2, 'USAGE'],
    ['a missing argument', ['network', 'use'], 2, 'USAGE'],
    ['an argument too many', ['config', 'path', 'x'], 2, 'USAGE'],
    ['an unknown command', ['nonsense'], 2, 'USAGE'],
    ['an unknown setting', ['config', 'get', 'nope'], 2, 'CONFIG_UNKNOWN_KEY'],
    ['a home that is a file', ['config', 'get', '--home', program], 1, 'HOME_NOT_A_FOLDER'],
  ])('refuses %s by code', async (_what, args, code, name) => {
    const plain = await dllm(...args)
    expect(plain).toMatchObject({ code, stdout: '' })
    expect(plain.stderr).toMatch(new RegExp(`^Error: .*\\(${name}\\)\n`))
    const json = await dllm(...args, '--json')
    expect({ code: json.code, stderr: json.stderr }).toEqual({ code, stderr: '' })
    expect(JSON.parse(json.stdout)).toMatchObject({ error: { code: name } })
  })

  test('ends with 130 at Ctrl-C and says so', async () => {
    // Doctor makes its home after it began to listen for Ctrl-C.
    const watcher = watch(root)
    const made = once(watcher, 'change')
    const child = spawn(process.execPath, [program, 'doctor', '--json', '--home', join(root, 'interrupted')])
    const ended = once(child, 'close')
    let stdout = ''
    child.stdout.on('data', (data) => {
      stdout += data
    })
    await made
    watcher.close()
    child.kill('SIGINT')
    const [code] = await ended
    expect(code).toBe(130)
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'INTERRUPTED' } })
  })
})

test('asking a node loads no web client, which is a sixth of what a short command takes', async () => {
  const client = new URL('../../dist/app/control/control-client.js', import.meta.url)
  const script = `await import('${client}'); console.log(process.moduleLoadList.filter((name) => name.includes('undici')))`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script])
  child.stdout.setEncoding('utf8')
  expect((await child.stdout.toArray()).join('')).toBe('[]\n')
})

describe('dllm', () => {
  test.each([[[]], [['--help']], [['help']]])('shows the topics for %j', async (args) => {
    const { code, stdout } = await dllm(...args)
    expect(code).toBe(0)
    expect(stdout).toContain('$ dllm [COMMAND]')
    expect(stdout).toMatch(/wallet +Create and back up keys/)
    expect(stdout.split('\n').filter((line) => line.length > 80)).toEqual([])
  })

  test.each([
    ['devnet', 'There is no command "devnet stauts". See `dllm devnet --help`.', ['devnet', 'stauts']],
    ['the command', '`dllm chain head` does not take "5". See `dllm chain head --help`.', ['chain', 'head', '5']],
    ['everything', 'There is no command "chian head". See `dllm --help`.', ['chian', 'head']],
    ['everything', 'There is no command "chian". See `dllm --help`.', ['help', 'chian']],
  ])('refuses what it does not know and points to the help of %s', async (_what, message, args) => {
    expect(await dllm(...args)).toEqual({ code: 2, stdout: '', stderr: `Error: ${message} (USAGE)\n` })
  })

  test.each([
    ['an error', ['chain', 'head'], /with `npx dllm devnet up`/],
    ['the end of a wrong command line', ['network', 'use'], /\nSee `npx dllm network use --help`\.\n$/],
    ['an unknown command', ['chian'], /See `npx dllm --help`/],
    ['all commands', [], /\$ npx dllm \[COMMAND\]/],
    ['the help of a command', ['wallet', 'send', '--help'], /\$ npx dllm wallet send 12\.5/],
  ])('names commands as who came by npx types them, in %s', async (_where, args, pattern) => {
    const { stdout, stderr } = await runWith({ npm_lifecycle_event: 'npx', npm_lifecycle_script: "'dllm'" }, args)
    expect(stdout + stderr).toMatch(pattern)
    const other = await runWith({ npm_lifecycle_event: 'npx', npm_lifecycle_script: 'vitest run' }, args)
    expect(other.stdout + other.stderr).not.toContain('npx dllm')
  })

  test('shows help of a topic and of a command', async () => {
    expect((await dllm('config', '--help')).stdout).toContain('config set')
    const { stdout } = await dllm('config', 'set', '--help')
    expect(stdout).toContain('--default')
    expect(await dllm('help', 'config', 'set')).toEqual({ code: 0, stdout, stderr: '' })
  })

  test('tells its version', async () => {
    expect((await dllm('--version')).stdout).toMatch(/^dllm\/\d+\.\d+\.\d+ /)
  })

  test('takes the network from the flag', async () => {
    const { stdout } = await dllm('config', 'get', 'network', '--network', 'lab', '--json')
    expect(JSON.parse(stdout)).toEqual({ key: 'network', value: 'lab', source: 'flag' })
  })
})
