/**
 * How byte-level tokenizers split a text before they merge. GGUF files name the rule; tokenizer.json spells it out.
 * Spec: docs/spec/model.md §10.
 * @module
 */

export interface SplitRule {
  /** Sections of tokenizer.json. */
  readonly normalizer: unknown
  readonly preTokenizer: unknown
  /** Words that are tokens are not taken apart. */
  readonly ignoreMerges: boolean
  /** A prompt starts with the begin token where the metadata do not say. */
  readonly startsWithBegin: boolean
}

const LLAMA3 =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
const QWEN2 =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
/** Words start with capitals and end in small letters. */
const GPT4O =
  "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|" +
  "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|" +
  '\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+'

const byteLevel = (usesGpt2Rule: boolean): unknown => ({
  type: 'ByteLevel',
  add_prefix_space: false,
  trim_offsets: true,
  use_regex: usesGpt2Rule,
})

const sequence = (...pretokenizers: unknown[]): unknown => ({ type: 'Sequence', pretokenizers })

const split = (Regex: string): unknown => ({ type: 'Split', pattern: { Regex }, behavior: 'Isolated', invert: false })

const PLAIN = { normalizer: null, ignoreMerges: false, startsWithBegin: false }

const GPT2_RULE: SplitRule = { ...PLAIN, preTokenizer: byteLevel(true) }
const LLAMA3_RULE: SplitRule = {
  ...PLAIN,
  preTokenizer: sequence(split(LLAMA3), byteLevel(false)),
  ignoreMerges: true,
  startsWithBegin: true,
}

const RULES: ReadonlyMap<string, SplitRule> = new Map([
  ['gpt-2', GPT2_RULE],
  ['llama-bpe', LLAMA3_RULE],
  ['llama3', LLAMA3_RULE],
  ['llama-v3', LLAMA3_RULE],
  ['dbrx', { ...PLAIN, preTokenizer: sequence(split(LLAMA3), byteLevel(false)) }],
  ['gpt-4o', { ...PLAIN, preTokenizer: sequence(split(GPT4O), byteLevel(false)) }],
  ['qwen2', { ...PLAIN, normalizer: { type: 'NFC' }, preTokenizer: sequence(split(QWEN2), byteLevel(false)) }],
  ['smollm', { ...PLAIN, preTokenizer: sequence({ type: 'Digits', individual_digits: true }, byteLevel(true)) }],
])

/** The rule that `tokenizer.ggml.pre` names; undefined for one that is not known here. */
export function preTokenizerOf(name: string): SplitRule | undefined {
  return RULES.get(name)
}
