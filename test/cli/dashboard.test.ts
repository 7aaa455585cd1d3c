/** `dllm dashboard`: as text, as JSON, and in a real terminal (tmux). */
import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import type { DashboardView } from '../../src/app/dashboard/view.ts'
import { createLab, NETWORK, readyNode, startNode } from './chain-lab.ts'
import { createDllm, PROGRAM, plainEnvironment, type Started } from './dllm.ts'

const dllm = createDllm()
let node: Started

beforeAll(async () => {
  await createLab(dllm, 1)
  node = startNode(dllm, 'lab-1')
  const client = await readyNode(dllm, 'lab-1', node)
  client.close()
})

afterAll(async () => {
  node.child.kill('SIGTERM')
  await node.ended
  await dllm.cleanUp()
})

const WATCH = ['dashboard', '--network', NETWORK]

test('with nothing running it says how to start, with code 3', async () => {
  const { code, stdout, stderr } = await dllm.run(['dashboard'])
  expect({ code, stdout }).toEqual({ code: 3, stdout: '' })
  expect(stderr).toMatch(/^Error: Nothing of the local network runs\. `dllm devnet up` .*\(DASHBOARD_NOTHING_RUNS\)\n$/)
})

test.each([
  ['a model that is not there', ['--model', 'gpt'], 1, 'MODEL_NOT_FOUND'],
  ['a network that is not there', ['--network', 'moon'], 2, 'NETWORK_UNKNOWN'],
  ['a wallet that is not there', ['--network', NETWORK, '--wallet', 'nobody'], 1, 'WALLET_NOT_FOUND'],
  ['an argument', ['now'], 2, 'USAGE'],
])('refuses %s', async (_case, args, exitCode, code) => {
  const { code: found, stdout } = await dllm.runWarm(['dashboard', '--once', ...args, '--json'])
  expect([found, JSON.parse(stdout)]).toEqual([exitCode, { error: expect.objectContaining({ code }) }])
})

test.each([
  ['--once', ['--once']],
  ['no terminal', []],
])('with %s it prints one snapshot as text, without escape sequences', async (_how, more) => {
  const { code, stdout, stderr } = await dllm.run([...WATCH, ...more, '--wallet', 'default'])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout).toMatch(/^Chain\n {2}Block {7}\d+, /)
  expect(stdout).toMatch(
    /\n\nNetwork\n {2}Network {5}lab\n(?:.*\n)+\nWork\n(?:.*\n)+\nEarnings\n {2}Wallet {6}default\n/,
  )
  expect(stdout).not.toContain('\x1b')
  for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80)
})

test('--once --json prints one object', async () => {
  const view = await dllm.json<DashboardView>([...WATCH, '--once', '--wallet', 'default'])
  expect(view).toMatchObject({
    ...{ type: 'snapshot', network: NETWORK, model: 'genesis' },
    chain: {
      type: 'seen',
      source: 'node',
      price: expect.stringMatching(/^\d+$/),
      validators: 1,
      voting: 1,
      own: { name: 'lab-1' },
      node: { nodeName: 'lab-1' },
    },
    work: { miners: [], idle: { code: expect.any(String) } },
    earnings: { wallet: 'default', sinceStart: '0' },
  })
  expect(view.earnings.accounts.map(({ role }) => role)).toEqual(['owner', 'operator', 'payout'])
})

test('--json prints a line per second until Ctrl-C', async () => {
  const streaming = dllm.start([...WATCH, '--json'])
  await streaming.printed(/(?:.*"chain":\{"type":"seen".*\n){2}/)
  streaming.child.kill('SIGINT')
  const { code, stdout } = await streaming.ended
  const lines = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(code).toBe(130)
  expect(lines.at(-1)).toMatchObject({ error: { code: 'INTERRUPTED' } })
  for (const line of lines.slice(0, -1)) expect(line).toMatchObject({ type: 'snapshot' })
})

const hasTmux = spawnSync('tmux', ['-V'], { stdio: 'ignore' }).status === 0

/** A shell in a terminal of its own. */
describe.skipIf(!hasTmux)(`in a terminal${hasTmux ? '' : ' (skipped: tmux is not installed)'}`, () => {
  let sockets = 0
  const tmux = (...args: string[]): string =>
    execFileSync('tmux', ['-f', '/dev/null', '-L', `dllm-test-${process.pid}-${sockets}`, ...args], {
      encoding: 'utf8',
      env: plainEnvironment(),
    })
  const screen = (): string => tmux('capture-pane', '-p')
  const keys = (...typed: string[]): string => tmux('send-keys', ...typed)
  const shows = (pattern: RegExp): Promise<unknown> =>
    vi.waitFor(() => expect(screen()).toMatch(pattern), { timeout: 30_000, interval: 100 })
  const height = (): number => Number(/Block {7}(\d+),/.exec(screen())?.[1] ?? Number.NaN)
  const pidFile = join(dllm.home, '..', 'pid')
  const command = `sh -c 'echo $$ > ${pidFile}; exec ${[process.execPath, PROGRAM, ...WATCH, '--home', dllm.home].join(' ')}'`

  beforeEach(() => {
    // A server that ends holds its socket for a moment.
    sockets++
    tmux('new-session', '-d', '-x', '80', '-y', '24', 'sh')
    keys('PS1="$ "; clear; echo before', 'Enter')
  })

  afterEach(() => {
    tmux('kill-server')
  })

  const start = async (): Promise<void> => {
    await shows(/^before$/m)
    keys(`${command}; echo "ended with $?"; stty -a | grep -o "[-]*echo " | head -1`, 'Enter')
    await shows(/▸ Chain/)
    await shows(/Block {7}\d+,/)
  }

  /** The first screen, with what was on it, where keys are shown again. */
  const restored = async (code: number): Promise<void> => {
    await shows(new RegExp(`ended with ${code}`))
    expect(screen()).not.toMatch(/▸|╔/)
    expect(screen()).toMatch(/^before$/m)
    await shows(/^echo\s*$/m)
    expect(tmux('display-message', '-p', '#{alternate_on} #{cursor_flag}')).toBe('0 1\n')
  }

  test('heights rise, keys are not echoed, and q leaves the terminal as it was', async () => {
    await start()
    const first = height()
    expect(first).toBeGreaterThanOrEqual(0)
    keys('xyzzy', 'Tab')
    await shows(/▸ Network/)
    expect(screen()).not.toContain('xyzzy')
    await vi.waitFor(() => expect(height()).toBeGreaterThan(first), { timeout: 30_000, interval: 100 })
    expect(
      screen()
        .split('\n')
        .filter((line) => /[╔┌]/.test(line)),
    ).toHaveLength(2)
    keys('q')
    await restored(0)
  })

  test('it follows the size of the terminal', async () => {
    await start()
    tmux('resize-window', '-x', '60', '-y', '24')
    await shows(/needs 80 × 24; this terminal has 60 ×/)
    tmux('resize-window', '-x', '120', '-y', '40')
    await shows(/Reward pool/)
    tmux('resize-window', '-x', '80', '-y', '24')
    await shows(/more \(Enter\)/)
    keys('C-c')
    await restored(130)
  })

  test('SIGTERM leaves the terminal as it was', async () => {
    await start()
    process.kill(Number(readFileSync(pidFile, 'utf8')), 'SIGTERM')
    await restored(130)
  })
})
