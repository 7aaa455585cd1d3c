/**
 * The program at a terminal, as people have it, by util-linux's `script`.
 * @module
 */
import { spawn, spawnSync } from 'node:child_process'
import { type Outcome, PROGRAM, plainEnvironment, watch } from './dllm.ts'

const SCRIPT = 'script'

/** Whether there is a way to have one. */
export const hasTerminal = process.platform === 'linux' && spawnSync(SCRIPT, ['--version']).status === 0

export interface AtTerminal {
  type(keys: string): void
  /** The text since the last call, once `pattern` is in it. */
  see(pattern: RegExp): Promise<string>
  readonly ended: Promise<Outcome>
}

/** The line in which a conversation waits for somebody to type. */
export const PROMPTED: RegExp = /> (?:.\[3G)?$/

export function atTerminal(args: readonly string[]): AtTerminal {
  const command = [process.execPath, PROGRAM, ...args].map((word) => `'${word}'`).join(' ')
  const child = spawn(SCRIPT, ['-qec', command, '/dev/null'], { env: { ...plainEnvironment(), TERM: 'xterm' } })
  const { printed, ended } = watch(child)
  let seen = 0
  return {
    type: (keys) => void child.stdin.write(keys),
    async see(pattern) {
      const from = seen
      const text = await printed(pattern, from)
      seen = text.length
      return text.slice(from)
    },
    ended,
  }
}
