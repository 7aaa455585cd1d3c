import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { type GgufHeader, parseGgufHeader } from '../../../../src/ml/gguf/header.ts'
import { mergesByScore } from '../../../../src/ml/gguf/sentence-merges.ts'
import { type GgufTokenizer, readGgufTokenizer } from '../../../../src/ml/gguf/tokenizer.ts'
import { createTokenizer, type Tokenizer } from '../../../../src/ml/tokenizer.ts'
import { type Entry, ggufBytes } from '../../app/gguf-file.ts'

const shared = fileURLToPath(new URL('../../../../../shared/models', import.meta.url))
const TEXTS = [
  'Hello world',
  " it's  1234 o'clock,\n\n and 5 more!",
  'Ein Größenmaß – naïve café',
  'tabs\tand   spaces   camelCaseWords',
  '日本語 🙂 ok',
  '<|user|>hi<|assistant|>',
  'a<s>b</s>',
]

const NORMAL = 1
const UNKNOWN = 2
const CONTROL = 3
const USER_DEFINED = 4
const UNUSED = 5
const BYTE = 6

/** Metadata as they come out of a file. */
function metadata(entries: readonly (readonly [string, Entry])[]): GgufHeader['metadata'] {
  const bytes = ggufBytes({ metadata: new Map(entries), tensors: new Map() })
  return parseGgufHeader(bytes, bytes.length)!.metadata
}

const list = (
  name: string,
  of: 'text' | 'f32' | 'i32',
  values: readonly (string | number)[],
): readonly [string, Entry] => [`tokenizer.ggml.${name}`, ['list', of, values]]

interface HuggingFaceTokenizer {
  readonly added_tokens: readonly { id: number; content: string }[]
  readonly model: { vocab: Record<string, number>; merges: (string | [string, string])[] }
}

/** What the converter writes for a tokenizer.json. */
function entriesOf(json: HuggingFaceTokenizer, kindOf: (text: string) => number): (readonly [string, Entry])[] {
  const texts: string[] = []
  for (const [text, id] of Object.entries(json.model.vocab)) texts[id] = text
  for (const { id, content } of json.added_tokens) texts[id] = content
  return [list('tokens', 'text', texts), list('token_type', 'i32', texts.map(kindOf))]
}

function tokenizerOf({ files, beginToken, endTokens }: GgufTokenizer, vocabularySize: number): Tokenizer {
  if (files.type === 'unknown') throw new Error(files.reason)
  const config = { vocabularySize, beginToken, endTokens }
  const parsed = (value: unknown): unknown => JSON.parse(JSON.stringify(value))
  return createTokenizer({ tokenizerJson: parsed(files.json), tokenizerConfig: parsed(files.config), config })
}

/** Ids and texts of both, and what a prompt begins with. */
function expectSame(ours: Tokenizer, theirs: Tokenizer): void {
  for (const text of TEXTS) {
    const ids = theirs.encode(text)
    expect(ours.encode(text)).toEqual(ids)
    const read = (tokenizer: Tokenizer): string => {
      const stream = tokenizer.createTextStream()
      return ids.map((id) => stream.push(id)).join('') + stream.flush()
    }
    expect(read(ours)).toBe(read(theirs))
  }
}

