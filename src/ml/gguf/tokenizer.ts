/**
 * The tokenizer in the metadata of a GGUF file, as the tokenizer.json and tokenizer_config.json that it was made from. Where the metadata
 * do not say enough for the same ids, there is a reason instead. Knows no files. Spec: docs/spec/model.md §10.
 * @module
 */
import { MODEL_LIMITS } from '../../base/limits.ts'
import { type JsonFields, readFields } from '../json-fields.ts'
import { ModelError } from '../model-error.ts'
import type { GgufHeader } from './header.ts'
import { mergesByScore } from './sentence-merges.ts'
import { preTokenizerOf } from './split-rules.ts'

export interface GgufTokenizer {
  readonly beginToken: number | undefined
  readonly endTokens: readonly number[]
  readonly files: TokenizerFiles | { readonly type: 'unknown'; readonly reason: string }
}

export interface TokenizerFiles {
  readonly type: 'known'
  /** Contents of tokenizer.json and tokenizer_config.json. */
  readonly json: unknown
  readonly config: unknown
}

interface Token {
  readonly id: number
  readonly text: string
  readonly kind: number
  readonly score: number
}

const MERGES = 'tokenizer.ggml.merges'

/** Kinds of tokens: `llama_token_type`. */
const NORMAL = 1
const UNKNOWN = 2
const CONTROL = 3
const USER_DEFINED = 4
const UNUSED = 5
const BYTE = 6

/** Control tokens that end an answer, whatever the metadata say: llama.cpp's list, for the architectures that are known here. */
const ENDS: readonly string[] = [
  '<|eot_id|>',
  '<|eom_id|>',
  '<|im_end|>',
  '<end_of_turn>',
  '<|end|>',
  '<|endoftext|>',
  '<|end_of_text|>',
  '</s>',
]

/** Throws TOKENIZER_BAD where lists of the metadata do not fit together or name tokens that the model does not have. */
export function readGgufTokenizer(metadata: GgufHeader['metadata'], vocabularySize: number): GgufTokenizer {
  const fields = readFields(Object.fromEntries(metadata), bad)
  const id = (key: string): number | undefined =>
    fields.has(key) ? fields.integer(key, { min: 0, max: vocabularySize - 1 }) : undefined
  const beginToken = id('tokenizer.ggml.bos_token_id')
  const endOfText = id('tokenizer.ggml.eos_token_id')
  const tokens = fields.has('tokenizer.ggml.tokens') ? readTokens(fields, vocabularySize) : []
  const named = tokens.filter(({ kind, text }) => kind === CONTROL && ENDS.includes(text)).map((token) => token.id)
  const ends = [endOfText, id('tokenizer.ggml.eot_token_id'), ...named]
  return {
    beginToken,
    endTokens: [...new Set(ends.filter((token) => token !== undefined))],
    files: tokens.length === 0 ? unknown('it has none') : readFiles(fields, { tokens, beginToken, endOfText }),
  }
}

function readTokens(fields: JsonFields, vocabularySize: number): Token[] {
  const list = (name: string): unknown[] | undefined =>
    fields.has(name) ? fields.list(name, MODEL_LIMITS.vocabularyMax) : undefined
  const texts = list('tokenizer.ggml.tokens') ?? []
  const kinds = list('tokenizer.ggml.token_type') ?? texts.map(() => NORMAL)
  const scores = list('tokenizer.ggml.scores') ?? texts.map(() => 0)
  if (texts.length > vocabularySize) throw bad(`it has ${texts.length} tokens for a vocabulary of ${vocabularySize}`)
  if (kinds.length !== texts.length || scores.length !== texts.length) throw bad('its lists of tokens differ in length')
  return texts.map((text, id) => {
    const kind = kinds[id]
    const score = scores[id]
    if (typeof text !== 'string' || typeof kind !== 'number' || typeof score !== 'number')
      throw bad('its tokens are no tokens')
    return { id, text, kind, score }
  })
}

interface Parts {
  readonly tokens: readonly Token[]
  readonly beginToken: number | undefined
  readonly endOfText: number | undefined
}

function readFiles(fields: JsonFields, parts: Parts): GgufTokenizer['files'] {
  const used = parts.tokens.filter(({ kind }) => kind !== UNUSED)
  if (new Set(used.map(({ text }) => text)).size !== used.length) return unknown('two of its tokens have the same text')
  const type = fields.text('tokenizer.ggml.model')
  switch (type) {
    case 'gpt2':
      return byteLevel(fields, parts)
    case 'llama':
      return sentencePiece(fields, parts)
    default:
      return unknown(`its type is ${type}`)
  }
}

