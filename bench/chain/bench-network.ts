/**
 * A network for a measure, and its nodes as the processes that users run: the built program, one process per node, LevelDB and
 * TCP; what a process used is read from /proc.
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { createNetwork } from '../../src/app/chain/create-network.ts'
import { newNetwork } from '../../src/app/chain/new-network.ts'
import { type Home, writeFileAtomic } from '../../src/app/home.ts'
import type { System } from '../../src/app/system.ts'
import { grains, type Hash, hash } from '../../src/base/brand.ts'
import { networkIdOf } from '../../src/core/genesis.ts'
import { INITIAL_PARAMETERS, type Parameters } from '../../src/core/parameters.ts'
import type { DelayedHosts } from '../lab/delayed-hosts.ts'
import { PROGRAM } from '../program.ts'
import type { LoopDelay } from './probe.ts'
import { sender, validatorKeys } from './senders.ts'

export interface BenchNetwork {
  readonly home: Home
  readonly networkId: Hash
  readonly hosts: DelayedHosts | undefined
}

export interface BenchNetworkOptions {
  readonly validators: number
  /** Accounts with money: `sender(0)` and the following. */
  readonly accounts: number
  /** One for each node; undefined: all on loopback. */
  readonly hosts?: DelayedHosts | undefined
  /** Other than the product's. */
  readonly parameters?: Partial<Parameters>
}

export interface NodeProcess {
  readonly name: string
  readonly pid: number
  /** Calls `visit` with each thing that the node tells, from now on. */
  onEvent(visit: (event: NodeEvent) => void): void
  usage(): Usage
  /** Of the event loop, since the last call. */
  loopDelay(): Promise<LoopDelay>
  stop(): Promise<void>
}

export interface NodeEvent {
  readonly type: string
  readonly height?: number
}

/** Of a process since its start. */
export interface Usage {
  readonly cpuMs: number
  readonly rssMiB: number
  /** Sent to other hosts, headers included; 0 on loopback. */
  readonly sentBytes: number
}

export const NETWORK = 'bench'
const FIRST_PORT = 14_700
const BALANCE = 1_000_000_000_000n
const BOND = 100_000_000_000n
const PROBE = join(import.meta.dirname, 'probe.ts')
/** USER_HZ: the unit of /proc/PID/stat on Linux. */
const TICK_MS = 10
const MIB = 2 ** 20
const LOOK_MS = 5
const TELLS_LINES = 20

export function nodeName(index: number): string {
  return `${NETWORK}-${index + 1}`
}

/** Writes keys and the network's file into the home. */
export async function createBenchNetwork(
  options: BenchNetworkOptions,
  ports: { readonly home: Home; readonly system: System },
): Promise<BenchNetwork> {
  const { validators, accounts, hosts, parameters } = options
  const { home, system } = ports
  const made = newNetwork(
    {
      ...{ name: NETWORK, kind: 'local', timeMs: system.clock.wallMs(), validators },
      ...{ balance: 0n, bond: BOND, validatorName: (number) => nodeName(number - 1) },
      parameters: { ...INITIAL_PARAMETERS, baseFeeMin: 1n, ...parameters },
      models: [],
    },
    ({ role, account }) => validatorKeys(role === 'owner' ? role : 'operator', account),
  )
  const ids = Array.from({ length: accounts }, (_, number) => sender(number).id).sort()
  const genesis = { ...made.genesis, accounts: ids.map((id) => ({ id, balance: grains(BALANCE) })) }
  const place = { name: NETWORK, host: '/ip4/127.0.0.1', port: FIRST_PORT, allow: undefined }
  const { file } = await createNetwork(place, { ...made, genesis }, ports)
  if (hosts !== undefined) {
    const content = JSON.parse(readFileSync(file, 'utf8')) as { bootstrap: string[] }
    const bootstrap = content.bootstrap.map((address, index) => address.replace('127.0.0.1', hosts.address(index)))
    await writeFileAtomic(file, JSON.stringify({ ...content, bootstrap }))
  }
  return { home, networkId: hash(networkIdOf(genesis)), hosts }
}

/** Resolves when the node answers. Host `index` where there are hosts; `args` beside network and name. */
export async function startNode(
  { home, hosts }: BenchNetwork,
  { name, index, args = [] }: { readonly name: string; readonly index: number; readonly args?: readonly string[] },
): Promise<NodeProcess> {
  const probed = home.file(`${name}-probe.json`)
  const words = ['--import', PROBE, PROGRAM, 'node', '--network', NETWORK, '--name', name, '--json', ...args]
  const command = [process.execPath, ...words, '--home', home.path]
  const [program, ...rest] = hosts === undefined ? command : hosts.on(index, command)
  const env = { ...process.env, DLLM_BENCH_PROBE: probed }
  const child = spawn(program!, rest, { env, stdio: ['ignore', 'pipe', 'pipe'] })
  const tells: string[] = []
  const visits: ((event: NodeEvent) => void)[] = []
  createInterface(child.stderr).on('line', (line) => tells.push(line))
  const started = new Promise<void>((resolve) => {
    createInterface(child.stdout).on('line', (line) => {
      tells.push(line)
      if (tells.length > TELLS_LINES) tells.shift()
      const event = JSON.parse(line) as NodeEvent
      if (event.type === 'started') resolve()
      for (const visit of visits) visit(event)
    })
  })
  const ended = once(child, 'exit').then(() => Promise.reject(new Error(`${name} ended: ${tells.join('\n')}`)))
  ended.catch(() => undefined)
  await Promise.race([started, ended])
  return {
    ...{ name, pid: child.pid!, usage: () => usageOf(child.pid!, hosts !== undefined) },
    onEvent: (visit) => void visits.push(visit),
    loopDelay: () => askProbe(child, probed),
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill('SIGTERM')
      await once(child, 'exit')
    },
  }
}

async function askProbe(child: ChildProcess, file: string): Promise<LoopDelay> {
  rmSync(file, { force: true })
  child.kill('SIGUSR2')
  while (!existsSync(file)) await sleep(LOOK_MS)
  return JSON.parse(readFileSync(file, 'utf8')) as LoopDelay
}

function usageOf(pid: number, hasHost: boolean): Usage {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // The name in brackets may hold anything; user and system time are the fields 14 and 15.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const rssKiB = Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
  const sent = hasHost ? /^\s*line:(?:\s+\d+){8}\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/net/dev`, 'utf8'))?.[1] : '0'
  return {
    cpuMs: (Number(fields[11]) + Number(fields[12])) * TICK_MS,
    rssMiB: (rssKiB * 1_024) / MIB,
    sentBytes: Number(sent),
  }
}
