/**
 * The whole of stdin as text, bounded.
 * @module
 */
import { messageOf } from '../../base/error.ts'
import { UsageError } from '../base-command.ts'

/**
 * Undefined when nothing comes: a closed stdin, or /dev/null as in many scripts. A final line end is not part of the
 * text. Throws USAGE when there is more than `charactersMax`, or when stdin cannot be read.
 */
export async function readStdin(charactersMax: number): Promise<string | undefined> {
  let text = ''
  for await (const part of readParts()) {
    text += part
    if (text.length > charactersMax) {
      throw new UsageError('USAGE', `The prompt on stdin is longer than ${charactersMax} characters. Shorten it.`)
    }
  }
  return text === '' ? undefined : text.replace(/\r?\n$/, '')
}

async function* readParts(): AsyncGenerator<string, void, void> {
  try {
    process.stdin.setEncoding('utf8')
    for await (const part of process.stdin) yield String(part)
  } catch (error) {
    throw new UsageError('USAGE', `The prompt cannot be read from stdin: ${messageOf(error)}.`)
  }
}
