/**
 * Work that a duty begins at one block and that ends at another: each thing once at a time, by its name.
 * @module
 */
import { codeOf, messageOf } from '../../base/error.ts'
import type { Log } from '../../base/ports.ts'

export interface Tasks {
  /** Begins a task, unless the one of this name still runs. A failure goes to the log, and to `onFailure`. */
  begin(name: string, task: () => Promise<void>, onFailure?: (error: unknown) => void): void
  isRunning(name: string): boolean
  /** Resolves when none runs. */
  idle(): Promise<void>
}

export function createTasks(log: Log): Tasks {
  const running = new Map<string, Promise<void>>()
  return {
    begin(name, task, onFailure) {
      if (running.has(name)) return
      const ended = task()
        .catch((error: unknown) => {
          log.write('warn', 'audit.task_failed', { task: name, code: codeOf(error), why: messageOf(error) })
          onFailure?.(error)
        })
        .finally(() => running.delete(name))
      running.set(name, ended)
    },
    isRunning: (name) => running.has(name),
    async idle() {
      while (running.size > 0) await Promise.all(running.values())
    },
  }
}