describe.skipIf(!existsSync(shared))('a tokenizer of ../shared', () => {
  const read = (path: string): unknown => JSON.parse(readFileSync(`${shared}/${path}`, 'utf8'))

  test('of SentencePiece gives the ids of the tokenizer.json that it came from', () => {
    const json = read('stories260k/tokenizer.json') as HuggingFaceTokenizer
    const size = Object.keys(json.model.vocab).length
    const kindOf = (text: string): number =>
      text === '<unk>' ? UNKNOWN : text === '<s>' || text === '</s>' ? CONTROL : /^<0x..>$/.test(text) ? BYTE : NORMAL
    const entries = entriesOf(json, kindOf)
    // The file has no scores. A token is as good as its first merge is early; characters come after all of them.
    const ranks = new Map<string, number>()
    for (const merge of json.model.merges) {
      const text = (typeof merge === 'string' ? merge.split(' ') : merge).join('')
      if (!ranks.has(text)) ranks.set(text, ranks.size)
    }
    const scores = Array.from({ length: size }, () => 0)
    for (const [text, id] of Object.entries(json.model.vocab)) scores[id] = -(ranks.get(text) ?? 1_000 + id)
    const found = readGgufTokenizer(
      metadata([
        ...entries,
        list('scores', 'f32', scores),
        ['tokenizer.ggml.model', ['text', 'llama']],
        ['tokenizer.ggml.bos_token_id', ['u32', 1]],
        ['tokenizer.ggml.eos_token_id', ['u32', 2]],
      ]),
      size,
    )
    expect(found).toMatchObject({ beginToken: 1, endTokens: [2] })
    const config = { vocabularySize: size, beginToken: 1, endTokens: [2] }
    const tokenizerConfig = read('stories260k/tokenizer_config.json')
    expectSame(tokenizerOf(found, size), createTokenizer({ tokenizerJson: json, tokenizerConfig, config }))
  })

  test.each([
    ['gpt-2', false],
    ['qwen2', false],
    ['smollm', false],
    ['dbrx', false],
    ['gpt-4o', false],
    ['llama-bpe', true],
  ] as const)('of bytes with the rule %s gives the ids of a tokenizer.json with that rule', (pre, startsWithBegin) => {
    const json = read('genesis/tokenizer.json') as HuggingFaceTokenizer
    const size = 2_048
    const kindOf = (text: string): number => (/^<\|/.test(text) ? CONTROL : NORMAL)
    const merges = json.model.merges.map((merge) => (typeof merge === 'string' ? merge : merge.join(' ')))
    const found = readGgufTokenizer(
      metadata([
        ...entriesOf(json, kindOf),
        list('merges', 'text', merges),
        ['tokenizer.ggml.model', ['text', 'gpt2']],
        ['tokenizer.ggml.pre', ['text', pre]],
        ['tokenizer.ggml.bos_token_id', ['u32', 0]],
        ['tokenizer.ggml.eos_token_id', ['u32', 0]],
        ['tokenizer.chat_template', ['text', '{{ messages[0].content }}{{ eos_token }}']],
      ]),
      size,
    )
    const ours = tokenizerOf(found, size)
    expect(ours.beginToken).toBe(startsWithBegin ? 0 : undefined)
    expect(ours.endTokens).toEqual([0])
    expect(ours.renderChat([{ role: 'user', content: 'hi' }])).toBe('hi<|endoftext|>')
    const digits = '\\p{N}{1,3}'
    const words = (numbers: string): string =>
      `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${numbers}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`
    const whole = { behavior: 'Isolated', invert: false }
    const split = (Regex: string): unknown => ({ type: 'Split', pattern: { Regex }, ...whole })
    const word = (first: string, second: string): string =>
      `[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]${first}[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]${second}(?i:'s|'t|'re|'ve|'m|'ll|'d)?`
    const casedWords = `${word('*', '+')}|${word('+', '*')}|${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`
    const bytes = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false }
    const sequence = (...pretokenizers: unknown[]): unknown => ({ type: 'Sequence', pretokenizers })
    const rules = {
      'gpt-2': { ...bytes, use_regex: true },
      qwen2: sequence(split(words('\\p{N}')), bytes),
      smollm: sequence({ type: 'Digits', individual_digits: true }, { ...bytes, use_regex: true }),
      'llama-bpe': sequence(split(words(digits)), bytes),
      dbrx: sequence(split(words(digits)), bytes),
      'gpt-4o': sequence(split(casedWords), bytes),
    }
    const theirs = createTokenizer({
      tokenizerJson: {
        ...json,
        normalizer: pre === 'qwen2' ? { type: 'NFC' } : null,
        pre_tokenizer: rules[pre],
        model: { ...json.model, type: 'BPE', ignore_merges: pre === 'llama-bpe' },
      },
      tokenizerConfig: { add_bos_token: startsWithBegin, bos_token: '<|endoftext|>', eos_token: '<|endoftext|>' },
      config: { vocabularySize: size, beginToken: 0, endTokens: [0] },
    })
    expectSame(ours, theirs)
  })
})

