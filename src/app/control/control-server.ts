/**
 * The control server of a node: a table of methods behind JSON-RPC 2.0 on loopback, with a cookie and a file that says
 * where it listens. Which methods there are is the caller's matter.
 * Spec: docs/spec/control.md.
 * @module
 */
import { assert } from '../../base/assert.ts'
import { CONTROL_LIMITS } from '../../base/chain-limits.ts'
import type { Clock, Log, Random } from '../../base/ports.ts'
import { removeCookie, writeCookie } from './control-cookie.ts'
import { ControlHttp, type ControlLimits } from './control-http.ts'
import { handleRpc } from './json-rpc.ts'
import { type MethodShapes, type Methods, type MethodTable, methodsOf } from './methods.ts'
import { type NodeFile, removeNodeFile, writeNodeFile } from './node-file.ts'

export interface ControlServerOptions<M extends MethodShapes<M>> {
  /** Of the node; the caller holds its lock. */
  readonly folder: string
  /** Id of the node's network. */
  readonly network: string
  readonly methods: MethodTable<M>
  /** Default 0: any. */
  readonly port?: number
  /** Default CONTROL_LIMITS. */
  readonly limits?: Partial<ControlLimits>
  /** Told of bugs in methods, after they were logged: a node whose state may be wrong stops itself here. */
  readonly onBug?: (error: unknown) => void
}

/** docs/spec/control.md §3. */
const NAME_PATTERN = /^dllm_[a-z][A-Za-z0-9]*$/

interface Ports {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

export interface ControlServer {
  /** Once. @throws ControlError CONTROL_LISTEN_FAILED, HomeError when the folder cannot be written. */
  start(): Promise<NodeFile>
  /** Ends open calls and streams and removes the two files. May be called again, and before or without `start`. */
  stop(): Promise<void>
}

interface Running {
  readonly http: ControlHttp
  readonly cookie: string
  readonly file: NodeFile
}

/** Nothing happens before `start`. */
export function createControlServer<M extends MethodShapes<M>>(
  options: ControlServerOptions<M>,
  ports: Ports,
): ControlServer {
  const methods = methodsOf(options.methods)
  for (const name of methods.keys()) assert(NAME_PATTERN.test(name), 'a method is named like dllm_nodeStatus')
  let running: Promise<Running> | undefined
  let stopping: Promise<void> | undefined
  return {
    async start() {
      assert(stopping === undefined, 'a control server starts once')
      running ??= startListening(options, methods, ports)
      return (await running).file
    },
    stop() {
      stopping ??= stopListening(running, options.folder)
      return stopping
    },
  }
}

async function stopListening(running: Promise<Running> | undefined, folder: string): Promise<void> {
  const started = await running?.catch(() => undefined)
  if (started === undefined) return
  // First the file: whoever looks from now on finds no node.
  await removeNodeFile(folder, started.file)
  await started.http.stop()
  await removeCookie(folder, started.cookie)
}

async function startListening<M extends MethodShapes<M>>(
  options: ControlServerOptions<M>,
  methods: Methods,
  ports: Ports,
): Promise<Running> {
  const { folder, network } = options
  const onBug = (error: unknown, method: string): void => {
    ports.log.write('error', 'control.bug', { method, ...placeOf(error) })
    options.onBug?.(error)
  }
  const cookie = await writeCookie(folder, ports.random)
  const limits = { ...CONTROL_LIMITS, ...options.limits }
  const http = new ControlHttp(
    { cookie, limits, answer: (body, signal) => handleRpc(body, methods, { signal, onBug }) },
    ports,
  )
  try {
    const port = await http.listen(options.port ?? 0)
    const file: NodeFile = { pid: process.pid, port, network, startedMs: ports.clock.wallMs() }
    await writeNodeFile(folder, file)
    ports.log.write('info', 'control.listening', { port })
    return { http, cookie, file }
  } catch (error) {
    await http.stop()
    await removeCookie(folder, cookie)
    throw error
  }
}

/** Where a bug is, without its words, which may hold anything: the error's name and the lines of its stack. */
function placeOf(error: unknown): { name: string; at?: string } {
  if (!(error instanceof Error)) return { name: typeof error }
  const lines = (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line))
  return {
    name: error.name,
    at: lines
      .slice(0, 3)
      .map((line) => line.trim())
      .join(' < '),
  }
}
