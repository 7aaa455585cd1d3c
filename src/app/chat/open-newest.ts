/**
 * Everything between what a person asked for and an open chat: the model, its newest version where the one that was named has no ring any more, what pays,
 * and the room of the session. Everything that can be refused is refused before processes are started.
 * Spec: docs/spec/cli.md §11.
 * @module
 */
import { MODEL_LIMITS } from '../../base/limits.ts'
import { parseDllm } from '../../core/units.ts'
import type { Tokenizer } from '../../ml/tokenizer.ts'
import { UsageError } from '../base-command.ts'
import { genesisTextOf } from '../chain/genesis-text.ts'
import type { ChatNeed } from '../market/client-cap.ts'
import type { ClientPayments } from '../market/client-payments.ts'
import { leaseError } from '../market/lease-error.ts'
import { openModelStore, type StoredModel } from '../model-store.ts'
import { loadTokenizer } from '../model-tokenizer.ts'
import { LOCAL_NETWORK, type Network } from '../networks.ts'
import { RingError } from '../ring/ring-error.ts'
import type { Settings } from '../settings.ts'
import { missingTokenizerFiles } from '../shards/model-files.ts'
import { findHere, modelToChat } from '../swarm/named-models.ts'
import { generationFrom } from './chat-flags.ts'
import { createChatNotes } from './chat-notes.ts'
import type { PayableChat } from './chat-payments.ts'
import type { ChatWallet } from './chat-wallet.ts'
import { type NextVersion, nextVersion } from './next-version.ts'
import { type OpenChat, openChat } from './open-chat.ts'
import type { ChatFlags, ChatRun } from './run-chat.ts'
import { notedSuccessor, noteSuccessor } from './successor-note.ts'

export interface WantedChat {
  readonly network: Network
  readonly settings: Settings
  /** undefined: a conversation. */
  readonly prompt: string | undefined
  /** Somebody is at the prompt of a conversation, which a question for a password would disturb. */
  readonly isTyping: () => boolean
  readonly purse: Purse
  /** Rows of what was said already, to a version before. */
  readonly heldRows?: number
}

/** What pays in all versions of a chat. */
export interface Purse {
  /** Opened once, so that a password is asked for once. */
  wallet: ChatWallet | undefined
  /** Grains, in versions before. */
  spent: bigint
}

export function createPurse(): Purse {
  return { wallet: undefined, spent: 0n }
}

export interface ReadyChat {
  readonly chat: OpenChat
  readonly tokenizer: Tokenizer
}

/** Follows a model to the versions that took its place, one after the other, as long as nothing was said. */
export async function openNewestChat(run: ChatRun, wanted: WantedChat): Promise<ReadyChat> {
  return openFrom(run, wanted, wanted.settings.model)
}

/** The version that took the place of the model of a chat, where that keeps it from going on; undefined: none did. */
export async function openNextChat(
  run: ChatRun,
  wanted: WantedChat,
  { why, before }: { readonly why: unknown; readonly before: OpenChat },
): Promise<ReadyChat | undefined> {
  const { model, ring, payments } = before
  const next = await nextOf(run, wanted, { error: why, model })
  if (next === undefined) return undefined
  run.note(followText(model, next))
  const purse = { ...wanted.purse, spent: wanted.purse.spent + (payments?.spent ?? 0n) }
  const ready = await openFrom(run, { ...wanted, purse, heldRows: ring.tokens.length }, next.model)
  Object.assign(wanted.purse, purse)
  return ready
}

function followText({ manifest }: StoredModel, { name }: NextVersion): string {
  return `${manifest.name} was superseded by ${name}. The chat goes on with that one.`
}

async function openFrom(run: ChatRun, wanted: WantedChat, first: string): Promise<ReadyChat> {
  let name = first
  for (let followed = 0; ; followed++) {
    const model = await modelOf(run, wanted.network, name)
    try {
      return await openVersion(run, wanted, model)
    } catch (error) {
      const next = followed < MODEL_LIMITS.versionsFollowedMax ? await nextOf(run, wanted, { error, model }) : undefined
      if (next === undefined) throw error
      run.note(followText(model, next))
      name = next.model
    }
  }
}

/** undefined: there is none, or nobody can tell. */
async function nextOf(
  { home, system, signal }: ChatRun,
  { network }: WantedChat,
  { error, model }: { readonly error: unknown; readonly model: StoredModel },
): Promise<NextVersion | undefined> {
  const open = async () => {
    if ((await genesisTextOf(home, network)) === undefined) return undefined
    const { openChain } = await import('../chain/open-chain.ts')
    return openChain({ home, network, system, signal: signal() })
  }
  const remembered = notedSuccessor(home.path, model)
  const next = await nextVersion(error, { model: model.hash, open, remembered }, signal())
  if (next !== undefined) await noteSuccessor(home.path, model, next.model)
  return next
}