const BYTES = Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`)

function sentencePiece(more: readonly (readonly [string, Entry])[] = [], extra: readonly string[] = []): GgufTokenizer {
  const texts = ['<unk>', '<s>', '</s>', ...BYTES, '▁', 'a', 'b', 'ab', '▁ab', ...extra]
  const kinds = texts.map((text, id) =>
    id === 0 ? UNKNOWN : id < 3 ? CONTROL : text.startsWith('<0x') ? BYTE : NORMAL,
  )
  return readGgufTokenizer(
    metadata([
      ['tokenizer.ggml.model', ['text', 'llama']],
      list('tokens', 'text', texts),
      list('token_type', 'i32', kinds),
      list(
        'scores',
        'f32',
        texts.map((_, id) => (id < 262 ? -id - 1_000 : -id)),
      ),
      ['tokenizer.ggml.bos_token_id', ['u32', 1]],
      ['tokenizer.ggml.eos_token_id', ['u32', 2]],
      ...more,
    ]),
    400,
  )
}

describe('a SentencePiece tokenizer', () => {
  test('merges, falls back to bytes, and begins with a space', () => {
    const tokenizer = tokenizerOf(sentencePiece(), 400)
    expect(tokenizer.encode('ab')).toEqual([1, 263])
    expect(tokenizer.encode('é')).toEqual([1, 259, 3 + 0xc3, 3 + 0xa9])
  })

  test('begins without a space where it says so', () => {
    const tokenizer = tokenizerOf(sentencePiece([['tokenizer.ggml.add_space_prefix', ['flag', false]]]), 400)
    expect(tokenizer.encode('ab')).toEqual([1, 262])
  })

  test('merges as its list says, where it has one, whatever the scores', () => {
    const scores = list(
      'scores',
      'f32',
      Array.from({ length: 264 }, () => -1_000),
    )
    const merges = list('merges', 'text', ['a b'])
    expect(tokenizerOf(sentencePiece([scores, merges]), 400).encode('ab')).toEqual([1, 259, 262])
  })

  test('begins without its begin token where it says so', () => {
    expect(tokenizerOf(sentencePiece([['tokenizer.ggml.add_bos_token', ['flag', false]]]), 400).beginToken).toBe(
      undefined,
    )
  })

  test.each<[string, GgufTokenizer, RegExp]>([
    [
      'scores that are equal',
      sentencePiece([
        list(
          'scores',
          'f32',
          Array.from({ length: 264 }, () => 0),
        ),
      ]),
      /same score/,
    ],
    ['a text twice', sentencePiece([], ['ab']), /same text/],
  ])('is not taken for %s', (_case, found, reason) => {
    expect(found.files).toMatchObject({ type: 'unknown', reason: expect.stringMatching(reason) })
  })

  test('has merges in the order of scores, longer left sides first', () => {
    const tokens = [
      { text: 'aaa', score: -1 },
      { text: 'aa', score: -2 },
      { text: 'a', score: -3 },
    ]
    expect(mergesByScore(tokens)).toEqual([
      ['aa', 'a'],
      ['a', 'aa'],
      ['a', 'a'],
    ])
  })
})

function bytes(more: readonly (readonly [string, Entry])[]): GgufTokenizer {
  return readGgufTokenizer(
    metadata([
      ['tokenizer.ggml.model', ['text', 'gpt2']],
      ['tokenizer.ggml.pre', ['text', 'gpt-2']],
      list('tokens', 'text', ['a', 'b', 'ab', '<|im_end|>', '<tool>', '[PAD5]']),
      list('token_type', 'i32', [NORMAL, NORMAL, NORMAL, CONTROL, USER_DEFINED, UNUSED]),
      list('merges', 'text', ['a b']),
      ...more,
    ]),
    6,
  )
}

describe('a byte-level tokenizer', () => {
  test('has tokens that stand for themselves, and others without a text', () => {
    const tokenizer = tokenizerOf(bytes([]), 6)
    expect(tokenizer.encode('ab<tool>a<|im_end|>')).toEqual([2, 4, 0, 3])
    const stream = tokenizer.createTextStream()
    expect([2, 4, 3, 5].map((id) => stream.push(id))).toEqual(['ab', '<tool>', '', ''])
  })

  test('ends an answer with what ends a turn', () => {
    expect(bytes([['tokenizer.ggml.eos_token_id', ['u32', 1]]]).endTokens).toEqual([1, 3])
    expect(bytes([['tokenizer.ggml.eot_token_id', ['u32', 4]]]).endTokens).toEqual([4, 3])
  })

  test.each<[string, readonly (readonly [string, Entry])[], RegExp]>([
    ['a rule that is not known', [['tokenizer.ggml.pre', ['text', 'tekken']]], /tekken/],
    ['another type', [['tokenizer.ggml.model', ['text', 'bert']]], /bert/],
    ['no tokens', [list('tokens', 'text', []), list('token_type', 'i32', [])], /none/],
  ])('is not taken for %s', (_case, more, reason) => {
    expect(bytes(more).files).toMatchObject({ type: 'unknown', reason: expect.stringMatching(reason) })
  })

  test.each<[string, readonly (readonly [string, Entry])[]]>([
    ['lists of other lengths', [list('token_type', 'i32', [NORMAL])]],
    ['tokens that are numbers', [list('tokens', 'i32', [1, 2, 3, 4, 5, 6])]],
    [
      'more tokens than the model has',
      [list('tokens', 'text', [...'abcdefg']), list('token_type', 'i32', [1, 1, 1, 1, 1, 1, 1])],
    ],
    ['a begin token that is none', [['tokenizer.ggml.bos_token_id', ['u32', 6]]]],
    ['merges that are numbers', [list('merges', 'i32', [1])]],
    ['a type that is a number', [['tokenizer.ggml.model', ['u32', 1]]]],
  ])('is refused for %s', (_case, more) => {
    expect(() => bytes(more)).toThrow(expect.objectContaining({ code: 'TOKENIZER_BAD' }))
  })
})
