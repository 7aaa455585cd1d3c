/**
 * What the main thread and an engine worker say to each other, where it does not fit their mailbox (app/step-mailbox.ts).
 * Plain data; large arrays are transferred, not copied.
 * @module
 */
import { HouseError } from '../base/error.ts'
import type { CacheId, DeviceEngineName, EngineName, StepInput, StepOutput } from '../ml/engine/engine.ts'
import { EngineError } from '../ml/engine/engine.ts'
import type { LayerRange } from '../ml/tensors.ts'
import type { EngineDevice } from './engine-host.ts'
import type { EngineWish } from './engines.ts'
import type { StoredModel } from './model-store.ts'

/** Handed to every worker when it starts. */
interface PartInit {
  readonly home: string
  readonly model: StoredModel
  readonly firstSegment: number
  /** Exclusive. */
  readonly lastSegment: number
  readonly cacheBytesMax: number
}

export interface WorkerInit extends PartInit {
  readonly engine: EngineWish
  readonly threads: number
  /** Whether a stage of the native engine is given to the main thread, which has the addon loaded and keeps it so. */
  readonly givesNative: boolean
  /** Of createMailboxMemory. */
  readonly mailbox: SharedArrayBuffer
}

/** Of app/gpu/gpu-worker.ts. */
export interface GpuWorkerInit extends PartInit {
  readonly gpu: { readonly index: number; readonly allowSoftware: boolean }
}

export type WorkerRequest =
  | { readonly type: 'open-cache'; readonly capacity: number; readonly part: LayerRange | undefined }
  | { readonly type: 'close-cache'; readonly cache: CacheId }
  | { readonly type: 'share-cache'; readonly from: CacheId; readonly to: CacheId; readonly rows: number }
  | { readonly type: 'run'; readonly batch: readonly StepInput[] }
  | { readonly type: 'close' }

/** A step's result as plain data: error objects do not survive the way between threads. */
export type PlainOutput =
  | Exclude<StepOutput, { type: 'failed' }>
  | { readonly type: 'failed'; readonly error: PlainError }

export interface PlainError {
  readonly code: string
  readonly message: string
  readonly details: HouseError['details']
}

export type WorkerReply =
  | {
      readonly type: 'started'
      readonly weightBytes: number
      readonly engine: EngineName | DeviceEngineName
      readonly device?: EngineDevice
      /** Of a stage of the native engine, which the main thread takes; the worker ends. */
      readonly given?: number
    }
  | { readonly type: 'cache'; readonly cache: CacheId }
  | { readonly type: 'done' }
  | { readonly type: 'outputs'; readonly outputs: readonly PlainOutput[]; readonly computeMs: number }
  | { readonly type: 'error'; readonly error: PlainError }
  /** The device is gone, whoever asked what. */
  | { readonly type: 'lost'; readonly why: string }

/** A request or reply with the number that pairs them; the start's reply has number 0. */
export interface Numbered<Body> {
  readonly id: number
  readonly body: Body
}

/** An expected failure as data; undefined for a bug, which must end the worker. */
export function toPlainError(error: unknown): PlainError | undefined {
  if (!(error instanceof HouseError)) return undefined
  return { code: error.code, message: error.message, details: error.details }
}

export function toPlainOutput(output: StepOutput): PlainOutput {
  if (output.type !== 'failed') return output
  const { code, message, details } = output.error
  return { type: 'failed', error: { code, message, details } }
}

export function fromPlainOutput(output: PlainOutput): StepOutput {
  return output.type === 'failed' ? { type: 'failed', error: toEngineError(output.error) } : output
}

/** The error again, with its code; whatever failed in the worker is a failure of the engine to its caller. */
export function toEngineError(error: PlainError): EngineError {
  return new EngineError(error.code as EngineError['code'], error.message, { details: error.details })
}

/** Buffers of a batch's inputs or outputs, to be transferred. */
export function buffersOf(items: readonly { values?: Float32Array }[]): ArrayBuffer[] {
  return items.flatMap(({ values }) => (values && values.byteLength > 0 ? [values.buffer as ArrayBuffer] : []))
}
