/**
 * Hosts with a delay between them, for whoever wants to try something in them: makes them, says how to use them, and takes them away at Ctrl-C. With a
 * command it runs that on the first host and ends with it. Needs Linux, root, `ip` and a C compiler (lab/delayed-hosts.ts).
 *
 *   node bench/lab/delay-lab.ts [--hosts 4] [--rtt 50] [--mbit 100] [-- COMMAND…]
 * @module
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { createDelayedHosts, type DelayedHosts, delayedHostsFault } from './delayed-hosts.ts'

const HOSTS_MAX = 64

const { values: flags, positionals: command } = parseArgs({
  options: {
    hosts: { type: 'string', default: '4' },
    rtt: { type: 'string', default: '50' },
    mbit: { type: 'string' },
  },
  allowPositionals: true,
})
const [count, roundTripMs] = [Number(flags.hosts), Number(flags.rtt)]
const megabits = flags.mbit === undefined ? undefined : Number(flags.mbit)
const fault = isUsable() ? await delayedHostsFault() : `--hosts is 1 to ${HOSTS_MAX}, --rtt and --mbit are numbers`
if (fault === undefined) {
  process.exitCode = await main()
} else {
  console.error(fault)
  process.exitCode = 2
}

function isUsable(): boolean {
  const isCount = Number.isInteger(count) && count >= 1 && count <= HOSTS_MAX
  return isCount && roundTripMs >= 0 && (megabits === undefined || megabits > 0)
}

async function main(): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'dllm-lab-'))
  const hosts = await createDelayedHosts({ count, oneWayMs: roundTripMs / 2, megabits, folder })
  try {
    if (command.length > 0) return await runOn(hosts, command)
    console.log(`${count} hosts, ${roundTripMs} ms from one to another and back. Ctrl-C takes them away.`)
    for (let index = 0; index < count; index++) {
      console.log(`${hosts.address(index)}  ${hosts.on(index, ['COMMAND']).join(' ')}`)
    }
    await stopped()
    return 0
  } finally {
    await hosts.remove()
    await rm(folder, { recursive: true, force: true })
  }
}

/** Its exit code. */
async function runOn(hosts: DelayedHosts, words: readonly string[]): Promise<number> {
  const [program, ...args] = hosts.on(0, words)
  const child = spawn(program!, args, { stdio: 'inherit' })
  // Ctrl-C reaches the command too; the hosts go when it has ended.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => child.kill(signal))
  const [code] = (await once(child, 'exit')) as [number | null]
  return code ?? 1
}

/** Resolves at Ctrl-C. */
function stopped(): Promise<void> {
  const alive = setInterval(() => undefined, 60_000)
  return new Promise((resolve) => {
    const end = (): void => {
      clearInterval(alive)
      resolve()
    }
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, end)
  })
}
