import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type ImportOptions, importModel } from '../../../src/app/model-import.ts'
import { probeModel } from '../../../src/app/model-probe.ts'
import { openModelStore, type StoredModel } from '../../../src/app/model-store.ts'
import { createReferenceEngine } from '../../../src/ml/engine/reference.ts'
import { type BlockName, blockTypeOf, decodeBlocks } from '../../../src/ml/gguf/blocks.ts'
import { parseSafetensorsHeader, safetensorsHeaderBytes } from '../../../src/ml/safetensors.ts'
import { type Entry, type GgufPart, ggufBytes, ggufMetadata, ggufTensors, ropeFactors } from './gguf-file.ts'
import {
  asHalves,
  type Files,
  safetensors,
  type Tensors,
  TINY_CONFIG,
  TINY_TOKENIZER,
  TINY_TOKENIZER_CONFIG,
  tinyFiles,
  tinyTensors,
  writeFolder,
} from './hugging-face-folder.ts'
import { createImportWorld, type ImportWorld } from './import-world.ts'

const never = new AbortController().signal
const shared = fileURLToPath(new URL('../../../../shared/models', import.meta.url))
let world: ImportWorld

beforeEach(() => {
  world = createImportWorld()
})
afterEach(() => world.remove())

type Config = Readonly<Record<string, unknown>>

const TOKENIZER_FILES: Files = { 'tokenizer.json': TINY_TOKENIZER, 'tokenizer_config.json': TINY_TOKENIZER_CONFIG }

/** A GGUF file of a Hugging Face model. */
function gguf(config: Config, tensors: Tensors, more: readonly (readonly [string, Entry])[] = []): Uint8Array {
  const parts = ggufTensors(config, tensors)
  if (config['rope_scaling'] !== undefined) parts.set('rope_freqs.weight', ropeFactors(config))
  return ggufBytes({ metadata: ggufMetadata(config, more), tensors: parts })
}

async function imported(files: Files, name: string, options: Partial<ImportOptions> = {}): Promise<StoredModel> {
  const folder = writeFolder(world.root, files, name)
  return (await importModel({ folder, home: world.home, name, format: 'f32', ...options }, never)).model
}

async function digests(model: StoredModel, tokens: readonly number[]): Promise<string[]> {
  const probed = await probeModel({ model, engine: createReferenceEngine(), tokens, chunk: 4 }, never)
  return probed.map(({ digest }) => digest)
}

const shards = ({ manifest }: StoredModel): string[] => manifest.segments.map(({ shard }) => shard.root)

