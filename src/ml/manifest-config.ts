/**
 * The config of a manifest that somebody else may have written: every field bounded. Spec: docs/spec/model.md §6.
 * @module
 */
import { ENGINE_LIMITS, MODEL_LIMITS } from '../base/limits.ts'
import { MODEL_FAMILIES, type ModelConfig, type ModelExtras, type RopeScaling } from './config.ts'
import { extrasOf } from './extras.ts'
import { type JsonFields, readFields } from './json-fields.ts'
import { ModelError } from './model-error.ts'

const ATTENTION_FACTOR = { min: 1e-3, max: 1e3 }
/** Of frequencies; below 1, angles would be larger than exact-math.ts takes. */
const DIVISOR = { min: 1, max: 1e6 }
const FACTOR = { min: 1e-3, max: 1e6 }
const CONTEXT = { min: 1, max: MODEL_LIMITS.contextMax }

/** Throws MODEL_BAD_MANIFEST. */
export function readManifestConfig(fields: JsonFields): ModelConfig {
  const size = (key: string, max: number): number => fields.integer(key, { min: 1, max })
  const layerCount = size('layerCount', MODEL_LIMITS.layersMax)
  const vocabularySize = size('vocabularySize', MODEL_LIMITS.vocabularyMax)
  const token = { min: 0, max: vocabularySize - 1 }
  const config: ModelConfig = {
    family: oneOf(MODEL_FAMILIES, fields.text('family'), 'family'),
    hiddenSize: size('hiddenSize', MODEL_LIMITS.hiddenMax),
    layerCount,
    headCount: size('headCount', MODEL_LIMITS.headsMax),
    keyValueHeadCount: size('keyValueHeadCount', MODEL_LIMITS.headsMax),
    headSize: size('headSize', ENGINE_LIMITS.headSizeMax),
    intermediateSize: size('intermediateSize', MODEL_LIMITS.intermediateMax),
    vocabularySize,
    contextLength: size('contextLength', MODEL_LIMITS.contextMax),
    normEpsilon: fields.number('normEpsilon', { min: 1e-12, max: 1 }),
    ropeTheta: fields.number('ropeTheta', { min: 1, max: 1e12 }),
    ropeScaling: parseScaling(fields.object('ropeScaling')),
    slidingWindow: fields.has('slidingWindow') ? size('slidingWindow', MODEL_LIMITS.contextMax) : undefined,
    queryKeyValueBias: fields.flag('queryKeyValueBias'),
    queryKeyNorm: fields.flag('queryKeyNorm'),
    tiedHead: fields.flag('tiedHead'),
    beginToken: fields.has('beginToken') ? fields.integer('beginToken', token) : undefined,
    endTokens: fields.list('endTokens', 64).map((id) => readFields({ id }, badManifest).integer('id', token)),
    ...(fields.has('extras') && { extras: readExtras(fields.object('extras'), layerCount) }),
  }
  if (config.headCount % config.keyValueHeadCount !== 0)
    throw badManifest('headCount is no multiple of keyValueHeadCount')
  if (config.headSize % 2 !== 0) throw badManifest('headSize is odd')
  if (config.headCount * config.headSize > MODEL_LIMITS.intermediateMax)
    throw badManifest('the heads together are too wide')
  checkTogether(config)
  return config
}

function parseScaling(fields: JsonFields): RopeScaling {
  switch (fields.text('type')) {
    case 'none':
      return { type: 'none' }
    case 'linear':
      return { type: 'linear', factor: fields.number('factor', DIVISOR) }
    case 'llama3':
      return {
        type: 'llama3',
        factor: fields.number('factor', DIVISOR),
        lowFrequencyFactor: fields.number('lowFrequencyFactor', FACTOR),
        highFrequencyFactor: fields.number('highFrequencyFactor', FACTOR),
        originalContextLength: fields.integer('originalContextLength', CONTEXT),
      }
    case 'yarn':
      return {
        type: 'yarn',
        factor: fields.number('factor', DIVISOR),
        originalContextLength: fields.integer('originalContextLength', CONTEXT),
        fastRotations: fields.number('fastRotations', FACTOR),
        slowRotations: fields.number('slowRotations', FACTOR),
        attentionFactor: fields.number('attentionFactor', ATTENTION_FACTOR),
      }
    case 'longrope':
      return {
        type: 'longrope',
        shortFactors: readDivisors(fields, 'shortFactors'),
        longFactors: readDivisors(fields, 'longFactors'),
        originalContextLength: fields.integer('originalContextLength', CONTEXT),
        attentionFactor: fields.number('attentionFactor', ATTENTION_FACTOR),
      }
    default:
      throw badManifest('ropeScaling has an unknown type')
  }
}

