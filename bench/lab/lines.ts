/**
 * Processes on one machine that reach each other over lines with a delay, which can be changed while they run: in network
 * namespaces where that is possible (lab/delayed-hosts.ts: packets of real TCP), else through a proxy in front of each listener
 * (lab/delay-proxy.ts), which needs no rights.
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { ask, endChild } from './child.ts'
import type { ProxyOrder, ProxyTold } from './delay-proxy.ts'
import { createDelayedHosts, delayedHostsFault } from './delayed-hosts.ts'

export interface Lines {
  readonly means: LineMeans
  /** Runs a script of ours on host `index`; it is asked by messages (lab/child.ts). Ended with the lines. */
  start(index: number, script: string): ChildProcess
  /** Where a process on host `index` listens. */
  address(index: number): string
  /** The multiaddr at which others dial the listener of a multiaddr. */
  outside(listener: string): Promise<string>
  /** From any host to any other, from now on; half of what a ping takes. */
  setOneWay(ms: number): Promise<void>
  close(): Promise<void>
}

export type LineMeans = 'namespaces' | 'proxies' | 'loopback'

export interface LinesOptions {
  /** Hosts. */
  readonly count: number
  /** Default: namespaces where they are possible. `loopback` has no delay. */
  readonly means?: LineMeans | undefined
  /** For what is compiled. */
  readonly folder: string
}

const PROXY = fileURLToPath(import.meta.resolve('./delay-proxy.ts'))
const LOOPBACK = '127.0.0.1'

export async function openLines(options: LinesOptions): Promise<Lines> {
  const { means = (await delayedHostsFault()) === undefined ? 'namespaces' : 'proxies' } = options
  const children: ChildProcess[] = []
  const start = (command: readonly string[]): ChildProcess => {
    const [program, ...args] = command
    const stdio = ['ignore', 'inherit', 'inherit', 'ipc'] as const
    const child = spawn(program!, args, { stdio: [...stdio], serialization: 'advanced' })
    children.push(child)
    return child
  }
  const end = async (): Promise<void> => void (await Promise.all(children.map(endChild)))
  const node = (script: string): string[] => [process.execPath, script]
  if (means === 'namespaces') {
    const hosts = await createDelayedHosts({ ...options, oneWayMs: 0 })
    return {
      ...{ means, address: hosts.address, setOneWay: hosts.setOneWay },
      start: (index, script) => start(hosts.on(index, node(script))),
      outside: async (listener) => listener,
      async close() {
        await end()
        await hosts.remove()
      },
    }
  }
  const proxy = means === 'proxies' ? start(node(PROXY)) : undefined
  const tell = (order: ProxyOrder): Promise<ProxyTold> => ask<ProxyTold>(proxy!, order)
  return {
    ...{ means, address: () => LOOPBACK, close: end },
    start: (_index, script) => start(node(script)),
    outside: async (listener) => {
      if (proxy === undefined) return listener
      const port = Number(/\/tcp\/(\d+)/.exec(listener)?.[1])
      const door = await tell({ type: 'door', host: LOOPBACK, port })
      return door.type === 'door' ? listener.replace(/\/tcp\/\d+/, `/tcp/${door.port}`) : listener
    },
    setOneWay: async (ms) => {
      if (proxy === undefined && ms > 0) throw new Error('loopback has no delay')
      if (proxy !== undefined) await tell({ type: 'delay', oneWayMs: ms })
    },
  }
}
