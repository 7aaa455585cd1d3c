/**
 * The built program as people and scripts run it: real processes in a data folder of their own, and a look afterwards
 * whether any of them is left.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export const PROGRAM = join(import.meta.dirname, '../../bin/run.js')

export interface Outcome {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface Started {
  readonly child: ChildProcess
  /** Resolves with everything printed so far once `pattern` is in what comes after the first `from` characters. */
  printed(pattern: RegExp, from?: number): Promise<string>
  readonly ended: Promise<Outcome>
}

export interface Dllm {
  /** Data folder; not there before the first command. */
  readonly home: string
  /** Runs to the end. `input` goes to stdin; without, stdin is /dev/null. */
  run(args: readonly string[], input?: string): Promise<Outcome>
  /** What `--json` printed last, of a command that must succeed. */
  json<Value>(args: readonly string[]): Promise<Value>
  start(args: readonly string[], input?: string): Started
  /** Stops the local network, removes the folder, and throws if a process of this folder is left. */
  cleanUp(): Promise<void>
}

export function createDllm(): Dllm {
  const root = mkdtempSync(join(tmpdir(), 'dllm-cli-'))
  const home = join(root, 'home')
  const start = (args: readonly string[], input?: string): Started => {
    const stdin = input === undefined ? 'ignore' : 'pipe'
    const place = args.includes('--home') ? [] : ['--home', home]
    const child = spawn(process.execPath, [PROGRAM, ...args, ...place], {
      env: plainEnvironment(),
      stdio: [stdin, 'pipe', 'pipe'],
    })
    child.stdin?.end(input)
    return watch(child)
  }
  const run = (args: readonly string[], input?: string) => start(args, input).ended
  return {
    home,
    start,
    run,
    async json<Value>(args: readonly string[]) {
      const { code, stdout, stderr } = await run([...args, '--json'])
      if (code !== 0) throw new Error(`dllm ${args.join(' ')} ended with ${code}: ${stdout}${stderr}`)
      return JSON.parse(stdout) as Value
    },
    async cleanUp() {
      await run(['devnet', 'down'])
      const left = processesOf(home)
      for (const pid of left) process.kill(pid, 'SIGKILL')
      rmSync(root, { recursive: true, force: true })
      if (left.length > 0) throw new Error(`processes ${left.join(', ')} of ${home} were left`)
    },
  }
}

/** Settings of whoever runs the tests must not reach the program. */
export function plainEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('DLLM_')))
}

/** Collects what a process prints. */
export function watch(child: ChildProcess): Started {
  let stdout = ''
  let stderr = ''
  const waiting = new Set<() => void>()
  const look = () => {
    for (const check of waiting) check()
  }
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
    look()
  })
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
    look()
  })
  const ended = new Promise<Outcome>((resolve) => child.on('close', (code) => resolve({ code, stdout, stderr })))
  return {
    child,
    ended,
    printed: (pattern, from = 0) =>
      new Promise((resolve, reject) => {
        const check = () => {
          if (!pattern.test((stdout + stderr).slice(from))) return
          waiting.delete(check)
          resolve(stdout + stderr)
        }
        waiting.add(check)
        check()
        void ended.then(() => reject(new Error(`ended without ${pattern}: ${stdout}${stderr}`)))
      }),
  }
}

/** Pids of running processes that have `text` in their command line. */
export function processesOf(text: string): number[] {
  const commands = process.platform === 'linux' ? commandsFromProc() : commandsFromPs()
  return commands.filter(({ pid, command }) => pid !== process.pid && command.includes(text)).map(({ pid }) => pid)
}

interface Command {
  readonly pid: number
  readonly command: string
}

function commandsFromProc(): Command[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return pids.flatMap((pid) => {
    try {
      return [{ pid: Number(pid), command: readFileSync(`/proc/${pid}/cmdline`, 'utf8') }]
    } catch {
      return [] // ended since
    }
  })
}

function commandsFromPs(): Command[] {
  const { stdout } = spawnSync('ps', ['-A', '-o', 'pid=,command='], { encoding: 'utf8' })
  return stdout.split('\n').map((line) => {
    const [, pid, command = ''] = /^\s*(\d+)\s+(.*)$/.exec(line) ?? []
    return { pid: Number(pid), command }
  })
}