function readDivisors(fields: JsonFields, key: string): number[] {
  const items = fields.list(key, MODEL_LIMITS.hiddenMax)
  return items.map((factor) => readFields({ factor }, badManifest).number('factor', DIVISOR))
}

function readExtras(fields: JsonFields, layerCount: number): Partial<ModelExtras> {
  fields.only(EXTRAS)
  const layers = (key: string): number[] => ascendingLayers(fields.list(key, MODEL_LIMITS.layersMax), layerCount)
  return {
    ...(fields.has('gate') && { gate: oneOf(['silu', 'gelu'], fields.text('gate'), 'gate') }),
    ...(fields.has('outputNorms') && { outputNorms: fields.flag('outputNorms') }),
    ...(fields.has('embeddingFactor') && { embeddingFactor: fields.number('embeddingFactor', FACTOR) }),
    ...(fields.has('scoreSize') && { scoreSize: fields.number('scoreSize', FACTOR) }),
    ...(fields.has('scoreCap') && { scoreCap: fields.number('scoreCap', FACTOR) }),
    ...(fields.has('logitCap') && { logitCap: fields.number('logitCap', FACTOR) }),
    ...(fields.has('rotarySize') && {
      rotarySize: fields.integer('rotarySize', { min: 2, max: MODEL_LIMITS.hiddenMax }),
    }),
    ...(fields.has('windowLayers') && { windowLayers: layers('windowLayers') }),
    ...(fields.has('windowTheta') && { windowTheta: fields.number('windowTheta', { min: 1, max: 1e12 }) }),
    ...(fields.has('unrotatedLayers') && { unrotatedLayers: layers('unrotatedLayers') }),
  }
}

const EXTRAS: readonly (keyof ModelExtras)[] = [
  'gate',
  'outputNorms',
  'embeddingFactor',
  'scoreSize',
  'scoreCap',
  'logitCap',
  'rotarySize',
  'windowLayers',
  'windowTheta',
  'unrotatedLayers',
]

function ascendingLayers(items: readonly unknown[], layerCount: number): number[] {
  const layers = items.map((layer) =>
    readFields({ layer }, badManifest).integer('layer', { min: 0, max: layerCount - 1 }),
  )
  if (layers.some((layer, index) => index > 0 && layer <= layers[index - 1]!))
    throw badManifest('layers are not in order')
  return layers
}

/** What no field alone shows. Throws MODEL_BAD_MANIFEST. */
function checkTogether(config: ModelConfig): void {
  const { rotarySize, windowLayers, windowTheta } = extrasOf(config)
  if (rotarySize % 2 !== 0 || rotarySize > config.headSize) throw badManifest('rotarySize is odd or over headSize')
  const hasWindow = config.slidingWindow !== undefined
  if (!hasWindow && (windowLayers !== undefined || windowTheta !== undefined)) {
    throw badManifest('it names layers with a window, but no window')
  }
  const { ropeScaling: scaling } = config
  if (scaling.type === 'longrope') {
    const lists = [scaling.shortFactors, scaling.longFactors]
    if (lists.some((list) => list.length !== rotarySize / 2))
      throw badManifest('its rotary factors are not one for each frequency')
  }
  if (scaling.type === 'llama3' && scaling.highFrequencyFactor <= scaling.lowFrequencyFactor) {
    throw badManifest('highFrequencyFactor is not above lowFrequencyFactor')
  }
  if (scaling.type === 'yarn' && config.ropeTheta < 2) throw badManifest('ropeTheta is below 2')
}

/** The value that `text` is; throws MODEL_BAD_MANIFEST where it is none of them. */
export function oneOf<Value extends string>(known: readonly Value[], text: string, field: string): Value {
  const found = known.find((value) => value === text)
  if (found === undefined) throw badManifest(`${field} must be one of ${known.join(', ')}`)
  return found
}

export function badManifest(problem: string): ModelError {
  return new ModelError('MODEL_BAD_MANIFEST', `The manifest cannot be used: ${problem}. Import the model again.`)
}
