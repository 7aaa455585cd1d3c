/**
 * Questions to a process of ours, by messages: one at a time, each with one answer.
 * @module
 */
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'

/** The answer; rejects when the process ends instead. An answer with the text `failed` is what went wrong there. */
export async function ask<Told>(child: ChildProcess, order: object): Promise<Told> {
  if (!child.connected) throw new Error('a process of the measure has ended')
  const done = new AbortController()
  const { signal } = done
  const ended = once(child, 'exit', { signal }).then(() =>
    Promise.reject(new Error('a process of the measure has ended')),
  )
  ended.catch(() => undefined)
  child.send(order)
  try {
    const [told] = (await Promise.race([once(child, 'message', { signal }), ended])) as [Told | { failed: string }]
    if (typeof told === 'object' && told !== null && 'failed' in told) throw new Error(told.failed)
    return told as Told
  } finally {
    done.abort()
  }
}

/** In a process of ours: answers its parent with what `obey` gives, and ends with its parent. */
export function answerParent<Order>(obey: (order: Order) => Promise<object>): void {
  process.on('message', (order: Order) => {
    obey(order).then(
      (told) => process.send?.(told),
      (error: unknown) =>
        process.send?.({ failed: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
    )
  })
  process.on('disconnect', () => process.exit())
}

/** Ends with it. */
export async function endChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
}
