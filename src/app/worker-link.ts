/**
 * The main thread's end of what it and an engine worker say to each other (app/worker-messages.ts): pairs answers with questions. Batches that fit
 * go through shared memory (app/step-mailbox.ts), where the worker has such.
 * @module
 */
import type { Worker } from 'node:worker_threads'
import { assert } from '../base/assert.ts'
import { messageOf } from '../base/error.ts'
import { EngineError, type StepInput } from '../ml/engine/engine.ts'
import type { MailboxSender } from './step-mailbox.ts'
import { buffersOf, type Numbered, toEngineError, type WorkerReply, type WorkerRequest } from './worker-messages.ts'

type ReplyOf<Type extends WorkerReply['type']> = Extract<WorkerReply, { type: Type }>

export interface WorkerLink {
  /** What the worker says first. Rejects with what stopped it. */
  readonly started: Promise<ReplyOf<'started'>>
  /** Rejects with the worker's error, or ENGINE_UNAVAILABLE when it is gone. */
  ask<Type extends WorkerReply['type']>(body: WorkerRequest, type: Type): Promise<ReplyOf<Type>>
  run(batch: readonly StepInput[]): Promise<ReplyOf<'outputs'>>
  /** As BatchRunner. */
  readonly lost: Promise<EngineError>
  close(): Promise<void>
}

/** The worker has just been started. */
export function linkTo(worker: Worker, mailbox?: MailboxSender): WorkerLink {
  const answers = createAnswers(mailbox)
  worker.on('message', answers.settle)
  mailbox?.listen(({ id, outputs, computeMs }) => answers.settle({ id, body: { type: 'outputs', outputs, computeMs } }))
  worker.on('error', (error) => answers.fail(messageOf(error)))
  worker.on('exit', () => answers.fail('its thread ended.'))

  let nextId = 1
  /** The request in the mailbox; its answer may come as a message. */
  let mailed: Promise<unknown> | undefined
  const send = <Type extends WorkerReply['type']>(
    body: WorkerRequest,
    type: Type,
    transfer: ArrayBuffer[] = [],
  ): Promise<ReplyOf<Type>> => {
    const id = nextId++
    const reply = answers.wait(id, type)
    worker.postMessage({ id, body } satisfies Numbered<WorkerRequest>, transfer)
    mailbox?.ring()
    return reply
  }
  return {
    started: answers.wait(0, 'started'),
    ask: send,
    run: async (batch) => {
      if (mailed === undefined && !answers.isLost() && mailbox?.put({ id: nextId, batch })) {
        const reply = answers.wait(nextId++, 'outputs')
        mailed = reply
        return reply.finally(() => {
          mailed = undefined
        })
      }
      const transfer = buffersOf(batch.map(({ input }) => (input.type === 'hidden' ? input : {})))
      return send({ type: 'run', batch }, 'outputs', transfer)
    },
    lost: answers.lost,
    close: async () => {
      answers.close()
      if (!answers.isLost()) await send({ type: 'close' }, 'done')
      await worker.terminate()
    },
  }
}

interface Pending {
  readonly resolve: (reply: WorkerReply) => void
  readonly reject: (error: unknown) => void
}

interface Answers {
  wait<Type extends WorkerReply['type']>(id: number, type: Type): Promise<ReplyOf<Type>>
  readonly settle: (reply: Numbered<WorkerReply>) => void
  /** Everybody who waits is told, and whoever asks later. */
  fail(why: string): void
  isLost(): boolean
  readonly lost: Promise<EngineError>
  /** What is lost from now on is no loss. */
  close(): void
}

function createAnswers(mailbox: MailboxSender | undefined): Answers {
  const pending = new Map<number, Pending>()
  const loss = Promise.withResolvers<EngineError>()
  let lost: EngineError | undefined
  let isClosing = false
  const fail = (why: string): void => {
    lost ??= new EngineError('ENGINE_UNAVAILABLE', `The engine stopped: ${why}`)
    if (!isClosing) loss.resolve(lost)
    for (const { reject } of pending.values()) reject(lost)
    pending.clear()
    mailbox?.close()
  }
  return {
    wait: <Type extends WorkerReply['type']>(id: number, type: Type) =>
      new Promise<ReplyOf<Type>>((resolve, reject) => {
        if (lost) return reject(lost)
        const take = (reply: WorkerReply): void => {
          assert(reply.type === type, 'the worker answers what it was asked')
          resolve(reply as ReplyOf<Type>)
        }
        pending.set(id, { resolve: take, reject })
      }),
    settle: ({ id, body }) => {
      if (body.type === 'lost') return fail(body.why)
      const waiting = pending.get(id)
      pending.delete(id)
      if (body.type === 'error') waiting?.reject(toEngineError(body.error))
      else waiting?.resolve(body)
    },
    fail,
    isLost: () => lost !== undefined,
    lost: loss.promise,
    close: () => {
      isClosing = true
    },
  }
}