describe('a GGUF file', () => {
  const halves = (dtype: 'F16' | 'BF16'): Tensors =>
    new Map([...tinyTensors()].map(([name, t]) => [name, t.shape.length > 1 ? asHalves(t, dtype) : t]))

  test.each([
    ['F32', tinyTensors()],
    ['F16', halves('F16')],
    ['BF16', halves('BF16')],
  ] as const)('of %s weights gives the model that the Hugging Face folder gives', async (_name, tensors) => {
    for (const format of ['f32', 'q8', 'q4'] as const) {
      const options = { format, force: true }
      const plain = await imported(tinyFiles(), 'tiny', options)
      const other = await imported({ 'any.gguf': gguf(TINY_CONFIG, tensors), ...TOKENIZER_FILES }, 'files', {
        ...options,
        name: 'tiny',
      })
      expect(other.manifest).toEqual(plain.manifest)
      expect(other.hash).toBe(plain.hash)
    }
  })

  test('of a tied head has none of its own', async () => {
    const config = { ...TINY_CONFIG, tie_word_embeddings: true }
    const tensors = tinyTensors()
    tensors.delete('lm_head.weight')
    const plain = await imported(tinyFiles({ 'config.json': config, 'model.safetensors': safetensors(tensors) }), 'a')
    const other = await imported({ 'b.gguf': gguf(config, tensors) }, 'b')
    expect(other.manifest.config.tiedHead).toBe(true)
    expect(shards(other)).toEqual(shards(plain))
  })

  test('is cut as publishers cut large ones', async () => {
    const parts = [...ggufTensors(TINY_CONFIG, tinyTensors())]
    const pieces = [parts.slice(0, 9), parts.slice(9)].map((tensors, index) => {
      const split: [string, Entry][] = [
        ['split.no', ['u32', index]],
        ['split.count', ['u32', 2]],
      ]
      const metadata = index === 0 ? ggufMetadata(TINY_CONFIG, split) : new Map(split)
      return [`tiny-0000${index + 1}-of-00002.gguf`, ggufBytes({ metadata, tensors: new Map(tensors) })] as const
    })
    const whole = await imported({ 'tiny.gguf': gguf(TINY_CONFIG, tinyTensors()) }, 'whole')
    const folder = writeFolder(world.root, Object.fromEntries(pieces), 'cut')
    const name = 'cut'
    const fromFolder = await importModel({ folder, home: world.home, name, format: 'f32' }, never)
    expect(shards(fromFolder.model)).toEqual(shards(whole))
    const file = join(folder, 'tiny-00002-of-00002.gguf')
    const fromFile = await importModel({ folder: file, home: world.home, format: 'f32' }, never)
    expect(fromFile.model.manifest.name).toBe('tiny')
    expect(shards(fromFile.model)).toEqual(shards(whole))
  })

  test('names the model where nobody else does', async () => {
    const folder = writeFolder(world.root, { 'Some-Model.Q8_0.gguf': gguf(TINY_CONFIG, tinyTensors()) }, 'x')
    const path = join(folder, 'Some-Model.Q8_0.gguf')
    const { model, warnings } = await importModel({ folder: path, home: world.home, format: 'q8' }, never)
    expect(model.manifest.name).toBe('Some-Model.Q8_0')
    expect(warnings).toHaveLength(1)
  })

  test('with an alignment of its own is read by it', async () => {
    const metadata = ggufMetadata(TINY_CONFIG, [['general.alignment', ['u32', 256]]])
    const tensors = ggufTensors(TINY_CONFIG, tinyTensors())
    const wide = await imported({ 'a.gguf': ggufBytes({ metadata, tensors }, { alignment: 256 }) }, 'wide')
    expect(shards(wide)).toEqual(shards(await imported(tinyFiles(), 'plain')))
  })
})

