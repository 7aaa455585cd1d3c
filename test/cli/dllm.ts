/**
 * The built program as people and scripts run it: real processes in a data folder of their own, and a look afterwards
 * whether any of them is left.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
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
  /**
   * Runs to the end. `input` goes to stdin; without, stdin is /dev/null. The first run of each command is a process of its own; later ones, when
   * they have no input and the command is not one that lasts, are `runWarm`.
   */
  run(args: readonly string[], input?: string): Promise<Outcome>
  /** Runs to the end in a process that stays (warm-program.ts), one command at a time: a tenth of the work of a process of its own. */
  runWarm(args: readonly string[]): Promise<Outcome>
  /** What `--json` printed last, of a command that must succeed. */
  json<Value>(args: readonly string[]): Promise<Value>
  start(args: readonly string[], input?: string): Started
  /** Stops the local network, removes the folder, and throws if a process of this folder is left. */
  cleanUp(): Promise<void>
}

/** What the process that stays is asked, and what it answers. */
export interface WarmCommand {
  readonly id: number
  readonly args: readonly string[]
}
export interface WarmOutcome extends Outcome {
  readonly id: number
}

/** Commands that start processes, or run until they are ended. */
const LASTING = /^(?:chat|dashboard|devnet up|mine(?! (?:pause|resume|drain)$)|node)\b/

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
  let warm: Warm | undefined
  const runWarm = (args: readonly string[]) => {
    warm ??= createWarm()
    return warm.run(args.includes('--home') ? args : [...args, '--home', home])
  }
  const known = new Set<string>()
  const run = (args: readonly string[], input?: string) => {
    const command = args.slice(0, 2).join(' ')
    const isFirst = !known.has(command)
    known.add(command)
    return isFirst || input !== undefined || LASTING.test(command) ? start(args, input).ended : runWarm(args)
  }
  return {
    home,
    start,
    run,
    runWarm,
    async json<Value>(args: readonly string[]) {
      const { code, stdout, stderr } = await run([...args, '--json'])
      if (code !== 0) throw new Error(`dllm ${args.join(' ')} ended with ${code}: ${stdout}${stderr}`)
      return JSON.parse(stdout) as Value
    },
    async cleanUp() {
      if (existsSync(join(home, 'devnet'))) await run(['devnet', 'down'])
      await warm?.end()
      const left = processesOf(home)
      for (const pid of left) process.kill(pid, 'SIGKILL')
      rmSync(root, { recursive: true, force: true })
      if (left.length > 0) throw new Error(`processes ${left.join(', ')} of ${home} were left`)
    },
  }
}

const GONE = 'the process that stays has ended'

interface Warm {
  run(args: readonly string[]): Promise<Outcome>
  end(): Promise<void>
}

function createWarm(): Warm {
  const entry = join(import.meta.dirname, 'warm-program.ts')
  const child = spawn(process.execPath, [entry], {
    env: plainEnvironment(),
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const waiting = new Map<number, (outcome: Outcome) => void>()
  let count = 0
  child.on('message', ({ id, ...outcome }: WarmOutcome) => {
    waiting.get(id)?.(outcome)
    waiting.delete(id)
  })
  const ended = new Promise<void>((resolve) => {
    child.once('exit', (code) => {
      for (const done of waiting.values()) done({ code, stdout: '', stderr: GONE })
      resolve()
    })
  })
  return {
    run: (args) =>
      new Promise((resolve) => {
        const id = count++
        waiting.set(id, resolve)
        if (child.connected) child.send({ id, args } satisfies WarmCommand)
        else resolve({ code: child.exitCode, stdout: '', stderr: GONE })
      }),
    end() {
      if (child.connected) child.disconnect()
      return ended
    },
  }
}

/** Settings of whoever runs the tests must not reach the program. What is run from sources is compiled once, as bin/run.js has it. */
export function plainEnvironment(): NodeJS.ProcessEnv {
  const plain = Object.entries(process.env).filter(([name]) => !name.startsWith('DLLM_'))
  return { NODE_COMPILE_CACHE: join(tmpdir(), 'node-compile-cache'), ...Object.fromEntries(plain) }
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
