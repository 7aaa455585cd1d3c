/**
 * Branded primitives: a plain string or number cannot be passed where one of these is meant.
 * Units: milliseconds for time, bytes for sizes, grains (1 DLLM = 10^9 grains) for money.
 * @module
 */

declare const brand: unique symbol
type Brand<Base, Name extends string> = Base & { readonly [brand]: Name }

/** Milliseconds: an instant since an arbitrary origin, or a duration. */
export type Milliseconds = Brand<number, 'Milliseconds'>
/** Smallest unit of the coin. */
export type Grains = Brand<bigint, 'Grains'>
/** A libp2p peer id in its base58btc or CIDv1 text form. */
export type PeerId = Brand<string, 'PeerId'>
/** SHA-256 digest as 64 lower-case hexadecimal digits. */
export type Hash = Brand<string, 'Hash'>
/** bech32m account address with the network's prefix. */
export type Address = Brand<string, 'Address'>
/** The 20-byte hash inside an address as 40 lower-case hexadecimal digits: what the chain calls an account. */
export type AccountId = Brand<string, 'AccountId'>
/** 16 random bytes as 32 hexadecimal digits, chosen by the client that opens the session. */
export type SessionId = Brand<string, 'SessionId'>

export function milliseconds(value: number): Milliseconds {
  return value as Milliseconds
}
export function grains(value: bigint): Grains {
  return value as Grains
}
export function peerId(text: string): PeerId {
  return text as PeerId
}
export function hash(text: string): Hash {
  return text as Hash
}
export function address(text: string): Address {
  return text as Address
}
export function accountId(text: string): AccountId {
  return text as AccountId
}
export function sessionId(text: string): SessionId {
  return text as SessionId
}
