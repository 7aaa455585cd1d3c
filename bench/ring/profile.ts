/**
 * Where the main thread of this process spends its time, by V8's sampling profiler, as a table of parts of the program. Waiting does not count, for a core neither; what
 * other threads do, engines among them, is not seen.
 * @module
 */
import { type Profiler, Session } from 'node:inspector/promises'

export interface ProfileLine {
  /** A part of the program, or a package. */
  readonly part: string
  readonly ms: number
  /** Its functions that take most, with their milliseconds. */
  readonly functions: readonly (readonly [name: string, ms: number])[]
}

export interface RunningProfile {
  stop(): Promise<ProfileLine[]>
}

const INTERVAL_US = 200
/** A sample that comes later had to wait for a core, as the thread had. */
const SAMPLE_US_MAX = 2 * INTERVAL_US
const US_PER_MS = 1_000
const FUNCTIONS_MAX = 4
/** What a frame's script belongs to; the first that fits. */
const PARTS: readonly (readonly [pattern: RegExp, part: string])[] = [
  [/@libp2p\/tls|src\/net\/libp2p-tls/, 'TLS (libp2p)'],
  [/@libp2p\/yamux|src\/net\/yamux/, 'yamux'],
  [/@libp2p|node_modules\/(?:libp2p|@multiformats|multiformats|uint8arraylist|uint8arrays)\//, 'libp2p, other'],
  [/node_modules\/@noble/, 'hashes, signatures'],
  [/node_modules\//, 'other packages'],
  [/src\/net\/protocols|src\/base\/codec/, 'messages'],
  [/src\/net\//, 'channels'],
  [/src\/app\/(?:engine|worker|step-mailbox)/, 'door of the engine'],
  [/src\/app\/ring/, 'ring'],
  [/src\/app\/market|src\/core/, 'leases'],
  [/src\/ml/, 'drafts, sampling, digests'],
  [/src\//, 'program, other'],
  [/bench\//, 'the measure'],
  [/node:(?:internal\/)?(?:crypto|tls|_tls)|js_stream_socket|tls/, 'Node: TLS'],
  [/node:.*(?:net|stream)/, 'Node: sockets and streams'],
  [/node:/, 'Node: other'],
]

export async function startProfile(): Promise<RunningProfile> {
  const session = new Session()
  session.connect()
  await session.post('Profiler.enable')
  await session.post('Profiler.setSamplingInterval', { interval: INTERVAL_US })
  await session.post('Profiler.start')
  return {
    async stop() {
      const { profile } = await session.post('Profiler.stop')
      session.disconnect()
      return linesOf(profile)
    },
  }
}

function linesOf({ nodes, samples = [], timeDeltas = [] }: Profiler.Profile): ProfileLine[] {
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]))
  const parts = new Map<string, Map<string, number>>()
  for (const [index, id] of samples.entries()) {
    const frame = frames.get(id)!
    const part = partOf(frame)
    if (part === undefined) continue
    const functions = parts.get(part) ?? new Map<string, number>()
    const name = frame.functionName === '' ? `line ${frame.lineNumber + 1}` : frame.functionName
    const spentUs = Math.min(timeDeltas[index] ?? 0, SAMPLE_US_MAX)
    functions.set(name, (functions.get(name) ?? 0) + spentUs / US_PER_MS)
    parts.set(part, functions)
  }
  return [...parts]
    .map(([part, functions]) => {
      const sorted = [...functions].sort((a, b) => b[1] - a[1])
      return { part, ms: sorted.reduce((sum, [, ms]) => sum + ms, 0), functions: sorted.slice(0, FUNCTIONS_MAX) }
    })
    .sort((a, b) => b.ms - a.ms)
}

/** Undefined: nothing was done. */
function partOf({ functionName, url }: Profiler.Profile['nodes'][number]['callFrame']): string | undefined {
  if (functionName === '(idle)' || url.startsWith('node:inspector')) return undefined
  if (functionName === '(garbage collector)') return 'garbage collection'
  // Functions of the runtime in C++ have no script: writing to sockets is by far the most of them.
  if (url === '') return functionName === '(program)' ? 'the runtime' : 'system calls and other C++'
  return PARTS.find(([pattern]) => pattern.test(url))?.[1] ?? 'other'
}
