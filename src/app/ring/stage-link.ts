/**
 * The outgoing link of a stage: steps to the next stage, with a credit window for prefill frames. A stream's reader
 * has no back-pressure of its own, so the next stage acknowledges each prefill frame when it has passed it on; a
 * slow stage thereby slows the whole ring down to stage 1.
 * Spec: docs/spec/wire.md §4.3.
 * @module
 */
import { assert } from '../../base/assert.ts'
import { codeOf } from '../../base/error.ts'
import { SESSION_LIMITS } from '../../base/limits.ts'
import {
  decodeStageMessage,
  encodeStageMessage,
  type StageMessage,
  type StageMessageOf,
} from '../../net/protocols/stage.ts'
import type { Channel } from '../../net/wire.ts'
import { badMessage, linkLost, RingError } from './ring-error.ts'
import type { Neighbour } from './ring-place.ts'

export interface StageLink {
  /** Sends now. */
  send(message: StageMessage): void
  /** Waits until fewer than the allowed prefill frames are unacknowledged; rejects when the link is lost. */
  credit(): Promise<void>
  /** Reads acknowledgements until the link ends; rejects with the reason when it is cut or misused. */
  readonly finished: Promise<void>
  readonly channel: Channel
}

/** `onCountersignature`: of the next stage, about what it received. */
export function createStageLink(
  channel: Channel,
  onCountersignature: (message: StageMessageOf<'countersignature'>) => void,
): StageLink {
  let unacknowledged = 0
  let waiting: { resolve: () => void; reject: (error: unknown) => void } | undefined
  const release = (act: (waiter: NonNullable<typeof waiting>) => void) => {
    const waiter = waiting
    waiting = undefined
    if (waiter) act(waiter)
  }
  const read = async (): Promise<void> => {
    for (let bytes = await channel.receive(); bytes !== undefined; bytes = await channel.receive()) {
      const message = decodeStageMessage(bytes)
      if (message.type === 'failed') {
        throw new RingError('RING_LINK_LOST', `The next stage refused the link: ${message.message}`, {
          details: { stageCode: message.code },
        })
      }
      if (message.type === 'countersignature') {
        onCountersignature(message)
        continue
      }
      if (message.type !== 'acknowledge' || unacknowledged === 0) {
        throw badMessage(`The next stage sent "${message.type}" where no such message was due.`)
      }
      unacknowledged--
      release((waiter) => waiter.resolve())
    }
  }
  const finished = read()
  finished.then(
    () => release((waiter) => waiter.reject(new RingError('RING_LINK_LOST', 'The next stage closed its link.'))),
    (error: unknown) => release((waiter) => waiter.reject(error)),
  )
  return {
    channel,
    finished,
    send: (message) => {
      if (message.type === 'step' && message.acknowledge) unacknowledged++
      channel.send(encodeStageMessage(message))
    },
    credit: async () => {
      if (unacknowledged < SESSION_LIMITS.prefillChunksInFlightMax) return
      await new Promise<void>((resolve, reject) => {
        waiting = { resolve, reject }
      })
    },
  }
}

/** A link that ends while the session lives is lost, whatever the neighbour's reason. */
export function watchLink(
  finished: Promise<void>,
  neighbour: Neighbour | undefined,
  fail: (error: unknown) => void,
): void {
  assert(neighbour, 'a link leads to a neighbour')
  const lost = linkLost(neighbour)
  finished.then(
    () => fail(lost),
    (error: unknown) => fail(codeOf(error)?.startsWith('WIRE_') ? lost : error),
  )
}
