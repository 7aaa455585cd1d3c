/**
 * Questions to the person at the terminal: hidden answers, and a private screen for words that must not stay in the
 * scrollback. Without a terminal, answers are the lines of stdin. Questions go to stderr or the terminal, never to
 * stdout. Spec: docs/spec/keys.md §8.
 * @module
 */
import { closeSync, openSync } from 'node:fs'
import { StringDecoder } from 'node:string_decoder'
import { ReadStream, WriteStream } from 'node:tty'
import { HouseError } from '../base/error.ts'
import { WALLET_LIMITS } from '../base/limits.ts'
import { InterruptError } from './base-command.ts'
import { createLineEditor, type LineEditor, type LineEvent } from './line-editor.ts'

export class PromptError extends HouseError<'PROMPT_NO_TERMINAL' | 'PROMPT_NO_ANSWER' | 'PROMPT_TOO_LONG'> {}

export interface Prompter {
  /** Whether a person answers: only then does asking again make sense. */
  readonly isInteractive: boolean
  /** A question of one line whose answer is shown. */
  ask(question: string): Promise<string>
  /** A question whose answer is not shown. */
  askHidden(question: string): Promise<string>
  /** Text and a question on a screen of its own; the answer is shown while it is typed, and gone afterwards. */
  askPrivately(text: string, question: string): Promise<string>
  /** Gives the terminal back. */
  close(): void
}

/** A terminal to read keys from and to write to. */
interface Terminal {
  readonly input: ReadStream
  readonly output: WriteStream
  close(): void
}

const ENTER_SCREEN = '\u001b[?1049h\u001b[2J\u001b[H'
const LEAVE_SCREEN = '\u001b[?1049l'
const CLEAR_LINE = '\r\u001b[K'
const SAVE_CURSOR = '\u001b7'
const RESTORE_AND_CLEAR = '\u001b8\u001b[J'

/**
 * Opens the person's terminal, or the lines of stdin where stdin is no terminal. With `stdin: 'data'` stdin is
 * something else, such as the message to sign, and only the terminal itself will do.
 */
export function openPrompter(options: { readonly stdin: 'answers' | 'data' }): Prompter {
  const isPiped = !process.stdin.isTTY
  if (isPiped && options.stdin === 'answers') return linePrompter(process.stdin)
  const terminal = isPiped ? undefined : standardTerminal()
  const found = terminal ?? controllingTerminal()
  return found === undefined ? nobody() : terminalPrompter(found)
}

function standardTerminal(): Terminal | undefined {
  const output = [process.stderr, process.stdout].find((stream) => stream.isTTY)
  if (output === undefined) return undefined
  return { input: process.stdin, output, close: () => process.stdin.pause() }
}

/** The terminal of this session even where all three standard streams go elsewhere; undefined without one. */
function controllingTerminal(): Terminal | undefined {
  if (process.platform === 'win32') return undefined
  try {
    const descriptor = openSync('/dev/tty', 'r+')
    try {
      const input = new ReadStream(descriptor)
      const output = new WriteStream(openSync('/dev/tty', 'w'))
      return {
        input,
        output,
        close() {
          input.destroy()
          output.destroy()
        },
      }
    } catch {
      closeSync(descriptor)
      return undefined
    }
  } catch {
    return undefined
  }
}

