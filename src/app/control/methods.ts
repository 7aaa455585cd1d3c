/**
 * The typed table of methods that a control server offers and a control client calls: one type `M` names each method's
 * parameters and its result (a call) or its items (a stream). Types only, but for the look-up by name.
 * Spec: docs/spec/control.md §3.
 * @module
 */
import type { Params } from './params.ts'

/** A method that answers once. */
interface CallShape {
  readonly params: object
  readonly result: unknown
}

/** A method that answers with items until it ends or its client leaves. */
interface StreamShape {
  readonly params: object
  readonly item: unknown
}

/** What `M` must look like: `{ dllm_nodeStatus: { params: NoParams; result: … }; dllm_watchHeads: { params: …; item: … } }`. */
export type MethodShapes<M> = { readonly [Name in keyof M]: CallShape | StreamShape }

/** Parameters of a method that has none. */
export type NoParams = Readonly<Record<string, never>>

export interface CallContext {
  /** Fires when the client has gone or the node stops: whoever waits for something ends then. */
  readonly signal: AbortSignal
}

interface Decoded<P> {
  /** Names of the parameters, in the order in which a positional call gives them; others are refused. */
  readonly fields: readonly (keyof P & string)[]
  /** Checks and converts the parameters with the readers of params.ts; throws ParamError. */
  read(params: Params): P
}

export interface CallMethod<P, R> extends Decoded<P> {
  readonly type: 'call'
  /** A HouseError becomes the answer; anything else is a bug and becomes `Internal error`. */
  call(params: P, context: CallContext): R | Promise<R>
}

export interface StreamMethod<P, I> extends Decoded<P> {
  readonly type: 'stream'
  /** Items are asked for one by one, as the client reads. For events, see item-queue.ts. */
  open(params: P, context: CallContext): AsyncIterable<I>
}

/** The server's side of `M`. */
export type MethodTable<M extends MethodShapes<M>> = {
  readonly [Name in keyof M]: M[Name] extends { params: infer P; result: infer R }
    ? CallMethod<P, R>
    : M[Name] extends { params: infer P; item: infer I }
      ? StreamMethod<P, I>
      : never
}

/** Names of the methods of `M` that answer once. */
export type CallName<M> = { [Name in keyof M]: M[Name] extends { result: unknown } ? Name : never }[keyof M] & string

/** Names of the methods of `M` that stream. */
export type StreamName<M> = { [Name in keyof M]: M[Name] extends { item: unknown } ? Name : never }[keyof M] & string

export type ParamsOf<Shape> = Shape extends { params: infer P } ? P : never
export type ResultOf<Shape> = Shape extends { result: infer R } ? AsJson<R> : never
export type ItemOf<Shape> = Shape extends { item: infer I } ? AsJson<I> : never

/** What a value is after its way through JSON: bigints are decimal strings. */
export type AsJson<T> = T extends bigint
  ? string
  : T extends string | number | boolean | null | undefined
    ? T
    : T extends object
      ? { readonly [Key in keyof T]: AsJson<T[Key]> }
      : T

export type AnyMethod = CallMethod<object, unknown> | StreamMethod<object, unknown>

/** Methods by name, as `handleRpc` takes them. */
export type Methods = ReadonlyMap<string, AnyMethod>

/** The table as a map, in which names such as `constructor` are not found by accident. */
export function methodsOf<M extends MethodShapes<M>>(table: MethodTable<M>): Methods {
  return new Map(Object.entries(table) as [string, AnyMethod][])
}
