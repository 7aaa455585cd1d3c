/**
 * Entry of an engine worker: loads one run of segments into an engine, and gives a stage of the native one away. Of others it answers requests, one at a time: batches from its
 * mailbox, all else by message. This thread blocks while it computes and while it waits, so that a batch costs it no turn
 * of an event loop; the process's event loop is elsewhere.
 * @module
 */
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { assert, unreachable } from '../base/assert.ts'
import { milliseconds } from '../base/brand.ts'
import type { EngineName, Stage, StepInput, StepOutput } from '../ml/engine/engine.ts'
import { rangeOf } from '../ml/manifest.ts'
import { createEngine } from './engines.ts'
import { openModelStore } from './model-store.ts'
import { createMailboxReceiver, type MailboxReceiver, type MailedBatch, type MailedOutput } from './step-mailbox.ts'
import { createSystem } from './system.ts'
import {
  buffersOf,
  type Numbered,
  toPlainError,
  toPlainOutput,
  type WorkerInit,
  type WorkerReply,
  type WorkerRequest,
} from './worker-messages.ts'

assert(parentPort, 'this file runs in a worker thread')
const port = parentPort
const { clock } = createSystem()

interface Started {
  readonly engine: EngineName
  /** Or the number of one that was given away. */
  readonly stage: Stage | number
}

async function createStage(init: WorkerInit): Promise<Started> {
  const { model, firstSegment, lastSegment, cacheBytesMax } = init
  const engine = await createEngine(init.engine, { threads: init.threads })
  const weights = openModelStore({ home: init.home }).openWeights(model, firstSegment, lastSegment)
  try {
    const range = rangeOf(model.manifest, firstSegment, lastSegment)
    const options = { config: model.manifest.config, range, weights, cacheBytesMax }
    const stage = init.givesNative && 'giveStage' in engine ? engine.giveStage(options) : engine.createStage(options)
    return { stage, engine: engine.name }
  } finally {
    weights.close()
  }
}

function reply(id: number, body: WorkerReply, transfer: ArrayBuffer[] = []): void {
  port.postMessage({ id, body } satisfies Numbered<WorkerReply>, transfer)
}

function timed(stage: Stage, batch: readonly StepInput[]) {
  const startedMs = clock.now()
  const outputs = stage.run(batch)
  return { outputs, computeMs: milliseconds(clock.now() - startedMs) }
}

function replyOutputs(id: number, { outputs, computeMs }: ReturnType<typeof timed>): void {
  const plain = outputs.map(toPlainOutput)
  reply(id, { type: 'outputs', outputs: plain, computeMs }, buffersOf(outputs.filter(isWhole)))
}

function isWhole(output: StepOutput): output is MailedOutput {
  return output.type !== 'failed'
}

function answerMail({ id, batch }: MailedBatch, stage: Stage, mailbox: MailboxReceiver): void {
  const run = timed(stage, batch)
  const { outputs, computeMs } = run
  const isMailed = outputs.every(isWhole) && mailbox.reply({ id, outputs, computeMs })
  if (!isMailed) replyOutputs(id, run)
}

function answer(id: number, request: WorkerRequest, stage: Stage): void {
  switch (request.type) {
    case 'open-cache':
      reply(id, { type: 'cache', cache: stage.openCache(request.capacity, request.part) })
      return
    case 'close-cache':
      stage.closeCache(request.cache)
      reply(id, { type: 'done' })
      return
    case 'share-cache':
      stage.shareCache(request.from, request.to, request.rows)
      reply(id, { type: 'done' })
      return
    case 'run':
      replyOutputs(id, timed(stage, request.batch))
      return
    case 'close':
      stage.close()
      reply(id, { type: 'done' })
      port.close()
      return
    default:
      unreachable(request)
  }
}

/** An expected failure becomes a reply, a bug ends the worker. */
function tell(id: number, error: unknown): void {
  const plain = toPlainError(error)
  if (plain === undefined) throw error
  reply(id, { type: 'error', error: plain })
}

function guarded(id: number, work: () => void): void {
  try {
    work()
  } catch (error) {
    tell(id, error)
  }
}

/** Answers until it is told to close. */
function serve(stage: Stage, mailbox: MailboxReceiver): void {
  for (;;) {
    mailbox.sleep()
    for (;;) {
      // What was mailed before a message is in the mailbox by the time the message is here.
      const got = receiveMessageOnPort(port)?.message as Numbered<WorkerRequest> | undefined
      const mail = mailbox.take()
      if (got === undefined && mail === undefined) break
      const isMailFirst = mail !== undefined && (got === undefined || mail.id < got.id)
      if (isMailFirst) guarded(mail.id, () => answerMail(mail, stage, mailbox))
      if (got !== undefined) guarded(got.id, () => answer(got.id, got.body, stage))
      if (mail !== undefined && !isMailFirst) guarded(mail.id, () => answerMail(mail, stage, mailbox))
      if (got?.body.type === 'close') return
    }
  }
}

const init = workerData as WorkerInit
const started = await createStage(init).catch((error: unknown) => tell(0, error))
if (started) {
  const { stage, engine } = started
  if (typeof stage === 'number') {
    reply(0, { type: 'started', weightBytes: 0, engine, given: stage })
    port.close()
  } else {
    reply(0, { type: 'started', weightBytes: stage.weightBytes, engine })
    serve(stage, createMailboxReceiver(init.mailbox))
  }
}