describe('quantised weights', () => {
  const config = {
    ...TINY_CONFIG,
    ...{ hidden_size: 256, intermediate_size: 256, num_hidden_layers: 1, num_attention_heads: 4 },
    ...{ num_key_value_heads: 2, vocab_size: 32 },
  }
  const shapes: readonly (readonly [string, readonly number[]])[] = [
    ['model.embed_tokens.weight', [32, 256]],
    ['model.layers.0.input_layernorm.weight', [256]],
    ['model.layers.0.self_attn.q_proj.weight', [256, 256]],
    ['model.layers.0.self_attn.k_proj.weight', [128, 256]],
    ['model.layers.0.self_attn.v_proj.weight', [128, 256]],
    ['model.layers.0.self_attn.o_proj.weight', [256, 256]],
    ['model.layers.0.post_attention_layernorm.weight', [256]],
    ['model.layers.0.mlp.gate_proj.weight', [256, 256]],
    ['model.layers.0.mlp.up_proj.weight', [256, 256]],
    ['model.layers.0.mlp.down_proj.weight', [256, 256]],
    ['model.norm.weight', [256]],
    ['lm_head.weight', [32, 256]],
  ]

  /** Blocks of any bits but those of their f16 scales, which stay small. */
  function part(typeId: number, shape: readonly number[], salt: number): GgufPart {
    const { name, elements, bytes } = blockTypeOf(typeId)!
    const rows = shape.length > 1 ? shape : [1, ...shape]
    const data = new Uint8Array(((rows[0]! * rows[1]!) / elements) * bytes)
    for (let index = 0; index < data.length; index++) data[index] = ((index + salt) * 2_654_435_761) >>> 24
    const places = name === 'Q6_K' ? [208] : name.endsWith('_K') || name.endsWith('_1') ? [0, 2] : [0]
    for (let at = 0; at < data.length; at += bytes) {
      for (const place of places) data.set([at & 0xff, 0x10], at + place)
    }
    return { type: typeId, shape: [...shape].reverse(), data }
  }

  test.each([
    ['Q8_0', 8],
    ['Q4_0', 2],
    ['Q4_1', 3],
    ['Q5_0', 6],
    ['Q5_1', 7],
    ['Q4_K', 12],
    ['Q5_K', 13],
    ['Q6_K', 14],
  ] as const)(
    'as %s give the digests of a Hugging Face folder with the same values',
    async (name: BlockName, typeId) => {
      const tensors: Tensors = new Map(
        shapes.map(([tensor, shape], salt) => {
          const isVector = shape.length === 1
          const values = isVector
            ? Float32Array.from({ length: shape[0]! }, (_, index) => 1 + (index % 7) / 64)
            : decodeBlocks(name, part(typeId, shape, salt).data)
          return [tensor, { dtype: 'F32', shape, data: new Uint8Array(values.buffer) }]
        }),
      )
      // The file has the rows of queries and keys in its own order: whole rows are whole blocks, so their bytes can be moved.
      const blocks = new Map(
        shapes.map(([tensor, shape], salt) => [tensor, { dtype: 'F32', shape, data: part(typeId, shape, salt).data }]),
      )
      const parts = ggufTensors(config, tensors)
      for (const [tensor, moved] of ggufTensors(config, blocks)) {
        if (moved.shape.length > 1) parts.set(tensor, { ...moved, type: typeId })
      }
      const plain = await imported({ 'config.json': config, 'model.safetensors': safetensors(tensors) }, 'plain', {
        format: 'q8',
      })
      const other = await imported(
        { 'a.gguf': ggufBytes({ metadata: ggufMetadata(config), tensors: parts }) },
        'blocks',
        {
          format: 'q8',
        },
      )
      expect(shards(other)).toEqual(shards(plain))
      const tokens = [0, 5, 9, 31]
      expect(await digests(other, tokens)).toEqual(await digests(plain, tokens))
    },
  )
})

describe.skipIf(!existsSync(shared))('with the weights in ../shared', () => {
  const read = (folder: string): { config: Config; tensors: Tensors } => {
    const bytes = readFileSync(join(shared, folder, 'model.safetensors'))
    const length = safetensorsHeaderBytes(bytes, bytes.length)
    const data = bytes.subarray(8 + length)
    const found = parseSafetensorsHeader(bytes.subarray(8, 8 + length), data.length)
    return {
      config: JSON.parse(readFileSync(join(shared, folder, 'config.json'), 'utf8')),
      tensors: new Map(
        found.map(({ name, dtype, shape, start, end }) => [name, { dtype, shape, data: data.subarray(start, end) }]),
      ),
    }
  }

  test.each(['parity/llama3-tiny', 'parity/qwen2-tiny', 'parity/qwen3-tiny', 'genesis'])(
    '%s has the same config, weights and digests from both',
    async (folder) => {
      const { config, tensors } = read(folder)
      const name = folder.split('/').at(-1)!
      const options = { folder: join(shared, folder), home: world.home, name, format: 'q8' } as const
      const { model: plain } = await importModel(options, never)
      const other = await imported({ 'a.gguf': gguf(config, tensors) }, `${name}-gguf`, { format: 'q8' })
      const ids = { beginToken: undefined, endTokens: [] }
      expect({ ...other.manifest.config, ...ids }).toEqual({ ...plain.manifest.config, ...ids })
      expect(shards(other)).toEqual(shards(plain))
      const tokens = [1, 200, 7, 42, 42, 3]
      expect(await digests(other, tokens)).toEqual(await digests(plain, tokens))
      expect(
        openModelStore({ home: world.home })
          .list()
          .map(({ manifest }) => manifest.name),
      ).toContain(`${name}-gguf`)
    },
  )
})
