import { readFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { importModel } from '../../../src/app/model-import.ts'
import { probeModel } from '../../../src/app/model-probe.ts'
import type { StoredModel } from '../../../src/app/model-store.ts'
import { createReferenceEngine } from '../../../src/ml/engine/reference.ts'
import { configFromGguf } from '../../../src/ml/gguf/config.ts'
import { readGgufFields } from '../../../src/ml/gguf/fields.ts'
import { parseGgufHeader } from '../../../src/ml/gguf/header.ts'
import { FAMILY_TOKENS, TINY_FAMILIES, type TinyFamily, tinyFamilyFiles, withImages } from './families.ts'
import { tinyFamilyGguf } from './families-gguf.ts'
import { writeFolder } from './hugging-face-folder.ts'
import { createImportWorld, type ImportWorld } from './import-world.ts'

interface Expected {
  /** Which logits are kept. */
  readonly every: number
  readonly models: Readonly<Record<string, readonly { position: number; logits: readonly number[] }[]>>
}

/** Written by scripts/compare-llama.ts. */
const llama = JSON.parse(readFileSync(new URL('families-llama.json', import.meta.url), 'utf8')) as Expected
/** Share of the largest logit, where 3e-6 was found: llama.cpp adds in other orders. */
const BOUND = 1e-5
/** It takes the GELU of an f16 from a table of f16; with that table in place of our GELU, 1e-4 is left of 6e-4. */
const BOUND_OF_GELU = 2e-3

let world: ImportWorld

beforeEach(() => {
  world = createImportWorld()
})
afterEach(() => world.remove())

const shards = ({ manifest }: StoredModel): string[] => manifest.segments.map(({ shard }) => shard.root)

async function logitsOf(model: StoredModel): Promise<readonly (readonly number[])[]> {
  const engine = createReferenceEngine()
  const probed = await probeModel({ model, engine, tokens: FAMILY_TOKENS, chunk: 5 }, new AbortController().signal)
  return probed.map(({ logits }) => logits!)
}

/** Of the logits after the last token, in q8: these bits are for ever. */
const DIGESTS: Readonly<Record<string, string>> = {
  'llama-3': '7155f2fac289ebc5c1c0524bf561b2d470a8ae9c3defc75d87209c083d505917',
  'qwen3-yarn': '2bf8e2bcb9565c8d60ad84cfffa9aa25d429fce13a83111d69a0daed11aabec6',
  gemma: '75d8a897bdbe8643294c831c9366f4ef244c67f8eb24345d833b5418241ebbac',
  'gemma-2': '82fb9e876a2219ed17705dfdd323bb05453941866f8074c2fd0487075db8cdf5',
  'gemma-3': 'b9819e8099fb8190415d8cb220edbd90a97d5cdcdaf15979443bec5eac6b6993',
  'phi-3': 'ff0148cfd9f2e81bf65c847fe2e27cfb1df81876487f27ede0b16d2bc7afa671',
  'phi-4-mini': '298c1c33a9249e091a5be3b345f26e35f1f82be6dafb51c4a4b1201f60368b11',
  'phi-4-mini-short': 'a549e3e38f40f6281c3aafba7999e934bff33e5a1fe9a0770b7333347316b292',
  smollm3: '4c99625bd3607d9acf0863db9a3dda6cf3c302a17f8aaafd86a8fa508ad13d03',
}

async function lastDigestOf(model: StoredModel): Promise<string> {
  const engine = createReferenceEngine()
  const probed = await probeModel({ model, engine, tokens: FAMILY_TOKENS, chunk: 5 }, new AbortController().signal)
  return probed.at(-1)!.digest
}

function distance(found: readonly number[], expected: readonly number[]): number {
  const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
  return expected.reduce((most, value, at) => Math.max(most, Math.abs(value - found[at]!)), 0) / largest
}

describe.each(TINY_FAMILIES.map((family): [string, TinyFamily] => [family.name, family]))('%s', (name, family) => {
  test('gives the logits that llama.cpp gives, and the same model from a folder and from a GGUF file', async () => {
    const folder = await world.importFiles(tinyFamilyFiles(family))
    const file = await world.importFiles({ 'tiny.gguf': tinyFamilyGguf(family) }, { force: true })
    expect(file.manifest.config).toEqual(folder.manifest.config)
    expect(shards(file)).toEqual(shards(folder))
    const logits = await logitsOf(file)
    expect(await lastDigestOf(await world.importFiles(tinyFamilyFiles(family), { force: true, format: 'q8' }))).toBe(
      DIGESTS[name],
    )
    for (const { position, logits: expected } of llama.models[name]!) {
      const found = logits[position]!.filter((_, token) => token % llama.every === 0)
      const bound = name.startsWith('gemma') ? BOUND_OF_GELU : BOUND
      expect(distance(found, expected), `position ${position}`).toBeLessThanOrEqual(bound)
    }
  })
})

test('the text part of a model that sees images is taken alone, and the user is told', async () => {
  const family = TINY_FAMILIES.find(({ name }) => name === 'gemma-3')!
  const text = await world.importFiles(tinyFamilyFiles(family))
  const folder = writeFolder(world.root, withImages(family), 'images')
  const options = { folder, home: world.home, name: 'images', format: 'f32' } as const
  const { model, warnings } = await importModel(options, new AbortController().signal)
  expect(shards(model)).toEqual(shards(text))
  expect(warnings).toContainEqual(expect.stringContaining('takes text alone'))
})

describe('a model with two lists of rotary factors', () => {
  const family = TINY_FAMILIES.find(({ name }) => name === 'phi-4-mini')!
  const imported = (context?: number) => {
    const folder = writeFolder(world.root, tinyFamilyFiles(family), 'long')
    const options = { folder, home: world.home, name: 'long', format: 'f32', context, force: true } as const
    return importModel(options, new AbortController().signal)
  }

  test('takes the long one, or the short one where the context is no longer than the original', async () => {
    const long = await imported()
    const logits = await logitsOf(long.model)
    expect(long.warnings).toContainEqual(expect.stringContaining('--context 32'))
    const short = await imported(32)
    expect(short.model.manifest.config.contextLength).toBe(32)
    expect(short.warnings).not.toContainEqual(expect.stringContaining('--context'))
    expect(distance((await logitsOf(short.model))[23]!, logits[23]!)).toBeGreaterThan(1e-3)
  })

  test('is known by its header before its file is fetched', () => {
    const bytes = tinyFamilyGguf(family)
    const header = parseGgufHeader(bytes, bytes.length)!
    const tensors = new Map(header.tensors.map((tensor) => [tensor.name, tensor]))
    const parts = { tensors, ropeFactors: undefined, beginToken: undefined, endTokens: [] }
    expect(configFromGguf(readGgufFields(header.metadata), parts)).toMatchObject({ family: 'phi3', layerCount: 4 })
  })

  test('has no more positions than it was made for', async () => {
    await expect(imported(129)).rejects.toMatchObject({ code: 'MODEL_BAD_CONFIG' })
  })
})
