/**
 * A process that chats with rings: opens sessions, sends prompts, takes the time of the tokens. Asked by messages
 * (ring/messages.ts); keeps its connections from one order to the next.
 * @module
 */
import { openRing } from '../../src/app/ring/ring-client.ts'
import type { RingSession } from '../../src/app/ring/ring-session.ts'
import { createSystem } from '../../src/app/system.ts'
import type { Wire } from '../../src/net/wire.ts'
import { GREEDY } from '../greedy.ts'
import { answerParent } from '../lab/child.ts'
import { median } from '../report.ts'
import type { Answers, ClientOrder, Transport } from './messages.ts'
import { openWire } from './wire.ts'

const system = createSystem({ level: 'error' })
const wires = new Map<Transport, Promise<Wire>>()
/** Of the first token of a prompt; each chat begins elsewhere, so that no two are alike. */
const FIRST_TOKEN = 10
const TOKENS_USED = 1_500

answerParent<ClientOrder>(answer)

interface Chat {
  readonly session: RingSession
  readonly firstTokenMs: number
}

async function answer(order: ClientOrder): Promise<Answers> {
  const { transport, route, chats: count, capacity, tokens } = order
  const wire = await (wires.get(transport) ?? remember(transport))
  const open = (): Promise<RingSession> => openRing({ route, capacity }, { ...system, wire })
  const sessions = await Promise.all(Array.from({ length: count }, open))
  try {
    const chats = await Promise.all(sessions.map((session, number) => prompt(order, session, number)))
    const before = await chats[0]!.session.statistics()
    // The second turn goes on from the first one's token: steps of one row only.
    const startedMs = performance.now()
    const times = await Promise.all(
      chats.map(({ session }) => arrivals(session, { order, prompt: [], maxTokens: tokens })),
    )
    const after = await chats[0]!.session.statistics()
    const steps = after[0]!.steps - before[0]!.steps
    const spentMs = after.reduce((sum, { computeMs }, stage) => sum + computeMs - before[stage]!.computeMs, 0)
    const endedMs = Math.max(...times.map((list) => list.at(-1)!))
    return {
      firstTokenMs: median(chats.map(({ firstTokenMs }) => firstTokenMs)),
      tokensPerSecond: (times.reduce((sum, list) => sum + list.length, 0) * 1_000) / (endedMs - startedMs),
      tokenMs: median(times.map((list) => (list.at(-1)! - list[0]!) / (list.length - 1))),
      engineMs: spentMs / steps,
      text: sessions[0]!.tokens.slice(order.prompt?.length ?? order.promptTokens),
      drafts: after[0]!.drafts - before[0]!.drafts,
      draftsKept: after[0]!.draftsKept - before[0]!.draftsKept,
    }
  } finally {
    await Promise.all(sessions.map((session) => session.close()))
  }
}

function remember(transport: Transport): Promise<Wire> {
  const wire = openWire(transport, undefined, system)
  wires.set(transport, wire)
  return wire
}

async function prompt(order: ClientOrder, session: RingSession, number: number): Promise<Chat> {
  const start = number * order.promptTokens
  const numbers = Array.from(
    { length: order.promptTokens },
    (_, index) => FIRST_TOKEN + ((start + index) % TOKENS_USED),
  )
  const tokens = order.prompt ?? numbers
  const startedMs = performance.now()
  const [firstMs] = await arrivals(session, { order, prompt: tokens, maxTokens: 1 })
  return { session, firstTokenMs: firstMs! - startedMs }
}

interface Turn {
  readonly order: ClientOrder
  readonly prompt: readonly number[]
  readonly maxTokens: number
}

/** When each token of a turn came. */
async function arrivals(session: RingSession, { order, prompt: tokens, maxTokens }: Turn): Promise<number[]> {
  const { generation, chunkTokens, draftsMax = 0 } = order
  const times: number[] = []
  const options = {
    generation: { ...GREEDY, ...generation, maxTokens },
    draftsMax,
    ...(chunkTokens === undefined ? {} : { chunkTokens }),
  }
  for await (const event of session.generate(tokens, options)) if (event.type === 'token') times.push(performance.now())
  return times
}