function terminalPrompter(terminal: Terminal): Prompter {
  const { input, output } = terminal
  /** Keys typed or pasted after the end of a line: the beginning of the next answer. */
  let pending = ''
  const answer = async (question: string, show: (text: string) => void): Promise<string> => {
    // Raw before the question is on the screen: a fast answer would be echoed in between.
    input.setRawMode(true)
    output.write(question)
    const editor = createLineEditor(WALLET_LIMITS.secretInputBytesMax / 4)
    const event = await readKeys(input, editor, { pending, show }).finally(() => input.setRawMode(false))
    pending = event.type === 'line' ? event.rest : ''
    if (event.type !== 'line') throw new InterruptError('INTERRUPTED', 'Interrupted.')
    if (editor.isTooLong) throw new PromptError('PROMPT_TOO_LONG', 'The answer is too long.')
    return event.line
  }
  return {
    isInteractive: true,
    ask: (question) =>
      answer(question, (typed) => output.write(`${CLEAR_LINE}${question}${typed}`)).finally(() => output.write('\n')),
    askHidden: (question) => answer(question, () => undefined).finally(() => output.write('\n')),
    askPrivately(text, question) {
      const screen = `${ENTER_SCREEN}${text}\n\n${question}${SAVE_CURSOR}`
      const show = (typed: string): boolean => output.write(`${RESTORE_AND_CLEAR}${typed}`)
      return answer(screen, show).finally(() => output.write(LEAVE_SCREEN))
    },
    close: terminal.close,
  }
}

/** Reads keys until the editor has a line; the terminal is in raw mode meanwhile. */
function readKeys(
  input: ReadStream,
  editor: LineEditor,
  options: { readonly pending: string; readonly show: (text: string) => void },
): Promise<Exclude<LineEvent, { type: 'more' }>> {
  const decoder = new StringDecoder('utf8')
  return new Promise((resolve) => {
    const finish = (event: Exclude<LineEvent, { type: 'more' }>): void => {
      input.off('data', onData)
      input.off('end', onEnd)
      input.pause()
      resolve(event)
    }
    const take = (text: string): void => {
      const event = editor.feed(text)
      options.show(event.type === 'line' ? event.line : editor.text)
      if (event.type !== 'more') finish(event)
    }
    const onData = (chunk: Buffer): void => take(decoder.write(chunk))
    const onEnd = (): void => finish({ type: 'end' })
    input.on('data', onData)
    input.on('end', onEnd)
    input.resume()
    if (options.pending !== '') take(options.pending)
  })
}

/** Answers are the lines of a pipe, in the order of the questions. */
function linePrompter(stream: NodeJS.ReadStream): Prompter {
  const chunks = stream[Symbol.asyncIterator]()
  let buffered = Buffer.alloc(0)
  const nextLine = async (question: string): Promise<string> => {
    for (;;) {
      const end = buffered.indexOf(0x0a)
      if (end >= 0) {
        const line = buffered.toString('utf8', 0, end)
        buffered = buffered.subarray(end + 1)
        return line.replace(/\r$/, '')
      }
      if (buffered.length > WALLET_LIMITS.secretInputBytesMax) {
        throw new PromptError('PROMPT_TOO_LONG', 'A line of stdin is too long to be an answer.')
      }
      const next = await chunks.next()
      if (next.done) return lastLine(question)
      buffered = Buffer.concat([buffered, Buffer.from(next.value)])
    }
  }
  const lastLine = (question: string): string => {
    const line = buffered.toString('utf8')
    buffered = Buffer.alloc(0)
    if (line !== '') return line
    const asked = question.replace(/[:\s]+$/, '')
    throw new PromptError(
      'PROMPT_NO_ANSWER',
      `There is no terminal and stdin has no line for: ${asked}. Pipe it in, one line per question, or use a --…-file or --…-fd flag.`,
    )
  }
  return {
    isInteractive: false,
    ask: nextLine,
    askHidden: nextLine,
    askPrivately: (_text, question) => nextLine(question),
    close() {
      stream.destroy()
    },
  }
}

/** Where stdin is taken and there is no terminal, every question fails with what to do instead. */
function nobody(): Prompter {
  const refuse = async (question: string): Promise<string> => {
    const asked = question.replace(/[:\s]+$/, '')
    throw new PromptError(
      'PROMPT_NO_TERMINAL',
      `There is no terminal to ask for: ${asked}. Use a --…-file or --…-fd flag (\`--help\` lists them).`,
    )
  }
  return {
    isInteractive: false,
    ask: refuse,
    askHidden: refuse,
    askPrivately: (_text, question) => refuse(question),
    close: () => undefined,
  }
}
