/**
 * A stream of items as NDJSON: `{"item":…}` per item and one last line, `{"end":true}` or `{"error":{…}}`. A stream that
 * stops without a last line was cut. Spec: docs/spec/control.md §6.
 * @module
 */

import { CONTROL_LIMITS } from '../../base/chain-limits.ts'
import { HouseError } from '../../base/error.ts'
import { controlError } from './control-errors.ts'
import { encodeText, toJson } from './json-text.ts'
import { type RpcError, rpcErrorOf } from './rpc-errors.ts'

interface StreamOptions {
  /** Ends the stream, with an error line when the reason is a HouseError. */
  readonly signal: AbortSignal
  /** The error object of what the items threw. */
  fail(error: unknown): RpcError
}

/** Asks for an item when the line before it was taken. Never throws. */
export async function* streamLines(
  items: AsyncIterable<unknown>,
  { signal, fail }: StreamOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  let iterator: AsyncIterator<unknown> | undefined
  try {
    iterator = items[Symbol.asyncIterator]()
    for (;;) {
      const next = await nextOrAborted(iterator, signal)
      // A source that listens to the signal may have ended before we look: that is no end of its own.
      if (next === 'aborted' || signal.aborted) {
        if (signal.reason instanceof HouseError) yield lineOf({ error: rpcErrorOf(signal.reason) })
        return
      }
      if (next.done === true) break
      yield itemLine(next.value)
    }
    yield lineOf({ end: true })
  } catch (error) {
    iterator = undefined
    yield lineOf({ error: fail(error) })
  } finally {
    // Not awaited: a generator that waits for something returns only when that has come, and nobody reads on.
    iterator?.return?.().catch(() => undefined)
  }
}

/** Waits for the next item no longer than until the signal fires. */
async function nextOrAborted(
  iterator: AsyncIterator<unknown>,
  signal: AbortSignal,
): Promise<IteratorResult<unknown> | 'aborted'> {
  if (signal.aborted) return 'aborted'
  let onAbort = (): void => undefined
  const aborted = new Promise<'aborted'>((resolve) => {
    onAbort = () => resolve('aborted')
  })
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await Promise.race([iterator.next(), aborted])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

function itemLine(item: unknown): Uint8Array {
  const line = lineOf({ item: item ?? null })
  if (line.length > CONTROL_LIMITS.replyBytesMax) throw controlError('CONTROL_REPLY_TOO_LARGE')
  return line
}

function lineOf(value: unknown): Uint8Array {
  return encodeText(`${toJson(value)}\n`)
}
