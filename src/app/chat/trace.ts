/**
 * What `--trace` shows: the route and what each stage took, from the stages' own counts.
 * @module
 */
import { formatBytes, table } from '../table.ts'
import type { Answer } from './conversation.ts'
import type { OpenChat } from './open-chat.ts'
import { costText } from './payment-notes.ts'

export async function traceText({ client, ring, model, payments }: OpenChat, answer: Answer): Promise<string> {
  const statistics = await ring.statistics()
  const offers = client.book.ofModel(model.hash)
  const rows = ring.route.stages.map(({ peer, firstSegment, lastSegment }, index) => {
    const { steps, rows: positions, computeMs, queueMs, bytesReceived, bytesSent } = statistics[index]!
    return {
      '#': index + 1,
      peer: shortPeer(peer),
      segments: segmentText(firstSegment, lastSegment),
      device: offers.find((offer) => offer.peer === peer)?.device ?? '',
      rows: positions,
      'ms/step': (computeMs / Math.max(steps, 1)).toFixed(2),
      wait: (queueMs / Math.max(steps, 1)).toFixed(2),
      in: formatBytes(bytesReceived),
      out: formatBytes(bytesSent),
    }
  })
  const seconds = (answer.totalMs - answer.firstMs) / 1_000
  const rate = answer.tokens > 1 ? ((answer.tokens - 1) / seconds).toFixed(1) : '–'
  const computeMs = statistics.reduce((sum, one) => sum + one.computeMs, 0)
  const summary =
    `${answer.tokens} tokens (${answer.reason}) after ${answer.promptTokens} prompt tokens; first after ` +
    `${answer.firstMs.toFixed(0)} ms, then ${rate} per second; ${((100 * computeMs) / answer.totalMs).toFixed(0)} % of the time in engines.`
  const { drafts, draftsKept } = statistics[0]!
  const guessed = drafts === 0 ? '' : ` ${draftsKept} of ${drafts} drafts were right.`
  const known = statistics.map(({ recalled }) => recalled)
  const recalled = known.every((count) => count === 0)
    ? ''
    : ` Recalled, not computed, at each stage: ${known.join(', ')} rows.`
  const cost = payments?.lease === undefined ? '' : `\n${costText(payments.spent, payments.lease.id)}`
  return `\n${table(rows)}${summary}${guessed}${recalled}${cost}`
}

/** The end of a peer id tells peers apart; the beginning is the same for all of one kind. */
export function shortPeer(peer: string): string {
  return `…${peer.slice(-6)}`
}

/** Segments as people count them: from 1, both ends included. */
export function segmentText(firstSegment: number, lastSegment: number): string {
  return lastSegment - firstSegment === 1 ? `${lastSegment}` : `${firstSegment + 1}-${lastSegment}`
}
