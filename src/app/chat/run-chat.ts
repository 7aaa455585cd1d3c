/**
 * The chat command's work: one answer, or a line-by-line conversation, for people or as NDJSON.
 * @module
 */
import { styleText } from 'node:util'
import { INPUT_LIMITS } from '../../base/limits.ts'
import type { ChatMessage } from '../../ml/chat-template.ts'
import { UsageError } from '../base-command.ts'
import { loadConfig } from '../config.ts'
import { startLocalChainLater } from '../devnet/local-chain.ts'
import type { Home } from '../home.ts'
import type { StoredModel } from '../model-store.ts'
import { LOCAL_NETWORK, loadNetwork, type Network } from '../networks.ts'
import type { System } from '../system.ts'
import { type GenerationFlags, generationFrom } from './chat-flags.ts'
import { type Answer, type AnswerPart, type Conversation, createConversation } from './conversation.ts'
import type { OpenChat } from './open-chat.ts'
import { createPurse, hasTemplate, openNewestChat, openNextChat, type ReadyChat } from './open-newest.ts'
import { runLines } from './run-lines.ts'
import { readStdin } from './stdin-text.ts'
import { createTalk } from './talk.ts'
import { traceText } from './trace.ts'

export interface ChatFlags extends GenerationFlags {
  readonly model?: string | undefined
  readonly network?: string | undefined
  readonly system?: string | undefined
  readonly stop?: string[] | undefined
  readonly trace: boolean
  readonly drafts: string
  readonly context: number
  /** No lease. */
  readonly free: boolean
  readonly wallet?: string | undefined
  readonly account: number
  /** DLLM. */
  readonly cap?: string | undefined
  readonly 'password-file': string | undefined
  readonly 'password-fd': number | undefined
}

export interface ChatRun {
  readonly home: Home
  readonly prompt: string | undefined
  readonly flags: ChatFlags
  readonly system: System
  /** Reading it takes over Ctrl-C. */
  readonly signal: () => AbortSignal
  readonly isJson: boolean
  readonly print: (text: string) => void
  readonly note: (text: string) => void
  readonly emit: (value: object) => void
}

/** What `--json` prints last. */
export interface ChatResult {
  readonly type: 'end'
  readonly model: string
  readonly text: string
  readonly reason: string
  readonly promptTokens: number
  readonly tokens: number
  readonly firstTokenMs: number
  readonly tokensPerSecond: number
  readonly stages: number
  /** Grains, and the lease that pays them; absent where the answer was free. */
  readonly cost?: bigint
  readonly lease?: string
}

export async function runChat(run: ChatRun): Promise<ChatResult | undefined> {
  const { home, flags, system } = run
  const prompt = await promptOf(run)
  const { settings } = await loadConfig({
    home,
    env: process.env,
    flags: { network: flags.network, model: flags.model },
  })
  const network = await loadNetwork(home, settings.network)
  let isTyping = false
  const wanted = { network, settings, prompt, isTyping: () => isTyping, purse: createPurse() }
  const ready = await openNewestChat(run, wanted)
  const draftsMax = flags.drafts === 'off' ? 0 : undefined
  const conversationOn = ({ chat: { ring }, tokenizer }: ReadyChat, said?: readonly ChatMessage[]): Conversation =>
    createConversation({ ring, tokenizer, system: flags.system, stop: flags.stop ?? [], said, draftsMax }, system)
  const first = { chat: ready.chat, conversation: conversationOn(ready) }
  const talk = createTalk({
    first,
    async next(why, before, said) {
      const later = await openNextChat(run, wanted, { why, before })
      return later && { chat: later.chat, conversation: conversationOn(later, said) }
    },
    generationOf: ({ manifest }) => generationFrom(flags, manifest.generation, system.random),
  })
  try {
    const { chat } = ready
    const continuesText = !hasTemplate(ready.tokenizer)
    if (prompt !== undefined) {
      const { conversation } = first
      const result = await answerOnce(run, { chat, conversation, prompt, continuesText })
      if (flags.trace) run.note(await chainTrace(run, network))
      return result
    }
    if (network.id === LOCAL_NETWORK.id) await startLocalChainLater(home)
    isTyping = true
    await runLines(run, { talk, continuesText })
    return undefined
  } finally {
    await talk.close()
    // Afterwards, so that it does not compete with the first words for the machine.
    if (network.id === LOCAL_NETWORK.id) await startLocalChainLater(home)
  }
}

