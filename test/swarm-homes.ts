/**
 * Data folders with a model of random weights, and folders without, for tests in which files of models move between peers. The tokenizer is that of genesis,
 * so that people can chat with it.
 * @module
 */
import { cp, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { TINYLLAMA_SHAPE, writeRandomModel } from '../bench/random-model.ts'
import { type Home, openHome } from '../src/app/home.ts'
import { modelsFolder, openModelStore, type StoredModel } from '../src/app/model-store.ts'
import type { ModelConfig } from '../src/ml/config.ts'

export const MODEL_NAME = 'swarm-test'
const GENESIS = new URL('../models/genesis/', import.meta.url)

export interface SwarmHomes {
  readonly model: StoredModel
  /** A data folder with the whole model. */
  full(): Promise<Home>
  empty(): Promise<Home>
  close(): Promise<void>
}

/** About so many MB, cut into segments of one layer, 24 at most. */
export function shapeOf(megabytes: number): ModelConfig {
  const isLarge = megabytes > 100
  const [hiddenSize, intermediateSize] = isLarge ? [1_024, 4_096] : [512, 1_280]
  const layerBytes = hiddenSize * (2.5 * hiddenSize + 3 * intermediateSize)
  const heads = { headCount: hiddenSize / 64, keyValueHeadCount: hiddenSize / 256, headSize: 64 }
  const layerCount = Math.max(3, Math.round((megabytes * 1e6) / layerBytes))
  const words = { vocabularySize: 2_048, beginToken: 0, contextLength: 256 }
  return { ...TINYLLAMA_SHAPE, hiddenSize, intermediateSize, layerCount, ...heads, ...words }
}

export async function createSwarmHomes(megabytes: number): Promise<SwarmHomes> {
  const root = await mkdtemp(join(tmpdir(), 'dllm-swarm-'))
  let count = 0
  const empty = async (): Promise<Home> => openHome({ path: join(root, `home-${count++}`) })
  const first = await empty()
  const files = new Map<string, Uint8Array>()
  for (const name of ['tokenizer.json', 'tokenizer_config.json'])
    files.set(name, await readFile(new URL(name, GENESIS)))
  await mkdir(modelsFolder(first.path), { recursive: true })
  const config = shapeOf(megabytes)
  const never = new AbortController().signal
  await writeRandomModel(first.path, { name: MODEL_NAME, format: 'q8', config, areDistinct: true, files }, never)
  return {
    model: openModelStore({ home: first.path }).find(MODEL_NAME),
    empty,
    full: async () => {
      const home = await empty()
      await cp(modelsFolder(first.path), modelsFolder(home.path), { recursive: true })
      return home
    },
    close: () => rm(root, { recursive: true, force: true }),
  }
}
