/**
 * A control server in a folder of its own, with methods that wait, stream and break, and raw HTTP to it.
 * @module
 */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { type ConnectedNode, connectToNode } from '../../src/app/control/connect.ts'
import { readCookie } from '../../src/app/control/control-cookie.ts'
import type { ControlLimits } from '../../src/app/control/control-http.ts'
import { type ControlServer, createControlServer } from '../../src/app/control/control-server.ts'
import { createItemQueue, type ItemQueue } from '../../src/app/control/item-queue.ts'
import type { MethodTable, NoParams } from '../../src/app/control/methods.ts'
import type { NodeFile } from '../../src/app/control/node-file.ts'
import { readGrains, readHeight, readText } from '../../src/app/control/params.ts'
import type { Grains } from '../../src/base/brand.ts'
import { HouseError } from '../../src/base/error.ts'
import { createFakeClock, type FakeClock } from '../fake-clock.ts'

export type TestMethods = {
  dllm_echo: { params: { text: string }; result: { text: string } }
  dllm_double: { params: { amount: Grains }; result: { amount: bigint } }
  dllm_refuse: { params: NoParams; result: null }
  dllm_break: { params: { secret: string }; result: null }
  /** Waits until the signal fires, and says which reason it had. */
  dllm_wait: { params: NoParams; result: null }
  /** Waits for ever, whatever the signal says. */
  dllm_hang: { params: NoParams; result: null }
  /** Waits until the test lets it go, whatever the signal says. */
  dllm_finish: { params: NoParams; result: { done: true } }
  dllm_watchHeads: { params: { fromHeight: number }; item: { height: number; supply: bigint } }
  /** Large items without end, made as they are asked for. */
  dllm_flood: { params: NoParams; item: { text: string } }
}

class TestError extends HouseError<'INSUFFICIENT_FUNDS'> {}

export interface ControlWorld {
  readonly folder: string
  readonly file: NodeFile
  readonly cookie: string
  readonly server: ControlServer
  readonly clock: FakeClock
  readonly client: ConnectedNode<TestMethods>
  /** What was logged, each entry as JSON. */
  readonly log: string[]
  readonly bugs: unknown[]
  /** Calls of dllm_wait, dllm_hang and dllm_finish that have begun, and the reasons with which waits ended. */
  readonly begun: string[]
  readonly reasons: unknown[]
  /** Open head streams. */
  readonly watchers: Set<ItemQueue<{ height: number; supply: bigint }>>
  /** Items that dllm_flood has made. */
  floods(): number
  /** Its streams that are over. */
  floodsEnded(): number
  /** Lets the calls of dllm_finish go. */
  finish(): void
}

interface WorldState extends Pick<ControlWorld, 'begun' | 'reasons' | 'watchers'> {
  readonly finished: Promise<void>
  floods: number
  floodsEnded: number
}

/** Starts a server that the end of the test stops. */
export async function startControl(options: { limits?: Partial<ControlLimits> } = {}): Promise<ControlWorld> {
  const folder = await mkdtemp(join(tmpdir(), 'dllm-control-'))
  const clock = createFakeClock()
  const { promise: finished, resolve: finish } = Promise.withResolvers<void>()
  const state: WorldState = { begun: [], reasons: [], watchers: new Set(), finished, floods: 0, floodsEnded: 0 }
  const log: string[] = []
  const bugs: unknown[] = []
  const server = createControlServer<TestMethods>(
    { folder, network: 'lab', methods: testMethods(state), ...options, onBug: (error) => bugs.push(error) },
    {
      clock,
      random: { bytes: (length) => new Uint8Array(randomBytes(length)) },
      log: { write: (level, event, fields) => log.push(JSON.stringify({ level, event, ...fields })) },
    },
  )
  const file = await server.start()
  const client = await connectToNode<TestMethods>(folder)
  onTestFinished(async () => {
    client.close()
    const stopped = server.stop()
    finish()
    // Calls that hang are cut off when the clock says so, which the server asks only after it has removed its file.
    let isStopped = false
    const onStopped = stopped.then(() => {
      isStopped = true
    })
    while (!isStopped) {
      clock.advance(60_000)
      await new Promise((resolve) => setImmediate(resolve))
    }
    await onStopped
    await rm(folder, { recursive: true, force: true })
  })
  const { begun, reasons, watchers } = state
  const cookie = await readCookie(folder)
  const seen = { log, bugs, begun, reasons, watchers, floods: () => state.floods, floodsEnded: () => state.floodsEnded }
  return { folder, file, cookie, server, clock, client, ...seen, finish }
}

