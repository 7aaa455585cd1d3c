import { readFileSync } from 'node:fs'
import { Tokenizer as Library } from '@huggingface/tokenizers'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createTokenizer, type Tokenizer } from '../../../src/ml/tokenizer.ts'

const read = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`../../../models/genesis/${name}`, import.meta.url), 'utf8'))
const genesisJson = read('tokenizer.json')
const genesisConfig = { vocabularySize: 2048, beginToken: 0, endTokens: [0] }
const genesis = createTokenizer({
  tokenizerJson: genesisJson,
  tokenizerConfig: read('tokenizer_config.json'),
  config: genesisConfig,
})

const BYTES = Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`)
const PIECES = ['<unk>', '<s>', '</s>', ...BYTES, '▁', 'a', 'b', 'c', '▁a', 'ab', '▁ab', '▁abc', 'é', '▁▁']

/** A SentencePiece-style tokenizer as Llama 2 and TinyLlama have it. */
function metaspace(change: object = {}): Record<string, unknown> {
  return {
    added_tokens: ['<unk>', '<s>', '</s>'].map((content, id) => ({ id, content, special: true, normalized: false })),
    normalizer: {
      type: 'Sequence',
      normalizers: [
        { type: 'Prepend', prepend: '▁' },
        { type: 'Replace', pattern: { String: ' ' }, content: '▁' },
      ],
    },
    pre_tokenizer: null,
    post_processor: {
      type: 'TemplateProcessing',
      single: [{ SpecialToken: { id: '<s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
      pair: [],
      special_tokens: { '<s>': { id: '<s>', ids: [1], tokens: ['<s>'] } },
    },
    decoder: {
      type: 'Sequence',
      decoders: [
        { type: 'Replace', pattern: { String: '▁' }, content: ' ' },
        { type: 'ByteFallback' },
        { type: 'Fuse' },
        { type: 'Strip', content: ' ', start: 1, stop: 0 },
      ],
    },
    model: {
      type: 'BPE',
      unk_token: '<unk>',
      fuse_unk: true,
      byte_fallback: true,
      vocab: Object.fromEntries(PIECES.map((piece, id) => [piece, id])),
      merges: ['▁ a', '▁a b', 'a b', '▁ab c', '▁ ▁'],
    },
    ...change,
  }
}
const metaspaceConfig = { vocabularySize: PIECES.length, beginToken: 1, endTokens: [2] }
const settings = { bos_token: '<s>', eos_token: '</s>', unk_token: '<unk>' }
const sentencePiece = createTokenizer({
  tokenizerJson: metaspace(),
  tokenizerConfig: settings,
  config: metaspaceConfig,
})

function streamed(tokenizer: Tokenizer, tokens: readonly number[], context?: readonly number[]): string {
  const stream = tokenizer.createTextStream(context)
  return tokens.map((token) => stream.push(token)).join('') + stream.flush()
}

describe('encoding', () => {
  test.each([
    ['add_bos_token says so, without a post-processor', genesis, 0],
    ['the post-processor does', sentencePiece, 1],
  ])('starts with the begin token where %s', (_case, tokenizer, begin) => {
    expect(tokenizer.beginToken).toBe(begin)
    expect(tokenizer.encode('')).toEqual([begin])
    expect(tokenizer.encode('abc').filter((id) => id === begin)).toEqual([begin])
    expect(tokenizer.encodeMore('abc')).toEqual(tokenizer.encode('abc').slice(1))
  })

  test('does not repeat a begin token that the text has', () => {
    expect(sentencePiece.encode('<s>ab')).toEqual([1, ...sentencePiece.encodeMore('ab')])
  })

  test.each([
    ['add_bos_token is false', { ...settings, add_bos_token: false }],
    ['the post-processor is gone', settings],
  ])('has no begin token where %s', (_case, tokenizerConfig) => {
    const tokenizerJson = metaspace({ post_processor: null })
    const tokenizer = createTokenizer({ tokenizerJson, tokenizerConfig, config: metaspaceConfig })
    expect(tokenizer.beginToken).toBeUndefined()
    expect(tokenizer.encode('ab')).toEqual([PIECES.indexOf('▁ab')])
    expect(() => tokenizer.encode('')).toThrow(expect.objectContaining({ code: 'TOKENIZER_EMPTY_TEXT' }))
  })

  test('of characters without a token falls back to bytes', () => {
    expect(streamed(sentencePiece, sentencePiece.encode('ab 🦙 é'))).toBe('ab 🦙 é')
  })

  test('of every text comes back as that text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 40 }), (text) => {
        const plain = text.replaceAll(/<|\u2581/g, '')
        if (plain === '') return
        expect(streamed(genesis, genesis.encodeMore(plain))).toBe(plain)
        expect(streamed(sentencePiece, sentencePiece.encodeMore(plain))).toBe(plain)
      }),
    )
  })
})

describe('a text stream', () => {
  const random = (size: number) => fc.array(fc.integer({ min: 3, max: size - 1 }), { minLength: 1, maxLength: 30 })
  const genesisLibrary = new Library(genesisJson as object, {})
  const sentencePieceLibrary = new Library(metaspace(), {})
  const decode = (library: Library, ids: number[]): string =>
    library.decode(ids, { clean_up_tokenization_spaces: false })

  test('of any tokens is what the whole would be decoded to', () => {
    fc.assert(
      fc.property(random(2048), random(PIECES.length), (ids, others) => {
        expect(streamed(genesis, ids)).toBe(decode(genesisLibrary, ids))
        expect(streamed(sentencePiece, others)).toBe(decode(sentencePieceLibrary, others))
      }),
    )
  })

  test('holds back a character until its last byte', () => {
    const stream = sentencePiece.createTextStream()
    const pieces = [0xf0, 0x9f, 0xa6, 0x99].map((byte) => stream.push(3 + byte))
    expect(pieces).toEqual(['', '', '', '🦙'])
    expect(stream.flush()).toBe('')
  })

  test('ends with a replacement character where a character was cut', () => {
    const stream = sentencePiece.createTextStream()
    expect(stream.push(3 + 0xe2)).toBe('')
    expect(stream.flush()).toBe('\ufffd')
  })

  const word = PIECES.indexOf('▁ab')
  test('drops the first space of a text and keeps all others', () => {
    expect(streamed(sentencePiece, [1, word, word])).toBe('ab ab')
    expect(streamed(sentencePiece, [PIECES.indexOf('▁▁'), word])).toBe('  ab')
  })

  test('keeps the first space where the text goes on', () => {
    expect(streamed(sentencePiece, [word], [1, word])).toBe(' ab')
    expect(streamed(sentencePiece, [word], [1])).toBe('ab')
  })

  test('finishes a character that its context began', () => {
    expect(streamed(sentencePiece, [3 + 0xa9], [3 + 0xc3])).toBe('é')
  })

  test('gives no text for special and unknown tokens', () => {
    expect(streamed(sentencePiece, [0, 1, 2, 100_000])).toBe('')
  })

  test('of byte-level tokens keeps the first space', () => {
    expect(streamed(genesis, genesis.encodeMore(' Once'))).toBe(' Once')
  })
})

describe('a chat', () => {
  const template =
    "{{ bos_token }}{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"
  const messages = [{ role: 'user', content: 'ab' }] as const
  const withTemplate = (chat_template: unknown, chatTemplate?: string): Tokenizer =>
    createTokenizer({
      tokenizerJson: metaspace(),
      tokenizerConfig: { ...settings, chat_template },
      chatTemplate,
      config: metaspaceConfig,
    })

  test.each([
    ['a text', withTemplate(template)],
    [
      'a list with a default',
      withTemplate([
        { name: 'tools', template: 'x' },
        { name: 'default', template },
      ]),
    ],
    ['a file of its own, which goes first', withTemplate('x', template)],
  ])('is rendered by a template that is %s', (_case, tokenizer) => {
    expect(tokenizer.renderChat(messages)).toBe('<s><user>ab<assistant>')
  })

  test('is impossible without a template', () => {
    expect(genesis.renderChat(messages)).toBeUndefined()
  })

  test.each([
    ['is no template', '{% for %}'],
    ['refuses the messages', "{{ raise_exception('no') }}"],
  ])('with a template that %s is refused', (_case, source) => {
    const act = () => withTemplate(source).renderChat(messages)
    expect(act).toThrow(expect.objectContaining({ code: 'TOKENIZER_BAD_TEMPLATE' }))
  })
})

describe('a tokenizer', () => {
  test('ends at the end tokens of the config and of its own settings', () => {
    const config = { ...metaspaceConfig, endTokens: [5] }
    expect(createTokenizer({ tokenizerJson: metaspace(), tokenizerConfig: settings, config }).endTokens).toEqual([5, 2])
  })

  const bad = 'TOKENIZER_BAD'
  const missing = 'TOKENIZER_NO_SPECIAL_TOKEN'
  const decoder = (section: object) => metaspace({ decoder: section })
  test.each([
    ['is a list', [], settings, bad],
    ['has no model', metaspace({ model: null }), settings, bad],
    ['is no BPE', metaspace({ model: { type: 'Unigram', vocab: [] } }), settings, bad],
    ['has no merges', metaspace({ model: { type: 'BPE', vocab: { a: 0 } } }), settings, bad],
    ['has ids of a larger model', metaspace({ model: { type: 'BPE', vocab: { a: 5000 }, merges: [] } }), settings, bad],
    [
      'has ids that are no numbers',
      metaspace({ model: { type: 'BPE', vocab: { a: 'b' }, merges: [] } }),
      settings,
      bad,
    ],
    ['has an unknown normalizer', metaspace({ normalizer: { type: 'Magic' } }), settings, bad],
    ['has an unknown decoder', decoder({ type: 'WordPiece' }), settings, bad],
    ['has no decoder', metaspace({ decoder: null }), settings, bad],
    ['strips more than a space', decoder({ type: 'Strip', content: ' ', start: 2, stop: 0 }), settings, bad],
    [
      'replaces by a regular expression',
      decoder({ type: 'Replace', pattern: { Regex: 'a' }, content: '' }),
      settings,
      bad,
    ],
    ['lacks its begin token', metaspace(), { ...settings, bos_token: '<begin>' }, missing],
    ['lacks its end token', metaspace(), { ...settings, eos_token: { content: '<|end|>' } }, missing],
  ])('that %s is refused', (_case, tokenizerJson, tokenizerConfig, code) => {
    const act = () => createTokenizer({ tokenizerJson, tokenizerConfig, config: metaspaceConfig })
    expect(act).toThrow(expect.objectContaining({ code }))
  })

  test('that asks for a begin token but has none is refused', () => {
    const config = { ...metaspaceConfig, beginToken: undefined }
    const act = () => createTokenizer({ tokenizerJson: metaspace(), tokenizerConfig: { add_bos_token: true }, config })
    expect(act).toThrow(expect.objectContaining({ code: missing }))
  })
})
