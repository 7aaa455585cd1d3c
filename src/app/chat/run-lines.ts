/**
 * A conversation at the terminal: a plain line at a time, context kept. Ctrl-C stops the answer; at the prompt it
 * ends the chat.
 * @module
 */
import { createInterface } from 'node:readline'
import { codeOf, messageOf } from '../../base/error.ts'
import { generationFrom } from './chat-flags.ts'
import type { Conversation } from './conversation.ts'
import type { OpenChat } from './open-chat.ts'
import type { ChatRun } from './run-chat.ts'
import { traceText } from './trace.ts'

const HELP =
  'Type text and press Enter. /new forgets the conversation, /exit or Ctrl-D ends it, Ctrl-C stops an answer.'

export async function runLines(run: ChatRun, chat: OpenChat, conversation: Conversation): Promise<void> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr, prompt: '> ' })
  let answering: AbortController | undefined
  terminal.on('SIGINT', () => {
    if (answering) answering.abort()
    else terminal.close()
  })
  run.note(`${chat.model.manifest.name}, ${chat.ring.route.stages.length} stages. ${HELP}`)
  terminal.prompt()
  for await (const line of terminal) {
    const text = line.trim()
    if (text === '/exit') break
    if (text === '/help') run.note(HELP)
    else if (text === '/new') {
      conversation.reset()
      run.note('Forgotten.')
    } else if (text !== '') {
      answering = new AbortController()
      await answer(run, { chat, conversation, text: line, signal: answering.signal })
      answering = undefined
    }
    terminal.prompt()
  }
  terminal.close()
}

async function answer(
  run: ChatRun,
  given: { chat: OpenChat; conversation: Conversation; text: string; signal: AbortSignal },
): Promise<void> {
  const { chat, conversation, text, signal } = given
  const generation = generationFrom(run.flags, chat.model.manifest.generation, run.system.random)
  try {
    for await (const part of conversation.say({ text, generation, signal })) {
      if (part.type === 'text') run.print(part.text)
      else {
        run.print('\n')
        if (part.answer.reason === 'context-full') run.note('The context is full. /new starts a new conversation.')
        if (run.flags.trace) run.note(await traceText(chat, part.answer))
      }
    }
  } catch (error) {
    // A prompt that does not fit leaves the conversation as it was; anything else ends it.
    if (codeOf(error) !== 'RING_PROMPT_TOO_LONG') throw error
    run.note(messageOf(error))
  }
}
