/**
 * The program for many commands: a process that stays and runs one after the other, each through bin/run.js as a process of its own would, so that
 * only the first loads it. Started by dllm.ts; answers each `WarmCommand` with a `WarmOutcome` over its channel and ends with it.
 */
import type { WarmCommand, WarmOutcome } from './dllm.ts'

const entry = new URL('../../bin/run.js', import.meta.url)
const exit = process.exit.bind(process)
const answer: (outcome: WarmOutcome) => boolean = process.send!.bind(process)
// A command that would leave at once what keeps its process alive, or tell its starter that it is ready.
process.exit = () => undefined as never
delete process.send
let last = Promise.resolve()
let count = 0

process.on('message', (command: WarmCommand) => {
  last = last.then(() => run(command))
})
process.on('disconnect', () => exit())

async function run({ id, args }: WarmCommand): Promise<void> {
  const stdout = captured(process.stdout)
  const stderr = captured(process.stderr)
  process.argv.splice(2, Infinity, ...args)
  process.exitCode = undefined
  // A module of another name, so that it runs again.
  await import(`${entry}?${count++}`).catch((error: Error) => {
    process.exitCode = 1
    process.stderr.write(`${error.stack}\n`)
  })
  const code = Number(process.exitCode ?? 0)
  for (const event of ['error', 'drain']) process.stdout.removeAllListeners(event)
  answer({ id, code, stdout: stdout.end(), stderr: stderr.end() })
}

/** Keeps what is written until `end`. */
function captured(stream: NodeJS.WriteStream): { end(): string } {
  let text = ''
  const write = stream.write
  stream.write = (chunk: string | Uint8Array, ...rest: unknown[]) => {
    text += typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString('utf8')
    const done = rest.find((each) => typeof each === 'function')
    done?.()
    return true
  }
  return {
    end() {
      stream.write = write
      return text
    },
  }
}
