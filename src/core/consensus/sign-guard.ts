/**
 * The rule against signing twice: what a validator's key may still sign, given the last thing that it signed. Time moves in
 * one direction, by height, then round, then step; for one moment there is one signature. Knows no disk and no key.
 * Spec: docs/spec/store.md §5.
 * @module
 */
import { assert } from '../../base/assert.ts'
import type { Hash } from '../../base/brand.ts'
import { HouseError } from '../../base/error.ts'
import { SIGNATURE_BYTES } from '../ed25519.ts'
import { HASH_BYTES } from '../fields.ts'

export class SignStateError extends HouseError<
  /** What is asked for was signed differently before, or is from before. */
  | 'DOUBLE_SIGN_REFUSED'
  /** The file is cut short or altered. */
  | 'SIGN_STATE_DAMAGED'
  /** The file belongs to another key or network. */
  | 'SIGN_STATE_FOREIGN'
  /** There is no file, and only `createSignState` may make one. */
  | 'SIGN_STATE_MISSING'
  /** There is a file already. */
  | 'SIGN_STATE_EXISTS'
  /** The text to import is no interchange file. */
  | 'SIGN_INTERCHANGE_INVALID'
> {}

export type SignStep = 'propose' | 'prevote' | 'precommit'

/** Steps of a round in their order. */
export const SIGN_STEPS: readonly SignStep[] = ['propose', 'prevote', 'precommit']

export interface SignPosition {
  readonly height: number
  readonly round: number
  readonly step: SignStep
}

export interface SignRequest extends SignPosition {
  /** The 32 bytes to sign: `ballotDigest` or `proposalDigest`. */
  readonly digest: Uint8Array
}

export interface LastSigned extends SignPosition {
  /** undefined: the position was imported, and what was signed there is not known here. */
  readonly signed: { readonly digest: Uint8Array; readonly signature: Uint8Array } | undefined
}

/** Whose state it is. */
export interface SignIdentity {
  readonly networkId: Hash
  /** 32 bytes, Ed25519: the consensus key. */
  readonly publicKey: Uint8Array
}

export interface SignState extends SignIdentity {
  /** undefined: this key has never signed. */
  readonly last: LastSigned | undefined
}

export type SignDecision =
  | { readonly type: 'sign' }
  /** Asked again for what was signed last: give the same signature. */
  | { readonly type: 'again'; readonly signature: Uint8Array }
  | {
      readonly type: 'refuse'
      readonly code: 'DOUBLE_SIGN_REFUSED'
      readonly reason: 'earlier' | 'different' | 'unknown'
    }

/** Whether the key may sign the request. Pure: the caller records before it publishes. */
export function maySign(state: SignState, request: SignRequest): SignDecision {
  assert(request.digest.length === HASH_BYTES, 'a digest has 32 bytes')
  const { last } = state
  const order = last === undefined ? 1 : comparePositions(request, last)
  if (last === undefined || order > 0) return { type: 'sign' }
  if (order < 0) return { type: 'refuse', code: 'DOUBLE_SIGN_REFUSED', reason: 'earlier' }
  if (last.signed === undefined) return { type: 'refuse', code: 'DOUBLE_SIGN_REFUSED', reason: 'unknown' }
  if (!equalBytes(last.signed.digest, request.digest)) {
    return { type: 'refuse', code: 'DOUBLE_SIGN_REFUSED', reason: 'different' }
  }
  return { type: 'again', signature: last.signed.signature }
}

/** The state after a request that `maySign` allowed was signed. */
export function recordSigned(state: SignState, request: SignRequest, signature: Uint8Array): SignState {
  assert(maySign(state, request).type === 'sign', 'only what may be signed is recorded')
  assert(signature.length === SIGNATURE_BYTES, 'a signature has 64 bytes')
  const { height, round, step, digest } = request
  return { ...state, last: { height, round, step, signed: { digest: digest.slice(), signature: signature.slice() } } }
}

/** The state that also refuses `position` and all before it. Never lowers: an earlier position changes nothing. */
export function raiseTo(state: SignState, position: SignPosition): SignState {
  if (state.last !== undefined && comparePositions(position, state.last) <= 0) return state
  const { height, round, step } = position
  return { ...state, last: { height, round, step, signed: undefined } }
}

/** Negative when `a` is before `b`, 0 at the same position. */
export function comparePositions(a: SignPosition, b: SignPosition): number {
  if (a.height !== b.height) return a.height - b.height
  if (a.round !== b.round) return a.round - b.round
  return SIGN_STEPS.indexOf(a.step) - SIGN_STEPS.indexOf(b.step)
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((value, index) => value === b[index])
}
