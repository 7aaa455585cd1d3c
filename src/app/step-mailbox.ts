/**
 * The mailbox between the main thread and an engine worker: shared memory for one batch on its way in and its outputs on
 * their way back, and a bell. A decode step thereby wakes the other thread and nothing more, where a message costs both
 * sides a serialisation, new buffers and a turn of the event loop. Whatever does not fit travels as a message
 * (app/worker-messages.ts), with the bell.
 * Decision: docs/adr/0008-mailbox.md.
 * @module
 */
import { type Milliseconds, milliseconds } from '../base/brand.ts'
import { ENGINE_LIMITS } from '../base/limits.ts'
import type { StepInput, StepOutput } from '../ml/engine/engine.ts'

/** Outputs with the number of their request. */
export interface MailedOutputs {
  readonly id: number
  readonly outputs: readonly MailedOutput[]
  readonly computeMs: Milliseconds
}

/** Failures are messages: they are rare, and have text. */
export type MailedOutput = Exclude<StepOutput, { type: 'failed' }>

/** A batch with the number of its request. */
export interface MailedBatch {
  readonly id: number
  readonly batch: readonly StepInput[]
}

/** The main thread's side. */
export interface MailboxSender {
  /** Hands a batch over, and rings; false when it does not fit. The one before must have been answered. */
  put(mail: MailedBatch): boolean
  /** Tells the worker that something waits: its inbox of messages or this box. */
  ring(): void
  /** Calls `take` with all outputs from now on, until `close`. */
  listen(take: (mail: MailedOutputs) => void): void
  close(): void
}

/** The worker's side. */
export interface MailboxReceiver {
  /** Blocks the thread until the bell has rung since the last call. */
  sleep(): void
  /** The batch that came, if one did. Its rows are views, valid until `reply`. */
  take(): MailedBatch | undefined
  /** Hands outputs over; false when they do not fit: then they must go as a message. */
  reply(mail: MailedOutputs): boolean
}

/** Words of 32 bits: counters on cache lines of their own, then the body. */
const BELL = 0
const REQUESTS = 16
const REPLIES = 32
const BODY = 48
const STEP_WORDS = 5
const OUTPUT_WORDS = 2
/** Number and count; number, count and a time in two words. */
const REQUEST_HEAD_WORDS = 2
const REPLY_HEAD_WORDS = 4
/** What the values of a step are. */
const TOKENS = 0
const HIDDEN = 1
const SCORES = 2
const WANTED: readonly StepInput['logits'][] = ['none', 'last', 'all']

interface Views {
  readonly words: Int32Array<SharedArrayBuffer>
  readonly floats: Float32Array<SharedArrayBuffer>
  readonly doubles: Float64Array<SharedArrayBuffer>
}

/** Memory for one worker, to be handed to it when it starts. */
export function createMailboxMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(BODY * 4 + ENGINE_LIMITS.mailboxBytes)
}

export function createMailboxSender(memory: SharedArrayBuffer): MailboxSender {
  const views = viewsOf(memory)
  const { words } = views
  const ring = () => {
    Atomics.add(words, BELL, 1)
    Atomics.notify(words, BELL)
  }
  let isClosed = false
  return {
    ring,
    put: (mail) => {
      if (!writeBatch(views, mail)) return false
      Atomics.add(words, REQUESTS, 1)
      ring()
      return true
    },
    listen: (take) => {
      let seen = 0
      const onReply = (): void => {
        if (isClosed) return
        const replies = Atomics.load(words, REPLIES)
        if (replies !== seen) {
          seen = replies
          take(readOutputs(views))
        }
        const waiting = Atomics.waitAsync(words, REPLIES, seen)
        if (waiting.async) void waiting.value.then(onReply)
        else queueMicrotask(onReply)
      }
      onReply()
    },
    close: () => {
      isClosed = true
      Atomics.notify(words, REPLIES)
    },
  }
}

export function createMailboxReceiver(memory: SharedArrayBuffer): MailboxReceiver {
  const views = viewsOf(memory)
  const { words } = views
  let rung = 0
  let taken = 0
  return {
    sleep: () => {
      Atomics.wait(words, BELL, rung)
      rung = Atomics.load(words, BELL)
    },
    take: () => {
      const requests = Atomics.load(words, REQUESTS)
      if (requests === taken) return undefined
      taken = requests
      return readBatch(views)
    },
    reply: (mail) => {
      if (!writeOutputs(views, mail)) return false
      Atomics.add(words, REPLIES, 1)
      Atomics.notify(words, REPLIES)
      return true
    },
  }
}

function viewsOf(memory: SharedArrayBuffer): Views {
  return { words: new Int32Array(memory), floats: new Float32Array(memory), doubles: new Float64Array(memory) }
}

function writeBatch({ words, floats }: Views, { id, batch }: MailedBatch): boolean {
  let needed = BODY + REQUEST_HEAD_WORDS
  for (const { input } of batch) needed += STEP_WORDS + payloadOf(input).length
  if (needed > words.length) return false
  let at = BODY
  words[at++] = id
  words[at++] = batch.length
  for (const { cache, position, input, logits } of batch) {
    const payload = payloadOf(input)
    words[at++] = cache
    words[at++] = position
    words[at++] = WANTED.indexOf(logits)
    words[at++] = input.type === 'tokens' ? TOKENS : HIDDEN
    words[at++] = payload.length
    if (input.type === 'tokens') words.set(payload, at)
    else floats.set(payload, at)
    at += payload.length
  }
  return true
}

function readBatch({ words, floats }: Views): MailedBatch {
  let at = BODY
  const id = words[at++]!
  const count = words[at++]!
  const batch = Array.from({ length: count }, (): StepInput => {
    const cache = words[at++]!
    const position = words[at++]!
    const logits = WANTED[words[at++]!]!
    const isTokens = words[at++] === TOKENS
    const start = at + 1
    at = start + words[at]!
    const input: StepInput['input'] = isTokens
      ? { type: 'tokens', tokens: words.slice(start, at) }
      : { type: 'hidden', values: floats.subarray(start, at) }
    return { cache, position, input, logits }
  })
  return { id, batch }
}

function payloadOf(input: StepInput['input']): Int32Array | Float32Array {
  return input.type === 'tokens' ? input.tokens : input.values
}

function writeOutputs({ words, floats, doubles }: Views, { id, outputs, computeMs }: MailedOutputs): boolean {
  let needed = BODY + REPLY_HEAD_WORDS
  for (const { values } of outputs) needed += OUTPUT_WORDS + values.length
  if (needed > words.length) return false
  words[BODY] = id
  words[BODY + 1] = outputs.length
  doubles[(BODY + 2) / 2] = computeMs
  let at = BODY + REPLY_HEAD_WORDS
  for (const { type, values } of outputs) {
    words[at++] = type === 'hidden' ? HIDDEN : SCORES
    words[at++] = values.length
    floats.set(values, at)
    at += values.length
  }
  return true
}

function readOutputs({ words, floats, doubles }: Views): MailedOutputs {
  const computeMs = milliseconds(doubles[(BODY + 2) / 2]!)
  let at = BODY + REPLY_HEAD_WORDS
  const outputs = Array.from({ length: words[BODY + 1]! }, (): MailedOutput => {
    const type = words[at++] === HIDDEN ? 'hidden' : 'logits'
    const length = words[at++]!
    const values = new Float32Array(length)
    values.set(floats.subarray(at, at + length))
    at += length
    return { type, values }
  })
  return { id: words[BODY]!, outputs, computeMs }
}