/** Byte-level BPE with a list of merges, as GPT-2's. */
function byteLevel(fields: JsonFields, parts: Parts): GgufTokenizer['files'] {
  const name = fields.has('tokenizer.ggml.pre') ? fields.text('tokenizer.ggml.pre') : 'default'
  const rule = preTokenizerOf(name)
  if (rule === undefined) return unknown(`how it splits texts, "${name}", is not known`)
  const merges = readMerges(fields)
  const json = {
    version: '1.0',
    added_tokens: addedTokens(parts.tokens),
    normalizer: rule.normalizer,
    pre_tokenizer: rule.preTokenizer,
    post_processor: null,
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: { type: 'BPE', ignore_merges: rule.ignoreMerges, vocab: vocabulary(parts.tokens), merges },
  }
  return { type: 'known', json, config: settings(fields, parts, rule.startsWithBegin) }
}

/**
 * SentencePiece's BPE: bytes stand in for unknown characters. Converters write merges where the source has them; else a merge is as
 * early as the score of what it makes is high.
 */
function sentencePiece(fields: JsonFields, parts: Parts): GgufTokenizer['files'] {
  const normal = parts.tokens.filter(({ kind }) => kind === NORMAL)
  const merges = fields.has(MERGES) ? readMerges(fields) : undefined
  if (merges === undefined && new Set(normal.map(({ score }) => score)).size !== normal.length) {
    return unknown('two of its tokens have the same score')
  }
  if (parts.tokens.filter(({ kind }) => kind === BYTE).length !== 256) return unknown('it has no token for some bytes')
  const unknownToken = parts.tokens.find(({ kind }) => kind === UNKNOWN)
  if (unknownToken === undefined) return unknown('it has no token for the unknown')
  const space = { type: 'Replace', pattern: { String: ' ' }, content: '▁' }
  const hasPrefix = !fields.has('tokenizer.ggml.add_space_prefix') || fields.flag('tokenizer.ggml.add_space_prefix')
  const prefix = { type: 'Prepend', prepend: '▁' }
  const steps = [
    { type: 'Replace', pattern: { String: '▁' }, content: ' ' },
    { type: 'ByteFallback' },
    { type: 'Fuse' },
  ]
  const json = {
    version: '1.0',
    added_tokens: addedTokens(parts.tokens),
    normalizer: hasPrefix ? { type: 'Sequence', normalizers: [prefix, space] } : space,
    pre_tokenizer: null,
    post_processor: null,
    decoder: {
      type: 'Sequence',
      decoders: hasPrefix ? [...steps, { type: 'Strip', content: ' ', start: 1, stop: 0 }] : steps,
    },
    model: {
      type: 'BPE',
      unk_token: unknownToken.text,
      fuse_unk: true,
      byte_fallback: true,
      ignore_merges: false,
      vocab: { ...vocabulary(parts.tokens), [unknownToken.text]: unknownToken.id },
      merges: merges ?? mergesByScore(normal),
    },
  }
  return { type: 'known', json, config: settings(fields, parts, true) }
}

function readMerges(fields: JsonFields): unknown[] {
  const merges = fields.list(MERGES, MODEL_LIMITS.ggufListItemsMax)
  if (merges.some((merge) => typeof merge !== 'string')) throw bad('its merges are no texts')
  return merges
}

/** What stands for itself in a text; control tokens have no text of their own. */
function addedTokens(tokens: readonly Token[]): unknown[] {
  return tokens
    .filter(({ kind }) => kind === CONTROL || kind === UNKNOWN || kind === USER_DEFINED)
    .map(({ id, text, kind }) => ({
      id,
      content: text,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: kind !== USER_DEFINED,
    }))
}

function vocabulary(tokens: readonly Token[]): Record<string, number> {
  return Object.fromEntries(
    tokens.filter(({ kind }) => kind === NORMAL || kind === BYTE).map(({ text, id }) => [text, id]),
  )
}

function settings(fields: JsonFields, { tokens, beginToken, endOfText }: Parts, startsWithBegin: boolean): unknown {
  const flag = 'tokenizer.ggml.add_bos_token'
  const begin = beginToken === undefined ? undefined : tokens[beginToken]?.text
  const template = 'tokenizer.chat_template'
  return {
    add_bos_token: begin !== undefined && (fields.has(flag) ? fields.flag(flag) : startsWithBegin),
    ...(begin === undefined ? {} : { bos_token: begin }),
    ...(endOfText === undefined || tokens[endOfText] === undefined ? {} : { eos_token: tokens[endOfText].text }),
    ...(fields.has(template) ? { chat_template: fields.text(template) } : {}),
  }
}

function unknown(reason: string): GgufTokenizer['files'] {
  return { type: 'unknown', reason }
}

function bad(problem: string): ModelError {
  return new ModelError('TOKENIZER_BAD', `The tokenizer of the GGUF file cannot be used: ${problem}.`)
}
