/**
 * Answers peers that ask for manifests, lists of leaves, holdings and chunks, over channels; where there are bulk links, tells how to open one. What may
 * go out at all is the budget's business, and what is there the store's. A peer that breaks the rules loses its channel and is judged.
 * Spec: docs/spec/shards.md §4.
 * @module
 */
import type { PeerId } from '../../base/brand.ts'
import { CodecError } from '../../base/codec.ts'
import { codeOf, HouseError, messageOf } from '../../base/error.ts'
import { DEADLINES } from '../../base/limits.ts'
import type { Clock, Log } from '../../base/ports.ts'
import { SHARD_LIMITS } from '../../base/swarm-limits.ts'
import { withDeadline } from '../../net/deadline.ts'
import {
  decodeShardQuestion,
  encodeShardAnswer,
  SHARD_PROTOCOL,
  SHARD_PROTOCOL_OPTIONS,
  type ShardAnswerBody,
  type ShardQuestion,
} from '../../net/protocols/shards.ts'
import { type Channel, type Wire, WireError } from '../../net/wire.ts'
import { type Answerer, createAnswerer } from './answers.ts'
import type { ServedFiles } from './served-files.ts'
import type { UploadBudget } from './upload-budget.ts'

export interface ShardServerOptions {
  readonly files: ServedFiles
  readonly budget: UploadBudget
  /** Left out: everything goes over channels. */
  readonly links?: LinkDoor | undefined
}

/** Where bulk links come in. */
export interface LinkDoor {
  /** What a peer needs for one link; undefined: it gets no more now. */
  admit(peer: PeerId): Promise<{ readonly port: number; readonly ticket: Uint8Array } | undefined>
}

class RuleError extends HouseError<
  | 'SHARDS_RULE_BROKEN' // an honest peer does not do this
  | 'SHARDS_IDLE' // the peer asks for nothing, or takes nothing
> {}

/** Serves until the wire stops. */
export async function serveShards(
  wire: Pick<Wire, 'handle' | 'judge'>,
  options: ShardServerOptions,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): Promise<void> {
  const { files, budget, links } = options
  const answerer = createAnswerer(files, clock)
  let served = 0
  const answer: Answerer = (question, output) =>
    answerer(question, output).catch((error: unknown) => {
      if (error instanceof WireError || error instanceof RuleError) throw error
      log.write('warn', 'shards.unreadable', { code: codeOf(error), message: messageOf(error) })
      return ABSENT
    })

  await wire.handle(SHARD_PROTOCOL, SHARD_PROTOCOL_OPTIONS, async (channel) => {
    const { peer } = channel
    const admit = async (): Promise<ShardAnswerBody> => {
      const link = await links?.admit(peer)
      return link === undefined ? ABSENT : { type: 'link', ...link }
    }
    const isFull = served >= SHARD_LIMITS.servedMax
    served++
    try {
      const answerThis: Answerer = async (question, output) => {
        if (isFull) return BUSY
        return question.type === 'link' ? await admit() : await answer(question, output)
      }
      await serveChannel(channel, { budget, clock, answer: answerThis })
    } catch (error) {
      const isRude = error instanceof CodecError || codeOf(error) === 'SHARDS_RULE_BROKEN'
      if (isRude) wire.judge(peer, 'misbehaved')
      log.write('info', 'shards.let_go', { peer, code: codeOf(error), why: messageOf(error) })
      channel.abort('no more is served')
    } finally {
      served--
    }
  })
}

interface Job {
  readonly question: ShardQuestion
  /** The peer needs no answer any more. */
  isLeft: boolean
}

interface Service {
  readonly budget: UploadBudget
  readonly clock: Clock
  readonly answer: Answerer
}

/** Until the peer ends the channel. Chunks wait for the budget one after the other; what is asked beside them does not wait behind them. */
async function serveChannel(channel: Channel, service: Service): Promise<void> {
  const jobs = new Map<number, Job>()
  const over = new AbortController()
  const work = async (job: Job): Promise<void> => {
    const { id } = job.question
    const last = job.isLeft
      ? ABSENT
      : await service.answer(job.question, outputOf(channel, job, { ...service, signal: over.signal }))
    // The number is free again when the peer can know.
    jobs.delete(id)
    channel.send(encodeShardAnswer({ id, ...last }))
  }
  const lanes = { chunks: createLane(work, over), others: createLane(work, over) }
  try {
    for (;;) {
      const bytes = await nextQuestion(channel, service.clock, { over: over.signal, isIdle: () => jobs.size === 0 })
      if (bytes === undefined) return
      const question = decodeShardQuestion(bytes)
      if (question.type === 'leave') leave(jobs, question.id)
      else (question.type === 'chunk' ? lanes.chunks : lanes.others)(noted(jobs, question))
    }
  } finally {
    over.abort(new RuleError('SHARDS_IDLE', 'The channel is over.'))
  }
}

const ABSENT: ShardAnswerBody = { type: 'absent' }
const BUSY: ShardAnswerBody = { type: 'refused', code: 'SHARDS_BUSY' }

function noted(jobs: Map<number, Job>, question: ShardQuestion): Job {
  if (jobs.has(question.id)) throw broken('Two questions have one number.')
  if (jobs.size >= SHARD_LIMITS.questionsMax) throw broken('There are more questions than one peer may have.')
  const job: Job = { question, isLeft: false }
  jobs.set(question.id, job)
  return job
}

/** One that was answered meanwhile is none any more. */
function leave(jobs: ReadonlyMap<number, Job>, id: number): void {
  const job = jobs.get(id)
  if (job !== undefined) job.isLeft = true
}

/** Does one job after the other; the first that fails ends everything. */
function createLane(work: (job: Job) => Promise<void>, over: AbortController): (job: Job) => void {
  const waiting: Job[] = []
  let isBusy = false
  const run = async (): Promise<void> => {
    isBusy = true
    try {
      for (let job = waiting.shift(); job !== undefined && !over.signal.aborted; job = waiting.shift()) await work(job)
    } catch (error) {
      over.abort(error)
    } finally {
      isBusy = false
    }
  }
  return (job) => {
    waiting.push(job)
    if (!isBusy) void run()
  }
}

function outputOf(channel: Channel, job: Job, { budget, clock, signal }: Service & { readonly signal: AbortSignal }) {
  return {
    room: async (bytes: number): Promise<boolean> => {
      await budget.take(bytes, signal)
      await withDeadline({ clock, limitMs: DEADLINES.shardIdleMs, late: idle, signal }, (inTime) =>
        channel.drained(inTime),
      )
      return !job.isLeft
    },
    send: (answer: ShardAnswerBody): void => channel.send(encodeShardAnswer({ id: job.question.id, ...answer })),
  }
}

/** The next message; undefined at the end of the channel. Who waits for answers need not ask. */
async function nextQuestion(
  channel: Channel,
  clock: Clock,
  { over, isIdle }: { readonly over: AbortSignal; readonly isIdle: () => boolean },
): Promise<Uint8Array | undefined> {
  for (;;) {
    try {
      return await withDeadline({ clock, limitMs: DEADLINES.shardIdleMs, late: idle, signal: over }, (signal) =>
        channel.receive(signal),
      )
    } catch (error) {
      if (over.aborted || codeOf(error) !== 'SHARDS_IDLE' || isIdle()) throw error
    }
  }
}

function broken(message: string): RuleError {
  return new RuleError('SHARDS_RULE_BROKEN', message)
}

function idle(): RuleError {
  return new RuleError('SHARDS_IDLE', 'The peer asks for nothing, or takes nothing, for too long.')
}
