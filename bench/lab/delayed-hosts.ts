/**
 * Hosts with a delay between them on one machine: network namespaces whose packets go through delay-lines.c. Real TCP of this
 * kernel, and no other way from one host to the next. Needs Linux, root, `ip` and a C compiler.
 * @module
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

export interface DelayedHosts {
  /** The command line that runs `command` on host `index` (from 0). */
  on(index: number, command: readonly string[]): readonly string[]
  /** Its IPv4 address. */
  address(index: number): string
  /** Of packets that are sent from now on. */
  setOneWay(ms: number): Promise<void>
  remove(): Promise<void>
}

export interface DelayedHostsOptions {
  readonly count: number
  /** From one host to any other; half of what a ping takes. */
  readonly oneWayMs: number
  /** What a host can send, in megabits per second; default: as fast as the machine. */
  readonly megabits?: number | undefined
  /** For the compiled program. */
  readonly folder: string
}

/** Made by this process so far. */
let groups = 0
const run = promisify(execFile)
const SOURCE = join(import.meta.dirname, 'delay-lines.c')
/** Packets that may wait at the device: a burst of a megabyte is 700. */
const QUEUE_PACKETS = 10_000
/** A token bucket sends so much at once, and keeps what it has no room for so long. */
const BUCKET = ['burst', '32kb', 'latency', '400ms']

/** Why there can be no such hosts here; undefined when there can. */
export async function delayedHostsFault(): Promise<string | undefined> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'delays need Linux and root'
  try {
    await access('/dev/net/tun')
    await run('ip', ['-Version'])
    await run('cc', ['--version'])
    return undefined
  } catch {
    return 'delays need `ip`, `cc` and /dev/net/tun'
  }
}

/** The kernel's way of sending at the speed of the line; `bbr` waits between packets where others do not. */
export async function congestionControl(): Promise<string> {
  const { stdout } = await run('sysctl', ['-n', 'net.ipv4.tcp_congestion_control'])
  return stdout.trim()
}

export async function createDelayedHosts(options: DelayedHostsOptions): Promise<DelayedHosts> {
  const { count, oneWayMs, megabits, folder } = options
  const program = join(folder, 'delay-lines')
  await run('cc', ['-O2', '-o', program, SOURCE])
  const group = `dllm-bench-${process.pid}-${groups++}`
  const names = Array.from({ length: count }, (_, index) => `${group}-${index + 1}`)
  const address = (index: number): string => `10.77.0.${index + 1}`
  const made: string[] = []
  let lines: ChildProcess | undefined
  const remove = async (): Promise<void> => {
    lines?.kill()
    for (const name of made.splice(0)) await run('ip', ['netns', 'del', name])
  }
  try {
    for (const [index, name] of names.entries()) {
      await run('ip', ['netns', 'add', name])
      made.push(name)
      const inside = (...words: string[]) => run('ip', ['-n', name, ...words])
      await inside('link', 'set', 'lo', 'up')
      await inside('tuntap', 'add', 'mode', 'tun', 'name', 'line')
      await inside('addr', 'add', `${address(index)}/24`, 'dev', 'line')
      await inside('link', 'set', 'line', 'mtu', '1500', 'txqueuelen', String(QUEUE_PACKETS), 'up')
      if (megabits !== undefined) {
        const rate = ['rate', `${megabits}mbit`, ...BUCKET]
        await run('tc', ['-n', name, 'qdisc', 'add', 'dev', 'line', 'root', 'tbf', ...rate])
      }
    }
    lines = spawn(program, [String(oneWayMs * 1_000), ...names], { stdio: ['pipe', 'pipe', 'inherit'] })
    await answerOf(lines)
  } catch (error) {
    await remove()
    throw error
  }
  const { stdin } = lines
  const setOneWay = async (ms: number): Promise<void> => {
    stdin!.write(`${Math.round(ms * 1_000)}\n`)
    await answerOf(lines)
  }
  return { address, setOneWay, remove, on: (index, command) => ['ip', 'netns', 'exec', names[index]!, ...command] }
}

async function answerOf(lines: ChildProcess): Promise<void> {
  const done = new AbortController()
  const { signal } = done
  const gone = once(lines, 'exit', { signal }).then(() => Promise.reject(new Error('no lines')))
  await Promise.race([once(lines.stdout!, 'data', { signal }), gone]).finally(() => done.abort())
}
