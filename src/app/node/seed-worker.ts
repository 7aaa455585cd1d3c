/**
 * Entry of the thread that makes and checks seed signatures: pairings take tens of milliseconds, for which the event loop
 * must not stand still. Spec: docs/spec/consensus.md §2.
 * @module
 */
import { parentPort } from 'node:worker_threads'
import { blsSign, blsVerify } from '../../core/bls.ts'
import type { SeedAnswer, SeedTask } from './seed-thread.ts'

const port = parentPort!
port.on('message', (task: SeedTask) => {
  const { id } = task
  const answer: SeedAnswer =
    task.type === 'sign'
      ? { id, type: 'signed', signature: blsSign(task.message, task.secret) }
      : { id, type: 'verified', isValid: blsVerify(task.signed) }
  port.postMessage(answer)
})
