/**
 * ModelError: everything that can be wrong with a model that somebody gives us. One class, because a
 * folder, its weights and its tokenizer fail together for the user.
 * Spec: docs/spec/model.md §7.
 * @module
 */
import { HouseError } from '../base/error.ts'

export type ModelErrorCode =
  /** Architecture, option or rope type that exact-1 does not have. */
  | 'MODEL_UNSUPPORTED'
  /** config.json or generation_config.json: missing, malformed or over a bound. */
  | 'MODEL_BAD_CONFIG'
  /** More segments than layers, or a range that is none. */
  | 'MODEL_BAD_SEGMENTS'
  | 'MODEL_BAD_NAME'
  | 'MODEL_NOT_FOUND'
  /** A model of this name is already in the store. */
  | 'MODEL_EXISTS'
  /** It cannot be removed: it is served, or comes with the program. */
  | 'MODEL_IN_USE'
  | 'MODEL_NO_SPACE'
  /** A file or folder is missing or may not be read. */
  | 'MODEL_UNREADABLE'
  /** A file or folder may not be written. */
  | 'MODEL_UNWRITABLE'
  | 'MODEL_BAD_MANIFEST'
  /** A shard that is not what the manifest says. */
  | 'MODEL_BAD_SHARD'
  /** A canary that is not what the chain says, or is none. */
  | 'MODEL_BAD_CANARY'
  | 'WEIGHTS_TRUNCATED'
  | 'WEIGHTS_BAD_HEADER'
  | 'WEIGHTS_BAD_DTYPE'
  | 'WEIGHTS_BAD_SHAPE'
  | 'WEIGHTS_BAD_OFFSETS'
  | 'WEIGHTS_MISSING_TENSOR'
  | 'WEIGHTS_UNKNOWN_TENSOR'
  | 'WEIGHTS_NOT_FINITE'
  | 'TOKENIZER_MISSING'
  | 'TOKENIZER_BAD'
  /** A special token that the tokenizer's own configuration names is not in its vocabulary. */
  | 'TOKENIZER_NO_SPECIAL_TOKEN'
  /** An empty text for a tokenizer without a begin token. */
  | 'TOKENIZER_EMPTY_TEXT'
  /** A token id that the model does not have. */
  | 'TOKENIZER_BAD_TOKEN'
  | 'TOKENIZER_BAD_TEMPLATE'

/** The model, not this program, is at fault; the message says what to do. */
export class ModelError extends HouseError<ModelErrorCode> {}
