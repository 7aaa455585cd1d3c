import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createEngine } from '../../../src/app/engines.ts'
import { importModel } from '../../../src/app/model-import.ts'
import { openModelStore, type StoredModel } from '../../../src/app/model-store.ts'
import { loadTokenizer } from '../../../src/app/model-tokenizer.ts'
import { openWeights } from '../../../src/app/shard-reader.ts'
import type { WeightFormat } from '../../../src/ml/config.ts'
import { rangeOf } from '../../../src/ml/manifest.ts'

/** f32 weights of genesis; not part of the repository. */
const source = fileURLToPath(new URL('../../../../shared/models/genesis', import.meta.url))
/** Parts of books that genesis did not see in training. */
const text = readFileSync(new URL('../../data/heldout.txt', import.meta.url), 'utf8')
/** Tokens that are predicted from one begin token. */
const WINDOW = 256

let home: string
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'dllm-quality-'))
})
afterAll(() => rmSync(home, { recursive: true, force: true }))

/** e to the mean of −log p(next token). */
async function perplexity(model: StoredModel): Promise<number> {
  const { manifest } = model
  const engine = await createEngine('wasm', { threads: 1 })
  const count = manifest.segments.length
  const weights = openWeights(model, { firstSegment: 0, lastSegmentExclusive: count })
  const { config } = manifest
  const stage = engine.createStage({ config, range: rangeOf(manifest, 0, count), weights, cacheBytesMax: 2 ** 26 })
  weights.close()
  const tokenizer = await loadTokenizer(model)
  const tokens = tokenizer.encodeMore(text)
  let sum = 0
  for (let start = 0; start < tokens.length; start += WINDOW) {
    const window = [tokenizer.beginToken!, ...tokens.slice(start, start + WINDOW)]
    const cache = stage.openCache(WINDOW)
    const input = { type: 'tokens', tokens: Int32Array.from(window.slice(0, -1)) } as const
    const [output] = stage.run([{ cache, position: 0, input, logits: 'all' }])
    if (output?.type !== 'logits') throw new Error('no logits')
    for (let row = 0; row + 1 < window.length; row++) {
      const logits = output.values.subarray(row * config.vocabularySize, (row + 1) * config.vocabularySize)
      sum += surprise(logits, window[row + 1]!)
    }
    stage.closeCache(cache)
  }
  stage.close()
  return Math.exp(sum / tokens.length)
}

/** −log p of one token. */
function surprise(logits: Float32Array, token: number): number {
  const largest = logits.reduce((max, logit) => Math.max(max, logit), Number.NEGATIVE_INFINITY)
  const total = logits.reduce((all, logit) => all + Math.exp(logit - largest), 0)
  return largest + Math.log(total) - logits[token]!
}

test('the embedded genesis predicts held-out text as well as it did when it was made', async () => {
  const found = await perplexity(openModelStore({ home }).find('genesis'))
  // Logits are the same bits everywhere; only the last digits of exp and log are the platform's.
  expect(found).toBeCloseTo(34.58188, 4)
})

describe.skipIf(!existsSync(source))('with the f32 weights in ../shared, perplexity', () => {
  const measure = async (format: WeightFormat): Promise<number> => {
    const options = { folder: source, home, name: `genesis-${format}`, format, segments: 1 }
    return perplexity((await importModel(options, new AbortController().signal)).model)
  }

  test('of q8 is within 0.3 % and of q4 within 3 % of f32', async () => {
    const exact = await measure('f32')
    const q8 = await measure('q8')
    const q4 = await measure('q4')
    expect(Math.abs(q8 / exact - 1)).toBeLessThan(0.003)
    expect(Math.abs(q4 / exact - 1)).toBeLessThan(0.03)
  })
})
