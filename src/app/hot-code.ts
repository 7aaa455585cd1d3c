/**
 * What a stage does for a token is compiled after some fifty tokens instead of hundreds and thousands. V8 waits for 400 calls of a function before it optimises it, and for
 * 3,000 before it does so in full, since most of a program runs seldom. A stage calls each function of its way from
 * socket to socket once per token, of which a chat has a hundred: its first chats, and those of stages that hold few, would be served by slow code.
 * @module
 */
import { setFlagsFromString } from 'node:v8'

/**
 * Calls of a function, with objects of the shapes that it has seen by then. Of 20 and 100 calls the code of three stages is no faster, and takes 4 MB more.
 */
const FLAGS = [
  '--invocation-count-for-maglev=50',
  '--invocation-count-for-turbofan=500',
  '--minimum-invocations-after-ic-update=50',
]

/** For this process, from now on: once it is ready, since what made it so runs no more. */
export function compileHotCodeSoon(): void {
  for (const flag of FLAGS) setFlagsFromString(flag)
}
