/**
 * Text to token ids and back, by a Hugging Face tokenizer.json. Encoding is @huggingface/tokenizers; decoding is
 * ours (token-text.ts), because it must run one token at a time. Knows no files.
 * Costly to import: commands load it when they need it. Spec: docs/spec/model.md §8.
 * @module
 */
import { Tokenizer as HuggingFaceTokenizer } from '@huggingface/tokenizers'
import { messageOf, shown } from '../base/error.ts'
import { MODEL_LIMITS } from '../base/limits.ts'
import { type ChatMessage, type ChatRenderer, createChatRenderer, templateOf } from './chat-template.ts'
import type { ModelConfig } from './config.ts'
import { type JsonFields, readFields } from './json-fields.ts'
import { ModelError } from './model-error.ts'
import { createStream, createTokenDecoder, type TextStream, type TokenNames } from './token-text.ts'

export interface Tokenizer {
  /** Ids of a text, after the begin token where the model has one. Throws TOKENIZER_EMPTY_TEXT if that leaves none. */
  encode(text: string): number[]
  /** Ids of a text alone, without begin token: what follows in a conversation. Special tokens in it are recognised. */
  encodeMore(text: string): number[]
  /** Text of tokens. After `context`, tokens whose text is already shown, the text goes on; without it, it starts. */
  createTextStream(context?: readonly number[]): TextStream
  /** Text that `encodeMore` turns into the prompt of a chat; undefined for a model without template. */
  renderChat(messages: readonly ChatMessage[]): string | undefined
  readonly beginToken: number | undefined
  readonly endTokens: readonly number[]
}

export interface TokenizerOptions {
  /** Parsed tokenizer.json. */
  readonly tokenizerJson: unknown
  /** Parsed tokenizer_config.json, where there is one. */
  readonly tokenizerConfig?: unknown
  /** chat_template.jinja, which goes before the template of tokenizer_config.json. */
  readonly chatTemplate?: string | undefined
  readonly config: Pick<ModelConfig, 'vocabularySize' | 'beginToken' | 'endTokens'>
}

/** Special tokens that a configuration may name, and that templates may use. */
const SPECIALS = ['bos_token', 'eos_token', 'unk_token', 'pad_token'] as const

/**
 * Throws TOKENIZER_BAD for a file that is no BPE tokenizer or belongs to another model, and
 * TOKENIZER_NO_SPECIAL_TOKEN where a named special token is not in it.
 */
export function createTokenizer(options: TokenizerOptions): Tokenizer {
  const { config } = options
  const json = readFields(options.tokenizerJson, badJson)
  const settings = readFields(options.tokenizerConfig ?? {}, badSettings)
  const library = loadLibrary(json, options)
  const names = readNames(json, library, config.vocabularySize)
  const specials = readSpecials(settings, library)
  const decoder = createTokenDecoder(json.raw('decoder'), names)
  const beginToken = findBeginToken({ settings, library, specials, config })
  const render = createRenderer(options.chatTemplate ?? templateOf(settings.raw('chat_template')), specials)
  const encodeMore = (text: string): number[] => checkIds(encodeWith(library, text), config.vocabularySize)
  return {
    beginToken,
    endTokens: endTokensOf(config, specials.get('eos_token')?.id),
    encodeMore,
    encode(text) {
      const ids = encodeMore(text)
      if (beginToken !== undefined && ids[0] !== beginToken) ids.unshift(beginToken)
      if (ids.length === 0) {
        throw new ModelError('TOKENIZER_EMPTY_TEXT', 'This model cannot start from an empty prompt. Type some text.')
      }
      return ids
    },
    createTextStream(context = []) {
      const stream = createStream(decoder)
      for (const token of context) stream.push(token)
      return stream
    },
    renderChat: (messages) => render?.(messages),
  }
}

type Specials = ReadonlyMap<string, { readonly text: string; readonly id: number }>

function loadLibrary(json: JsonFields, { tokenizerJson, tokenizerConfig }: TokenizerOptions): HuggingFaceTokenizer {
  const type = json.object('model').raw('type')
  if (type !== 'BPE') throw badJson(`its model is of type ${shown(type)}; this program takes BPE`)
  // The library reads optional sections without asking whether they are there.
  const sections = { added_tokens: [], normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null }
  try {
    return new HuggingFaceTokenizer({ ...sections, ...(tokenizerJson as object) }, (tokenizerConfig ?? {}) as object)
  } catch (cause) {
    throw badJson(messageOf(cause))
  }
}