/** What the chat has cost so far, where it costs something. */
function costOf({ payments }: OpenChat): Pick<ChatResult, 'cost' | 'lease'> {
  const lease = payments?.lease
  return payments === undefined || lease === undefined ? {} : { cost: payments.spent, lease: lease.id }
}

/** The newest block, from a node of ours or proved to a light client. The local chain is waited for. */
async function chainTrace({ home, system, signal, note }: ChatRun, network: Network): Promise<string> {
  const { chainLine, findChainStatus } = await import('../chain/chain-status.ts')
  if (network.id === LOCAL_NETWORK.id) await startLocalChainLater(home)
  const status = await findChainStatus({ home, network, system, signal: signal(), note })
  return chainLine(status, system.clock.wallMs())
}

/** The prompt from the command line, or from stdin unless that is a terminal; undefined: line by line. */
async function promptOf(run: ChatRun): Promise<string | undefined> {
  if (run.prompt !== undefined) return checkedLength(run.prompt)
  if (process.stdin.isTTY && !run.isJson) return undefined
  const text = process.stdin.isTTY ? undefined : await readStdin(INPUT_LIMITS.promptCharactersMax)
  if (text !== undefined) return text
  const why = process.stdin.isTTY ? '--json needs a prompt' : 'There is no prompt, and nothing on stdin'
  throw new UsageError('USAGE', `${why}. Give one as an argument; "" lets the model start from nothing.`)
}

function checkedLength(prompt: string): string {
  if (prompt.length <= INPUT_LIMITS.promptCharactersMax) return prompt
  throw new UsageError('USAGE', `The prompt is longer than ${INPUT_LIMITS.promptCharactersMax} characters. Shorten it.`)
}

async function answerOnce(
  run: ChatRun,
  given: { chat: OpenChat; conversation: Conversation; prompt: string; continuesText: boolean },
): Promise<ChatResult> {
  const { chat, conversation, prompt } = given
  const generation = generationFrom(run.flags, chat.model.manifest.generation, run.system.random)
  const signal = run.signal()
  // A model without template continues the text: at a terminal the whole of it is shown, as one.
  if (process.stdout.isTTY && given.continuesText) run.print(styleText('dim', prompt))
  let answer: Answer | undefined
  for await (const part of conversation.say({ text: prompt, generation, signal })) {
    if (part.type === 'end') answer = part.answer
    else {
      run.print(part.text)
      run.emit(eventOf(part))
    }
  }
  if (process.stdout.isTTY) run.print('\n')
  signal.throwIfAborted()
  const why = endText(answer!, chat.model)
  if (why !== undefined) run.note(why)
  if (run.flags.trace) run.note(await traceText(chat, answer!))
  return resultOf(chat, answer!)
}

/** Why an answer ends where nobody wanted it to. */
export function endText({ reason }: Answer, { manifest: { name, config } }: StoredModel): string | undefined {
  if (reason === 'lease-spent') return 'The answer ends here because what was set aside for it is used up.'
  if (reason !== 'context-full') return undefined
  return `The answer ends here because the context of ${name}, ${config.contextLength} tokens, is full.`
}

/** Text that was held back until the end belongs to no token. */
function eventOf(part: Extract<AnswerPart, { type: 'text' }>): object {
  return part.token < 0 ? { type: part.type, text: part.text } : part
}

function resultOf(chat: OpenChat, answer: Answer): ChatResult {
  const { text, reason, promptTokens, tokens } = answer
  const decodeMs = answer.totalMs - answer.firstMs
  return {
    type: 'end',
    model: chat.model.manifest.name,
    text,
    reason,
    promptTokens,
    tokens,
    firstTokenMs: Math.round(answer.firstMs),
    tokensPerSecond: tokens > 1 ? Number((((tokens - 1) * 1_000) / decodeMs).toFixed(2)) : 0,
    stages: chat.ring.route.stages.length,
    ...costOf(chat),
  }
}
