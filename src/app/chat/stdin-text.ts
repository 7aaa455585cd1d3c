/**
 * The whole of stdin as text, bounded.
 * @module
 */
import { UsageError } from '../base-command.ts'

/** Throws USAGE when there is more than `charactersMax`. A final line end is not part of the text. */
export async function readStdin(charactersMax: number): Promise<string> {
  let text = ''
  process.stdin.setEncoding('utf8')
  for await (const part of process.stdin) {
    text += String(part)
    if (text.length > charactersMax) {
      throw new UsageError('USAGE', `The prompt on stdin is longer than ${charactersMax} characters.`)
    }
  }
  return text.replace(/\r?\n$/, '')
}