async function openVersion(run: ChatRun, wanted: WantedChat, model: StoredModel): Promise<ReadyChat> {
  const { home, flags, system } = run
  const { network, settings, prompt, isTyping, purse, heldRows = 0 } = wanted
  generationFrom(flags, model.manifest.generation, system.random)
  const tokenizer = await loadTokenizer(model)
  checkSystem(flags, model, tokenizer)
  const room = roomFor(prompt, { flags, model, tokenizer, heldRows })
  const notes = createChatNotes(run, model.manifest.name)
  const paying = { network, model: model.hash, wallet: settings.wallet, isTyping, purse }
  const { payments, advice } = await paymentsOf(run, paying)
  const { threads } = settings
  const options = { home, network, model, ...room, threads, payments, advice, ...notes, signal: run.signal() }
  try {
    return { chat: await openChat(options, system), tokenizer }
  } catch (error) {
    await payments?.close()
    throw error
  }
}

/** A model that is not here comes from the network, as far as a chat needs it. */
async function modelOf({ home, system, signal, note }: ChatRun, network: Network, name: string): Promise<StoredModel> {
  const here = findHere(name, openModelStore({ home: home.path }))
  if (here !== undefined && missingTokenizerFiles(here).length === 0) return here
  return modelToChat(name, { home, network, system, signal: signal(), note })
}

const NO_LEASE = 'Make a wallet with `dllm wallet new`, receive coins there, and chat with --wallet NAME.'

/** What pays for the chat, and what to do where nothing does. Whatever has to do with money is loaded only where there is some. */
async function paymentsOf(
  run: ChatRun,
  paying: Omit<PayableChat, 'genesis' | 'cap'> & { readonly purse: Purse },
): Promise<{ readonly payments: ClientPayments | undefined; readonly advice: string }> {
  const { home, flags } = run
  const cap = flags.cap === undefined ? undefined : parseDllm(flags.cap) - paying.purse.spent
  if (flags.free && (flags.wallet !== undefined || cap !== undefined)) {
    throw new UsageError('USAGE', '--free pays nothing: leave it out, or --wallet and --cap.')
  }
  if (cap !== undefined && cap <= 0n && paying.purse.spent > 0n) throw leaseError('LEASE_SPENT')
  if (flags.free) return { payments: undefined, advice: 'Leave --free out to pay them.' }
  const genesis = await genesisTextOf(home, paying.network)
  if (genesis !== undefined) {
    const { chatPayments } = await import('./chat-payments.ts')
    return { payments: await chatPayments(run, { ...paying, genesis, cap }), advice: NO_LEASE }
  }
  if (flags.wallet === undefined || paying.network.id === LOCAL_NETWORK.id)
    return { payments: undefined, advice: NO_LEASE }
  throw new UsageError(
    'USAGE',
    `The network ${paying.network.id} has no chain, so there is nothing to pay: leave --wallet out.`,
  )
}

/** Rows of a prompt that is not typed yet. */
const PROMPT_ROWS = 64

/** Positions for one answer, and its rows; a conversation gets what --context says. Throws RING_PROMPT_TOO_LONG. */
function roomFor(
  prompt: string | undefined,
  given: { flags: ChatFlags; model: StoredModel; tokenizer: Tokenizer; heldRows: number },
): { readonly capacity: number; readonly need: ChatNeed } {
  const { flags, model, tokenizer, heldRows } = given
  const { name, config } = model.manifest
  const { contextLength } = config
  const roomOf = (capacity: number, promptRows: number) => {
    const decodeRows = Math.min(flags['max-tokens'], capacity - promptRows)
    return { capacity, need: { promptRows, decodeRows } }
  }
  if (prompt === undefined) {
    const capacity = Math.min(flags.context, contextLength)
    return roomOf(capacity, Math.min(PROMPT_ROWS + heldRows, capacity))
  }
  const messages = [
    ...(flags.system === undefined ? [] : [{ role: 'system' as const, content: flags.system }]),
    { role: 'user' as const, content: prompt },
  ]
  const rendered = tokenizer.renderChat(messages)
  const tokens = (rendered === undefined ? tokenizer.encode(prompt) : tokenizer.encodeMore(rendered)).length
  if (tokens < contextLength) return roomOf(Math.min(tokens + flags['max-tokens'], contextLength), tokens)
  const message = `The prompt is ${tokens} tokens, but ${name} takes ${contextLength} together with the answer. Shorten the prompt.`
  throw new RingError('RING_PROMPT_TOO_LONG', message, { details: { tokens, contextLength } })
}

function checkSystem(flags: ChatFlags, model: StoredModel, tokenizer: Tokenizer): void {
  if (flags.system === undefined || hasTemplate(tokenizer)) return
  const { name } = model.manifest
  throw new UsageError('USAGE', `${name} has no chat template: it continues texts, so --system has no use.`)
}

/** Whether it answers; else it continues texts. */
export function hasTemplate(tokenizer: Tokenizer): boolean {
  return tokenizer.renderChat([{ role: 'user', content: '' }]) !== undefined
}
