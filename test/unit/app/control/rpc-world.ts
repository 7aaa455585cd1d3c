/**
 * Methods and a caller for tests of JSON-RPC without a socket.
 * @module
 */

import { handleRpc } from '../../../../src/app/control/json-rpc.ts'
import { encodeText } from '../../../../src/app/control/json-text.ts'
import { type AnyMethod, type MethodTable, methodsOf } from '../../../../src/app/control/methods.ts'
import { type Params, readGrains, readInteger, readText } from '../../../../src/app/control/params.ts'
import { HouseError } from '../../../../src/base/error.ts'

const ANY = { min: -1_000, max: 1_000 }

/** The methods that the examples of the specification call. */
export type ExampleMethods = {
  subtract: { params: { minuend: number; subtrahend: number }; result: number }
  sum: { params: { a: number; b: number; c: number }; result: number }
  update: { params: Record<'a' | 'b' | 'c' | 'd' | 'e', number>; result: null }
  notify_hello: { params: { who: number }; result: null }
  notify_sum: { params: { a: number; b: number; c: number }; result: null }
  get_data: { params: object; result: [string, number] }
}

function integers<Name extends string>(params: Params, ...names: Name[]): Record<Name, number> {
  return Object.fromEntries(names.map((name) => [name, readInteger(params, name, ANY)])) as Record<Name, number>
}

export const exampleMethods: MethodTable<ExampleMethods> = {
  subtract: {
    type: 'call',
    fields: ['minuend', 'subtrahend'],
    read: (params) => integers(params, 'minuend', 'subtrahend'),
    call: ({ minuend, subtrahend }) => minuend - subtrahend,
  },
  sum: {
    type: 'call',
    fields: ['a', 'b', 'c'],
    read: (params) => integers(params, 'a', 'b', 'c'),
    call: ({ a, b, c }) => a + b + c,
  },
  update: {
    type: 'call',
    fields: ['a', 'b', 'c', 'd', 'e'],
    read: (params) => integers(params, 'a', 'b', 'c', 'd', 'e'),
    call: () => null,
  },
  notify_hello: {
    type: 'call',
    fields: ['who'],
    read: (params) => integers(params, 'who'),
    call: () => null,
  },
  notify_sum: {
    type: 'call',
    fields: ['a', 'b', 'c'],
    read: (params) => integers(params, 'a', 'b', 'c'),
    call: () => null,
  },
  get_data: { type: 'call', fields: [], read: () => ({}), call: () => ['hello', 5] },
}

class PurseError extends HouseError<'INSUFFICIENT_FUNDS' | 'INTERRUPTED' | 'PURSE_LOST'> {}

export type HouseMethods = {
  dllm_pay: { params: { amount: bigint }; result: { paid: bigint } }
  dllm_fail: { params: { code: string }; result: null }
  dllm_bug: { params: { secret: string }; result: null }
  dllm_give: { params: { what: string }; result: unknown }
  dllm_count: { params: { upTo: number }; item: { n: number; amount: bigint } }
}

const GIFTS: Readonly<Record<string, () => unknown>> = {
  nothing: () => undefined,
  infinity: () => Number.POSITIVE_INFINITY,
  bytes: () => ({ key: new Uint8Array(3) }),
  cycle: () => {
    const cycle: Record<string, unknown> = {}
    cycle['self'] = cycle
    return cycle
  },
  large: () => 'x'.repeat(5 * 1_024 * 1_024),
  huge: () => 'x'.repeat(9 * 1_024 * 1_024),
}

export const houseMethods: MethodTable<HouseMethods> = {
  dllm_pay: {
    type: 'call',
    fields: ['amount'],
    read: (params) => ({ amount: readGrains(params, 'amount') }),
    call: ({ amount }) => ({ paid: amount + 1n }),
  },
  dllm_fail: {
    type: 'call',
    fields: ['code'],
    read: (params) => ({ code: readText(params, 'code', 64) }),
    call: ({ code }) => {
      const cause = new Error('the words are abandon abandon about')
      throw new PurseError(code as 'PURSE_LOST', 'The purse is lost. Look for it.', { details: { height: 7 }, cause })
    },
  },
  dllm_bug: {
    type: 'call',
    fields: ['secret'],
    read: (params) => ({ secret: readText(params, 'secret', 64) }),
    call: async ({ secret }) => {
      throw new TypeError(`cannot read ${secret}`)
    },
  },
  dllm_give: {
    type: 'call',
    fields: ['what'],
    read: (params) => ({ what: readText(params, 'what', 64) }),
    call: ({ what }) => GIFTS[what]?.(),
  },
  dllm_count: {
    type: 'stream',
    fields: ['upTo'],
    read: (params) => ({ upTo: readInteger(params, 'upTo', { min: 0, max: 1_000_000 }) }),
    async *open({ upTo }) {
      for (let n = 1; n <= upTo; n++) yield { n, amount: BigInt(n) }
    },
  },
}

const methods: ReadonlyMap<string, AnyMethod> = new Map([...methodsOf(exampleMethods), ...methodsOf(houseMethods)])

export interface Said {
  /** Text of the answer or of all lines. */
  readonly text: string
  readonly type: 'answer' | 'stream'
  readonly bugs: readonly unknown[]
}

/** Answers `body` with all methods of this file. */
export async function say(body: string | Uint8Array, signal = new AbortController().signal): Promise<Said> {
  const bugs: unknown[] = []
  const bytes = typeof body === 'string' ? encodeText(body) : body
  const reply = await handleRpc(bytes, methods, { signal, onBug: (error) => bugs.push(error) })
  if (reply.type === 'answer') return { type: reply.type, text: Buffer.from(reply.bytes).toString(), bugs }
  const lines: string[] = []
  for await (const line of reply.lines) lines.push(Buffer.from(line).toString())
  return { type: reply.type, text: lines.join(''), bugs }
}

/** The parsed answer to a call of a method by name. */
export async function ask(method: string, params?: unknown): Promise<Record<string, unknown>> {
  return JSON.parse((await say(JSON.stringify({ jsonrpc: '2.0', method, params, id: 1 }))).text)
}