function testMethods(state: WorldState): MethodTable<TestMethods> {
  const none = (): NoParams => ({})
  return {
    dllm_echo: {
      type: 'call',
      fields: ['text'],
      read: (params) => ({ text: readText(params, 'text', 1_000_000) }),
      call: ({ text }) => ({ text }),
    },
    dllm_double: {
      type: 'call',
      fields: ['amount'],
      read: (params) => ({ amount: readGrains(params, 'amount') }),
      call: ({ amount }) => ({ amount: 2n * amount }),
    },
    dllm_refuse: {
      type: 'call',
      fields: [],
      read: none,
      call: () => {
        throw new TestError('INSUFFICIENT_FUNDS', 'There is too little. Add some.', { details: { missing: '5' } })
      },
    },
    dllm_break: {
      type: 'call',
      fields: ['secret'],
      read: (params) => ({ secret: readText(params, 'secret', 100) }),
      call: ({ secret }) => {
        throw new RangeError(`no ${secret}`)
      },
    },
    dllm_wait: {
      type: 'call',
      fields: [],
      read: none,
      call: async (_params, { signal }) => {
        state.begun.push('dllm_wait')
        await aborted(signal)
        state.reasons.push(signal.reason)
        throw signal.reason
      },
    },
    dllm_hang: {
      type: 'call',
      fields: [],
      read: none,
      call: () => {
        state.begun.push('dllm_hang')
        return new Promise(() => undefined)
      },
    },
    dllm_finish: {
      type: 'call',
      fields: [],
      read: none,
      call: async () => {
        state.begun.push('dllm_finish')
        await state.finished
        return { done: true }
      },
    },
    dllm_watchHeads: {
      type: 'stream',
      fields: ['fromHeight'],
      read: (params) => ({ fromHeight: readHeight(params, 'fromHeight') }),
      open: ({ fromHeight }, { signal }) => watchHeads(state, fromHeight, signal),
    },
    dllm_flood: {
      type: 'stream',
      fields: [],
      read: none,
      async *open() {
        try {
          for (;;) {
            state.floods++
            yield { text: 'x'.repeat(100_000) }
          }
        } finally {
          state.floodsEnded++
        }
      },
    },
  }
}

function watchHeads(
  { watchers }: WorldState,
  fromHeight: number,
  signal: AbortSignal,
): ItemQueue<{ height: number; supply: bigint }> {
  const onClose = (): boolean => watchers.delete(queue)
  const queue = createItemQueue<{ height: number; supply: bigint }>({ signal, onClose, itemsMax: 8 })
  watchers.add(queue)
  queue.push({ height: fromHeight, supply: 10n ** 18n })
  return queue
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve()))
}

/** An HTTP request as text; headers that are undefined are left out. */
export function httpText(
  world: Pick<ControlWorld, 'cookie'>,
  options: { line?: string; body?: string; headers?: Readonly<Record<string, string | undefined>> } = {},
): string {
  const { line = 'POST / HTTP/1.1', body = '{"jsonrpc":"2.0","method":"dllm_echo","params":["hi"],"id":1}' } = options
  const headers = {
    Host: '127.0.0.1',
    Authorization: `Bearer ${world.cookie}`,
    'Content-Type': 'application/json',
    'Content-Length': String(Buffer.byteLength(body)),
    Connection: 'close',
    ...options.headers,
  }
  const lines = Object.entries(headers).flatMap(([name, value]) => (value === undefined ? [] : [`${name}: ${value}`]))
  return [line, ...lines, '', body].join('\r\n')
}

export interface RawAnswer {
  readonly status: number
  readonly head: string
  readonly body: string
}

/** Sends bytes as they are and reads until the server closes. */
export async function sendRaw(port: number, text: string): Promise<RawAnswer> {
  const socket = connect({ host: '127.0.0.1', port })
  const chunks: Buffer[] = []
  socket.on('data', (chunk) => chunks.push(chunk))
  // A server that has said no may close while we still send.
  socket.on('error', () => undefined)
  socket.write(text)
  await once(socket, 'close')
  const all = Buffer.concat(chunks).toString()
  const [head = '', body = ''] = all.split(/\r\n\r\n([\s\S]*)/)
  return { status: Number(head.split(' ')[1]), head: head.toLowerCase(), body }
}
