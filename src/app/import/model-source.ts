/**
 * A model in the form of somebody else: a Hugging Face folder or GGUF files. Everything but the values of its weights is read and
 * checked here. Spec: docs/spec/model.md §1, §2, §8, §10.
 * @module
 */
import { stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { MODEL_LIMITS } from '../../base/limits.ts'
import type { ModelConfig } from '../../ml/config.ts'
import { configFromHuggingFace, generationFromHuggingFace, hasImageParts } from '../../ml/huggingface.ts'
import { parseJson } from '../../ml/json-fields.ts'
import type { GenerationDefaults } from '../../ml/manifest.ts'
import { ModelError } from '../../ml/model-error.ts'
import { tensorPlan } from '../../ml/tensors.ts'
import { asReadError, systemCode } from '../file-errors.ts'
import { readBounded } from '../model-store.ts'
import { TOKENIZER_FILE, TOKENIZER_FILES, tokenizerFromFiles } from '../model-tokenizer.ts'
import { INDEX_FILE, openWeightsFolder, SINGLE_FILE } from '../weights-folder.ts'
import { ggufModelsIn, ggufStem, isGgufName, openGgufFiles } from './gguf-files.ts'
import { describeGguf } from './gguf-source.ts'
import { ggufWeights } from './gguf-weights.ts'
import type { SourceWeights } from './source-weights.ts'

export const CONFIG_FILE = 'config.json'
export const GENERATION_FILE = 'generation_config.json'

export interface ModelSource {
  readonly config: ModelConfig
  readonly generation: GenerationDefaults
  /** Contents by name, of those that are kept. */
  readonly tokenizerFiles: ReadonlyMap<string, Uint8Array>
  readonly weights: SourceWeights
  /** Remarks for the user, as sentences. */
  readonly warnings: readonly string[]
}

/** Where the model's files lie: a GGUF file, or a folder in safetensors format. */
export interface SourcePlace {
  readonly type: 'folder' | 'gguf'
  readonly path: string
  /** What the model is called where nobody says otherwise. */
  readonly name: string
}

/** Looks at what is at `path`. Throws MODEL_UNREADABLE where that is no model, or more than one. */
export async function findSource(path: string): Promise<SourcePlace> {
  const found = await stat(path).catch((error: unknown) => {
    throw asReadError(error, path)
  })
  if (found.isFile()) {
    if (isGgufName(path)) return { type: 'gguf', path, name: ggufStem(basename(path)) }
    throw unreadable(`${path} is no GGUF file. Name one, or the folder of a model.`)
  }
  const name = basename(resolve(path))
  const models = (await hasSafetensors(path)) ? [] : await ggufModelsIn(path)
  if (models.length > 1) {
    throw unreadable(`${path} has several models: ${models.slice(0, 12).join(', ')}. Name one of these files instead.`)
  }
  if (models[0] !== undefined) return { type: 'gguf', path: join(path, models[0]), name }
  return { type: 'folder', path, name }
}

/** Opens and checks it. The caller closes `weights`. Throws ModelError; docs/spec/model.md §7 has its codes. */
export async function openSource(
  place: SourcePlace,
  options: { context?: number | undefined } = {},
): Promise<ModelSource> {
  const source = await (place.type === 'gguf' ? openGguf(place.path) : openFolder(place.path))
  return closing(source.weights, async () => {
    const config = { ...source.config, contextLength: chosenContext(source.config, options.context) }
    return { ...source, config, warnings: [...source.warnings, ...notesOn(config)] }
  })
}

function chosenContext({ contextLength }: ModelConfig, wanted = contextLength): number {
  if (wanted <= contextLength) return wanted
  throw new ModelError(
    'MODEL_BAD_CONFIG',
    `This model has ${contextLength} positions, so that --context takes at most as many, not ${wanted}.`,
  )
}

async function openFolder(folder: string): Promise<ModelSource> {
  if (optionalFile(folder, CONFIG_FILE) === undefined) {
    throw unreadable(
      `${folder} has no ${CONFIG_FILE}. Name the folder of a Hugging Face model (config.json, safetensors, tokenizer.json) or a GGUF file.`,
    )
  }
  const weights = await openWeightsFolder(folder)
  return closing(weights, async () => {
    const generationJson = optionalJson(folder, GENERATION_FILE)
    const configJson = optionalJson(folder, CONFIG_FILE)
    const read = configFromHuggingFace(configJson, generationJson)
    const tokenizerFiles = readTokenizerFiles(folder)
    const config = await withTokenizer(read, tokenizerFiles)
    checkWeights(weights, config)
    return {
      config,
      generation: generationJson === undefined ? {} : generationFromHuggingFace(generationJson),
      tokenizerFiles,
      weights,
      warnings: [
        ...(tokenizerFiles.size > 0 ? [] : [noTokenizer(`${folder} has no ${TOKENIZER_FILE}`)]),
        ...(hasImageParts(configJson) ? [NO_IMAGES] : []),
      ],
    }
  })
}

/** Tokenizer files and generation defaults beside a GGUF file go before what its metadata say. */
async function openGguf(path: string): Promise<ModelSource> {
  const files = await openGgufFiles(path)
  const weights = ggufWeights(files)
  return closing(weights, async () => {
    const folder = dirname(path)
    const { config: read, tokenizer } = await describeGguf(files)
    const beside = readTokenizerFiles(folder)
    const tokenizerFiles = beside.size > 0 ? beside : tokenizer.files
    const generationJson = optionalJson(folder, GENERATION_FILE)
    const config = await withTokenizer(read, tokenizerFiles)
    checkWeights(weights, config)
    return {
      config,
      generation: generationJson === undefined ? {} : generationFromHuggingFace(generationJson),
      tokenizerFiles,
      weights,
      warnings: [
        ...(tokenizerFiles.size > 0
          ? []
          : [noTokenizer(`The tokenizer in ${basename(path)} cannot be used, because ${tokenizer.reason}`)]),
      ],
    }
  })
}

/** Closes the weights where reading the rest fails. */
async function closing(weights: SourceWeights, read: () => Promise<ModelSource>): Promise<ModelSource> {
  try {
    return await read()
  } catch (error) {
    await weights.close()
    throw error
  }
}

function checkWeights(weights: SourceWeights, config: ModelConfig): void {
  weights.check(
    config,
    tensorPlan(config, { firstLayer: 0, lastLayer: config.layerCount, hasEmbedding: true, hasHead: true }),
  )
}

/** The begin token is the tokenizer's business: some models name one in config.json that no prompt starts with. */
async function withTokenizer(config: ModelConfig, files: ReadonlyMap<string, Uint8Array>): Promise<ModelConfig> {
  if (files.size === 0) return config
  const { beginToken, endTokens } = await tokenizerFromFiles((file) => files.get(file), config)
  return { ...config, beginToken, endTokens }
}

function readTokenizerFiles(folder: string): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>()
  for (const name of TOKENIZER_FILES) {
    const bytes = optionalFile(folder, name)
    if (bytes !== undefined) files.set(name, bytes)
  }
  return files.has(TOKENIZER_FILE) ? files : new Map()
}