function readNames(json: JsonFields, library: HuggingFaceTokenizer, vocabularySize: number): TokenNames {
  const added = new Map<number, boolean>()
  const items = json.has('added_tokens') ? json.list('added_tokens', MODEL_LIMITS.vocabularyMax) : []
  for (const item of items) {
    const fields = readFields(item, badJson)
    const special = fields.has('special') && fields.flag('special')
    added.set(fields.integer('id', { min: 0, max: MODEL_LIMITS.vocabularyMax * 2 }), special)
  }
  const vocabulary = json.object('model').object('vocab')
  for (const name of vocabulary.keys()) {
    const id = vocabulary.raw(name)
    if (typeof id !== 'number' || !(id >= 0 && id < vocabularySize) || !Number.isInteger(id)) {
      throw badJson(`it has a token with an id that the model's vocabulary of ${vocabularySize} does not have`)
    }
  }
  return {
    nameOf: (token) => library.id_to_token(token),
    isAdded: (token) => added.has(token),
    isSpecial: (token) => added.get(token) === true,
  }
}

function readSpecials(settings: JsonFields, library: HuggingFaceTokenizer): Specials {
  const found = new Map<string, { text: string; id: number }>()
  for (const key of SPECIALS) {
    if (!settings.has(key)) continue
    const value = settings.raw(key)
    const text = typeof value === 'string' ? value : settings.object(key).text('content')
    const id = library.token_to_id(text)
    if (id === undefined) throw noSpecialToken(`tokenizer_config.json names ${text} as ${key}`)
    found.set(key, { text, id })
  }
  return found
}

interface BeginOptions {
  readonly settings: JsonFields
  readonly library: HuggingFaceTokenizer
  readonly specials: Specials
  readonly config: Pick<ModelConfig, 'beginToken'>
}

/** add_bos_token decides where it is present; else whether the post-processor puts a token before an empty text. */
function findBeginToken({ settings, library, specials, config }: BeginOptions): number | undefined {
  if (settings.has('add_bos_token')) {
    if (!settings.flag('add_bos_token')) return undefined
    const id = specials.get('bos_token')?.id ?? config.beginToken
    if (id === undefined) throw noSpecialToken('tokenizer_config.json asks for a begin token but names none')
    return id
  }
  const first = library.encode('').ids[0]
  const begin = specials.get('bos_token')?.id ?? config.beginToken
  return first !== undefined && first === begin ? first : undefined
}

function endTokensOf(config: TokenizerOptions['config'], endOfText: number | undefined): number[] {
  const isOfModel = endOfText !== undefined && endOfText < config.vocabularySize
  return isOfModel ? [...new Set([...config.endTokens, endOfText])] : [...config.endTokens]
}

function createRenderer(template: string | undefined, specials: Specials): ChatRenderer | undefined {
  if (template === undefined) return undefined
  return createChatRenderer(template, Object.fromEntries([...specials].map(([key, { text }]) => [key, text])))
}

function encodeWith(library: HuggingFaceTokenizer, text: string): number[] {
  // The library turns a text without tokens into an empty list, but refuses none.
  return text === '' ? [] : library.encode(text, { add_special_tokens: false }).ids
}

function checkIds(ids: readonly (number | undefined)[], vocabularySize: number): number[] {
  return ids.map((id) => {
    if (id !== undefined && id < vocabularySize) return id
    throw new ModelError('TOKENIZER_BAD_TOKEN', 'The text has a part that this model has no token for. Leave it out.')
  })
}

function noSpecialToken(problem: string): ModelError {
  return new ModelError(
    'TOKENIZER_NO_SPECIAL_TOKEN',
    `${problem}, which tokenizer.json does not have. Take both files from one source.`,
  )
}

function badJson(problem: string): ModelError {
  return new ModelError('TOKENIZER_BAD', `tokenizer.json cannot be used: ${problem}.`)
}

function badSettings(problem: string): ModelError {
  return new ModelError('TOKENIZER_BAD', `tokenizer_config.json cannot be used: ${problem}.`)
}
