/**
 * A user of one node, in a process of its own beside the node: sends transfers through the control server and notes when each
 * is in a final block. Says `ready`, begins at the first line on stdin, and prints what it saw as one line of JSON.
 *
 *   node bench/chain/user.ts '{"home": …, "node": …, "networkId": …, "first": 0, "senders": 100, "perSecond": 3, "seconds": 60}'
 * @module
 */
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ChainMethods } from '../../src/app/chain/chain-methods.ts'
import { type ConnectedNode, connectToNode } from '../../src/app/control/connect.ts'
import type { Hash } from '../../src/base/brand.ts'
import { codeOf } from '../../src/base/error.ts'
import { sender, transferBytes } from './senders.ts'

export interface UserPlan {
  /** Of the node. */
  readonly folder: string
  readonly networkId: Hash
  /** The accounts that this user sends from. */
  readonly first: number
  readonly senders: number
  /** At random times, so many on average; 0: only watches. */
  readonly perSecond: number
  readonly seconds: number
}

/** Times are Unix milliseconds by this machine's clock, or differences of them. */
export interface UserSeen {
  /** From the call that submits to the arrival of the final block, one per transfer. */
  readonly finalityMs: readonly number[]
  /** From the call to its answer. */
  readonly submitMs: readonly number[]
  readonly blocks: readonly SeenBlock[]
  readonly sent: number
  /** Codes of refused transfers, with how many. */
  readonly refused: Readonly<Record<string, number>>
}

export interface SeenBlock {
  readonly height: number
  /** When the node told that it is final. */
  readonly finalMs: number
  /** When its proposer made it, by its header. */
  readonly timeMs: number
  readonly round: number
  readonly bytes: number
  readonly transactions: number
}

/** Calls under way at once, below what a node takes from one client. */
const CALLS_MAX = 32
/** Waits for the last blocks. */
const LAST_MS = 15_000
const LOOK_MS = 50

const nowMs = (): number => performance.timeOrigin + performance.now()

const plan = JSON.parse(process.argv[2]!) as UserPlan
const node = await connectToNode<ChainMethods>(plan.folder)
const transfers = signAll(plan)
console.log('ready')
await once(process.stdin, 'data')
// A pipe takes a long line in parts; the process ends with the last of them.
process.stdout.write(`${JSON.stringify(await use(node))}\n`, () => process.exit(0))

/** Signed before the measure begins. */
function signAll({ networkId, first, senders, perSecond, seconds }: UserPlan): string[] {
  const all = Array.from({ length: senders }, (_, index) => sender(first + index))
  return Array.from({ length: Math.ceil(perSecond * seconds) }, (_, index) => {
    const [from, to] = [all[index % senders]!, all[(index + 1) % senders]!]
    const bytes = transferBytes(networkId, from, { to: to.id, nonce: Math.floor(index / senders) })
    return Buffer.from(bytes).toString('hex')
  })
}

async function use(client: ConnectedNode<ChainMethods>): Promise<UserSeen> {
  const waiting = new Map<Hash, number>()
  const early = new Map<Hash, number>()
  const seen = { finalityMs: [] as number[], submitMs: [] as number[], blocks: [] as SeenBlock[], sent: 0 }
  const refused: Record<string, number> = {}
  const abort = new AbortController()
  const onFinal = (id: Hash, finalMs: number): void => {
    const sentMs = waiting.get(id)
    // The block may be here before the answer to the call that submitted.
    if (sentMs === undefined) early.set(id, finalMs)
    else seen.finalityMs.push(finalMs - sentMs)
    waiting.delete(id)
  }
  const watching = watch(client, { signal: abort.signal, blocks: seen.blocks, onFinal })
  const due = dueTimes(plan)
  const startedMs = nowMs()
  let next = 0
  const work = async (): Promise<void> => {
    for (let index = next++; index < transfers.length; index = next++) {
      const sentMs = startedMs + due[index]!
      await sleep(Math.max(0, sentMs - nowMs()))
      // A user who is held up by slow answers sends less and is not counted as having sent earlier.
      const calledMs = nowMs()
      if (calledMs > startedMs + plan.seconds * 1_000) return
      try {
        seen.sent++
        const { id } = await client.call('dllm_submit', { transaction: transfers[index]! })
        seen.submitMs.push(nowMs() - calledMs)
        const finalMs = early.get(id)
        if (finalMs === undefined) waiting.set(id, calledMs)
        else seen.finalityMs.push(finalMs - calledMs)
      } catch (error) {
        const code = codeOf(error) ?? 'unknown'
        refused[code] = (refused[code] ?? 0) + 1
      }
    }
  }
  await Promise.all(Array.from({ length: CALLS_MAX }, work))
  await sleep(Math.max(0, startedMs + plan.seconds * 1_000 - nowMs()))
  for (let waitedMs = 0; waiting.size > 0 && waitedMs < LAST_MS; waitedMs += LOOK_MS) await sleep(LOOK_MS)
  abort.abort()
  await watching
  return { ...seen, refused }
}

/** Milliseconds after the start at which each transfer is due: at random, so that no phase of a block is preferred. */
function dueTimes({ perSecond, seconds }: UserPlan): number[] {
  return Array.from({ length: Math.ceil(perSecond * seconds) }, () => Math.random() * seconds * 1_000).sort(
    (a, b) => a - b,
  )
}

/** Notes every final block and which transfers it holds, until the signal fires. */
async function watch(
  client: ConnectedNode<ChainMethods>,
  {
    signal,
    blocks,
    onFinal,
  }: { signal: AbortSignal; blocks: SeenBlock[]; onFinal: (id: Hash, finalMs: number) => void },
): Promise<void> {
  let last = (await client.call('dllm_head', {})).height
  const reads: Promise<void>[] = []
  const read = async (height: number, finalMs: number): Promise<void> => {
    const block = await client.call('dllm_block', { height })
    for (const { id } of block.transactions) onFinal(id, finalMs)
    const { timeMs, round, bytes, transactions } = block
    blocks.push({ height, finalMs, timeMs, round, bytes, transactions: transactions.length })
  }
  try {
    for await (const head of client.stream('dllm_watchHeads', {}, signal)) {
      const finalMs = nowMs()
      for (; last < head.height; last++) reads.push(read(last + 1, finalMs))
    }
  } catch (error) {
    if (!signal.aborted) throw error
  }
  await Promise.all(reads)
  blocks.sort((a, b) => a.height - b.height)
}
