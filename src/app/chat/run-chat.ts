/**
 * The chat command's work: one answer, or a line-by-line conversation, for people or as NDJSON.
 * @module
 */
import { INPUT_LIMITS } from '../../base/limits.ts'
import type { Tokenizer } from '../../ml/tokenizer.ts'
import { UsageError } from '../base-command.ts'
import { loadConfig } from '../config.ts'
import type { Home } from '../home.ts'
import { loadNetwork } from '../networks.ts'
import type { System } from '../system.ts'
import { type GenerationFlags, generationFrom } from './chat-flags.ts'
import { type Answer, type Conversation, createConversation } from './conversation.ts'
import { type OpenChat, openChat } from './open-chat.ts'
import { runLines } from './run-lines.ts'
import { readStdin } from './stdin-text.ts'
import { traceText } from './trace.ts'

export interface ChatFlags extends GenerationFlags {
  readonly model?: string | undefined
  readonly network?: string | undefined
  readonly system?: string | undefined
  readonly stop?: string[] | undefined
  readonly trace: boolean
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
}

export async function runChat(run: ChatRun): Promise<ChatResult | undefined> {
  const { flags, system } = run
  const prompt = run.prompt ?? (process.stdin.isTTY ? undefined : await readStdin(INPUT_LIMITS.promptCharactersMax))
  if (prompt === undefined && run.isJson) throw new UsageError('USAGE', '--json needs a prompt, or text on stdin.')
  const { settings } = await loadConfig({ home: run.home, env: process.env, flags: { network: flags.network } })
  const network = await loadNetwork(run.home, settings.network)
  const chat = await openChat(
    {
      home: run.home,
      network,
      model: flags.model ?? settings.model,
      threads: settings.threads,
      capacityFor: (tokenizer, contextLength) => capacityFor(prompt, { flags, tokenizer, contextLength }),
      onStarted: (miners) => run.note(startedNote(flags.model ?? settings.model, miners)),
      signal: run.signal(),
    },
    system,
  )
  try {
    checkSystem(run, chat)
    const conversation = createConversation(
      { ring: chat.ring, tokenizer: chat.tokenizer, system: flags.system, stop: flags.stop ?? [] },
      system,
    )
    if (prompt === undefined) {
      await runLines(run, chat, conversation)
      return undefined
    }
    return await answerOnce(run, { chat, conversation, prompt })
  } finally {
    await chat.close()
  }
}

function startedNote(model: string, miners: number): string {
  const count = miners === 1 ? 'one miner process' : `${miners} miner processes`
  return `Started the local network: ${count} for ${model}. They stay for the next chat; \`dllm devnet down\` stops them.`
}

/** Positions for one answer; a conversation gets the whole context. */
function capacityFor(
  prompt: string | undefined,
  given: { flags: ChatFlags; tokenizer: Tokenizer; contextLength: number },
): number {
  const { flags, tokenizer, contextLength } = given
  if (prompt === undefined) return contextLength
  const messages = [
    ...(flags.system === undefined ? [] : [{ role: 'system' as const, content: flags.system }]),
    { role: 'user' as const, content: prompt },
  ]
  const rendered = tokenizer.renderChat(messages)
  const tokens = rendered === undefined ? tokenizer.encode(prompt) : tokenizer.encodeMore(rendered)
  return tokens.length + flags['max-tokens']
}

function checkSystem({ flags }: ChatRun, chat: OpenChat): void {
  if (flags.system === undefined || chat.tokenizer.renderChat([{ role: 'user', content: '' }]) !== undefined) return
  throw new UsageError(
    'USAGE',
    `${chat.model.manifest.name} has no chat template: it continues texts, so --system has no use.`,
  )
}

async function answerOnce(
  run: ChatRun,
  given: { chat: OpenChat; conversation: Conversation; prompt: string },
): Promise<ChatResult> {
  const { chat, conversation, prompt } = given
  const generation = generationFrom(run.flags, chat.model.manifest.generation, run.system.random)
  const signal = run.signal()
  let answer: Answer | undefined
  for await (const part of conversation.say({ text: prompt, generation, signal })) {
    if (part.type === 'end') answer = part.answer
    else {
      run.print(part.text)
      run.emit(part)
    }
  }
  if (process.stdout.isTTY) run.print('\n')
  signal.throwIfAborted()
  if (run.flags.trace) run.note(await traceText(chat, answer!))
  return resultOf(chat, answer!)
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
  }
}