async function hasSafetensors(folder: string): Promise<boolean> {
  const found = await Promise.all(
    [SINGLE_FILE, INDEX_FILE].map((name) => stat(join(folder, name)).catch(() => undefined)),
  )
  return found.some((entry) => entry !== undefined)
}

function optionalFile(folder: string, name: string): Uint8Array | undefined {
  try {
    return readBounded(join(folder, name), MODEL_LIMITS.jsonFileBytesMax)
  } catch (error) {
    if (error instanceof ModelError && systemCode(error.cause) === 'ENOENT') return undefined
    throw error
  }
}

function optionalJson(folder: string, name: string): unknown {
  const bytes = optionalFile(folder, name)
  if (bytes === undefined) return undefined
  return parseJson(bytes, (problem) => new ModelError('MODEL_BAD_CONFIG', `${name} cannot be used: it ${problem}.`))
}

const NO_IMAGES = 'This model sees images; its parts for them are left out, so that it takes text alone.'

/** What the user should know of how this model computes. */
function notesOn({ ropeScaling: scaling, contextLength }: ModelConfig): string[] {
  if (scaling.type !== 'longrope' || contextLength <= scaling.originalContextLength) return []
  return [
    `This model has two lists of rotary factors. Every position gets the long ones, as llama.cpp does for a context over ${scaling.originalContextLength}; ` +
      `for short conversations alone, import it again with --context ${scaling.originalContextLength}, which takes the short ones.`,
  ]
}

function noTokenizer(why: string): string {
  return `${why}: the model can be probed with token ids, but it cannot chat. Put ${TOKENIZER_FILE} beside the weights and import again.`
}

function unreadable(sentence: string): ModelError {
  return new ModelError('MODEL_UNREADABLE', sentence)
}
