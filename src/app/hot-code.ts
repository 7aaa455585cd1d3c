/**
 * What a stage does for a token is compiled after dozens of tokens instead of thousands. V8 waits for 400 calls of a function before it optimises it, and for
 * 3,000 before it does so in full, since most of a program runs seldom. A stage calls each function of its way from
 * socket to socket once per token, of which a chat has a hundred: its first chats, and those of stages that hold few, would be served by slow code.
 * @module
 */
import { setFlagsFromString } from 'node:v8'

/** Calls of a function, with objects of the shapes that it has seen by then. */
const FLAGS = [
  '--invocation-count-for-maglev=20',
  '--invocation-count-for-turbofan=100',
  '--minimum-invocations-after-ic-update=20',
]

/** For this process, from now on. */
export function compileHotCodeSoon(): void {
  for (const flag of FLAGS) setFlagsFromString(flag)
}
