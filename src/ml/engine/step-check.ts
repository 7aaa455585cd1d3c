/**
 * Checks that every engine makes before it computes: shapes, token ids, positions. One place, so that all
 * engines refuse the same inputs with the same codes.
 * Spec: docs/spec/numerics.md §1.
 * @module
 */
import { assert } from '../../base/assert.ts'
import type { ModelConfig } from '../config.ts'
import type { Cache } from './cache-table.ts'
import { EngineError, type StepInput } from './engine.ts'

/** Rows of a step: consecutive positions that it computes. */
export function rowsOf(step: StepInput, config: ModelConfig): number {
  return step.input.type === 'tokens' ? step.input.tokens.length : step.input.values.length / config.hiddenSize
}

/** The error that makes this step impossible, or undefined. */
export function checkStep(
  step: StepInput,
  state: Omit<Cache<unknown>, 'memory'>,
  config: ModelConfig,
): EngineError | undefined {
  assert(
    state.part.hasEmbedding === (step.input.type === 'tokens'),
    'tokens go to the part with the embedding, rows to others',
  )
  const rows = rowsOf(step, config)
  if (!Number.isInteger(rows) || rows < 1) {
    return new EngineError('ENGINE_BAD_INPUT', 'The step holds no whole row of activations.', { details: { rows } })
  }
  if (!Number.isInteger(step.position) || step.position < 0 || step.position > state.length) {
    return new EngineError('ENGINE_BAD_POSITION', 'The step does not continue what this session has computed so far.', {
      details: { position: step.position, length: state.length },
    })
  }
  if (step.position + rows > state.capacity) {
    return new EngineError('ENGINE_BAD_POSITION', 'The session is full: its context has no room for this step.', {
      details: { position: step.position, rows, capacity: state.capacity },
    })
  }
  return step.input.type === 'tokens' ? checkTokens(step.input.tokens, config) : checkRows(step.input.values)
}

function checkTokens(tokens: Int32Array, config: ModelConfig): EngineError | undefined {
  const bad = tokens.find((token) => token < 0 || token >= config.vocabularySize)
  if (bad === undefined) return undefined
  return new EngineError('ENGINE_BAD_TOKEN', `Token ${bad} is not in this model's vocabulary.`, {
    details: { token: bad, vocabulary: config.vocabularySize },
  })
}

function checkRows(values: Float32Array): EngineError | undefined {
  // Every value of every step passes here: a sum of zeros needs no object for each of them, as a call of Number.isFinite does.
  let zero = 0
  for (let index = 0; index < values.length; index++) zero += values[index]! * 0
  if (zero === 0) return undefined
  const index = values.findIndex((value) => !Number.isFinite(value))
  return new EngineError('ENGINE_NOT_FINITE', 'The activations that arrived hold a value that is not a number.', {
    details: { index },
  })
}

/** Whether engines on devices compute this model; those of the processor compute every one. */
export function isForDevices({ extras }: ModelConfig): boolean {
  return extras === undefined
}

/** Throws ENGINE_UNAVAILABLE for a model that has what only engines of processors compute. */
export function refuseExtras(config: ModelConfig, engine: string): void {
  if (isForDevices(config)) return
  const { family, extras = {} } = config
  throw new EngineError(
    'ENGINE_UNAVAILABLE',
    `The ${engine} engine does not compute this ${family} model: ${Object.keys(extras).join(', ')}. Engines of the processor do.`,
    { details: { engine, family } },
  )
}
