import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { importModel } from '../../../src/app/model-import.ts'
import { type ProbedToken, probeModel } from '../../../src/app/model-probe.ts'
import type { StoredModel } from '../../../src/app/model-store.ts'
import { loadTokenizer } from '../../../src/app/model-tokenizer.ts'
import { createReferenceEngine } from '../../../src/ml/engine/reference.ts'

/** Other programs' weights and logits; not part of the repository. */
const shared = fileURLToPath(new URL('../../../../shared/models', import.meta.url))
const never = new AbortController().signal
/** Of the largest logit, as the issue asks. */
const TOLERANCE = 1e-4

let home: string
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'dllm-parity-'))
})
afterAll(() => rmSync(home, { recursive: true, force: true }))

async function imported(folder: string, name: string): Promise<StoredModel> {
  return (await importModel({ folder: join(shared, folder), home, name, format: 'f32', force: true }, never)).model
}

function probe(model: StoredModel, tokens: readonly number[]): Promise<ProbedToken[]> {
  return probeModel({ model, engine: createReferenceEngine(), tokens, chunk: 16 }, never)
}

function expectClose(found: readonly number[], expected: readonly number[]): void {
  const largest = expected.reduce((max, logit) => Math.max(max, Math.abs(logit)), 0)
  const worst = expected.reduce((max, logit, id) => Math.max(max, Math.abs(logit - found[id]!)), 0)
  expect(found.length).toBe(expected.length)
  expect(worst / largest).toBeLessThan(TOLERANCE)
}

describe.skipIf(!existsSync(shared))('with the weights in ../shared', () => {
  test.each(['llama3-tiny', 'qwen2-tiny', 'qwen3-tiny'])('%s has the logits of other programs', async (name) => {
    const file = join(shared, 'parity', name, 'expected.json')
    const expected = JSON.parse(readFileSync(file, 'utf8')) as { tokens: number[]; logits: number[][] }
    const probed = await probe(await imported(`parity/${name}`, name), expected.tokens)
    for (const [position, logits] of expected.logits.entries()) expectClose(probed[position]!.logits!, logits)
  })

  test('stories260k tells the story of llama2.c', async () => {
    const read = (name: string): string => readFileSync(join(shared, 'stories260k', name), 'utf8')
    const expected = JSON.parse(read('expected.json')) as { greedy_ids: number[]; logits?: Record<string, number[]> }
    const model = await imported('stories260k', 'stories260k')
    const tokenizer = await loadTokenizer(model)
    const prompt = tokenizer.encode('')
    expect(prompt).toEqual([1])
    const probed = await probe(model, [...prompt, ...expected.greedy_ids.slice(0, -1)])
    expect(probed.map(({ top }) => top[0]!.token)).toEqual(expected.greedy_ids)
    for (const [step, logits] of Object.entries(expected.logits ?? {})) {
      expectClose(probed[Number(step)]!.logits!, logits)
    }
    const stream = tokenizer.createTextStream(prompt)
    const text = expected.greedy_ids.map((token) => stream.push(token)).join('') + stream.flush()
    expect(text).toBe(read('expected.txt'))
  })

  test('the embedded genesis is what an import of its source gives', async () => {
    const options = { folder: join(shared, 'genesis'), home, name: 'genesis', format: 'q8' } as const
    const { model } = await importModel(options, never)
    const embedded = readFileSync(new URL('../../../models/genesis/manifest.json', import.meta.url))
    expect(readFileSync(join(model.directory, 'manifest.json')).equals(embedded)).toBe(true)
  })
})
