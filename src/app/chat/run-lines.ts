/**
 * A conversation at the terminal: a plain line at a time, context kept. Ctrl-C stops the answer; at the prompt it
 * empties the line, or ends the chat when that is empty.
 * @module
 */
import { createInterface, type Interface } from 'node:readline'
import { HouseError } from '../../base/error.ts'
import type { Answer } from './conversation.ts'
import { type ChatRun, endText } from './run-chat.ts'
import type { Talk } from './talk.ts'
import { traceText } from './trace.ts'

const HELP = `Type text and press Enter.
  /new    forgets the conversation
  /exit   ends it, like Ctrl-D
  Ctrl-C  stops an answer`

export interface LinesOptions {
  readonly talk: Talk
  /** The model has no chat template: it goes on with what is typed. */
  readonly continuesText: boolean
}

export async function runLines(run: ChatRun, options: LinesOptions): Promise<void> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr, prompt: '> ' })
  let answering: AbortController | undefined
  terminal.on('SIGINT', () => {
    if (answering) answering.abort()
    else if (terminal.line !== '') emptyLine(terminal)
    else terminal.close()
  })
  run.signal().addEventListener('abort', () => {
    answering?.abort()
    terminal.close()
  })
  run.note(greeting(options))
  terminal.prompt()
  for await (const line of terminal) {
    const text = line.trim()
    if (text === '/exit') break
    if (/^\/[a-z]+$/.test(text)) run.note(obey(text, options.talk))
    else if (text !== '') {
      answering = new AbortController()
      await answer(run, { ...options, text: line, signal: answering.signal })
      answering = undefined
    }
    terminal.prompt()
  }
  terminal.close()
  if (process.stderr.isTTY) run.note('')
  run.signal().throwIfAborted()
}

function greeting({ talk: { chat }, continuesText }: LinesOptions): string {
  const { name } = chat.model.manifest
  const { length } = chat.ring.route.stages
  const miners = length === 1 ? 'one miner' : `${length} miners`
  const kind = continuesText ? ` ${name} continues texts: begin one, and press Enter.` : ''
  return `Chatting with ${name} on ${miners}; /help lists the commands.${kind}`
}

/** Answers a command. */
function obey(command: string, talk: Talk): string {
  if (command === '/help') return HELP
  if (command !== '/new') return `There is no command ${command}. ${HELP}`
  talk.reset()
  return 'Forgotten.'
}

function emptyLine(terminal: Interface): void {
  terminal.write(null, { ctrl: true, name: 'e' })
  terminal.write(null, { ctrl: true, name: 'u' })
}

async function answer(run: ChatRun, given: LinesOptions & { text: string; signal: AbortSignal }): Promise<void> {
  const { talk, text, signal } = given
  try {
    for await (const part of talk.say({ text, signal })) {
      if (part.type === 'text') run.print(part.text)
      else {
        run.print('\n')
        const { chat } = talk
        const why = endText(part.answer, chat.model)
        if (why !== undefined) run.note(`${why} ${adviceAfter(part.answer, run)}`)
        if (run.flags.trace) run.note(await traceText(chat, part.answer))
      }
    }
  } catch (error) {
    // The conversation stays as it was, and the next line tries again.
    if (!(error instanceof HouseError)) throw error
    run.note(`Error: ${error.message} (${error.code})`)
  }
}

/** What the next line does about an end that nobody wanted. */
function adviceAfter({ reason }: Answer, { flags }: ChatRun): string {
  if (reason === 'context-full') return '/new starts afresh.'
  return flags.cap === undefined
    ? 'The next line opens another lease.'
    : 'Start another chat, or one with a higher --cap.'
}
