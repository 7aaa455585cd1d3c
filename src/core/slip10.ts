/**
 * SLIP-0010 key derivation for Ed25519, hardened only, and the paths of this project:
 * `m / 44' / coin' / account' / role' / index'`. Ed25519 has no public derivation, so every step is hardened.
 * Spec: docs/spec/keys.md §3.
 * @module
 */
import { hmac } from '@noble/hashes/hmac.js'
import { sha512 } from '@noble/hashes/sha2.js'
import { concatBytes, utf8ToBytes } from '@noble/hashes/utils.js'
import { assert } from '../base/assert.ts'
import { HouseError } from '../base/error.ts'
import type { NetworkKind } from './network-kind.ts'
import { ROLES, type Role } from './role.ts'

export class PathError extends HouseError<'PATH_BAD' | 'PATH_NOT_HARDENED'> {}

export interface DerivedNode {
  /** 32-byte Ed25519 secret. */
  readonly secretKey: Uint8Array
  /** 32 bytes. */
  readonly chainCode: Uint8Array
}

/** SLIP-44: 1 is shared by all test networks; mainnet is "DLLM" in ASCII, 0x444c4c4d, to be registered. */
const COIN_NUMBER: Readonly<Record<NetworkKind, number>> = { mainnet: 0x444c4c4d, testnet: 1, local: 1 }

export interface AccountPath {
  readonly network: NetworkKind
  readonly role: Role
  /** Default 0. */
  readonly account?: number
  /** Default 0. */
  readonly index?: number
}

const HARDENED = 0x8000_0000
const PATH_STEPS_MAX = 16

/** The path of a role's key, such as `m/44'/1'/0'/0'/0'`. */
export function accountPath(options: AccountPath): string {
  const { network, role, account = 0, index = 0 } = options
  return `m/44'/${COIN_NUMBER[network]}'/${account}'/${ROLES.indexOf(role)}'/${index}'`
}

/**
 * Derives the node at `path` from a seed of 16 to 64 bytes.
 * @throws PathError when the path is no path or has a step that is not hardened.
 */
export function deriveNode(seed: Uint8Array, path: string): DerivedNode {
  assert(seed.length >= 16 && seed.length <= 64, 'a SLIP-0010 seed has 16 to 64 bytes')
  let node = split(hmac(sha512, utf8ToBytes('ed25519 seed'), seed))
  for (const step of parsePath(path)) node = deriveChild(node, step)
  return node
}

/** `m/44'/1'` to [44, 1]: the numbers without their hardening. */
function parsePath(path: string): number[] {
  const [root, ...steps] = path.split('/')
  if (root !== 'm' || steps.length > PATH_STEPS_MAX) {
    throw new PathError('PATH_BAD', `${JSON.stringify(path)} is not a key path. A path looks like m/44'/1'/0'/0'/0'.`)
  }
  return steps.map((step) => parseStep(step, path))
}

function parseStep(step: string, path: string): number {
  const number = /^\d{1,10}'$/.test(step) ? Number(step.slice(0, -1)) : undefined
  if (number !== undefined && number < HARDENED) return number
  if (/^\d{1,10}$/.test(step)) {
    throw new PathError('PATH_NOT_HARDENED', `Step ${step} of ${path} is not hardened. Ed25519 needs ${step}' instead.`)
  }
  throw new PathError('PATH_BAD', `Step ${JSON.stringify(step)} is not a number below 2147483648 followed by '.`)
}

function deriveChild(parent: DerivedNode, number: number): DerivedNode {
  const suffix = new Uint8Array(4)
  new DataView(suffix.buffer).setUint32(0, HARDENED + number)
  return split(hmac(sha512, parent.chainCode, concatBytes(Uint8Array.of(0), parent.secretKey, suffix)))
}

function split(bytes: Uint8Array): DerivedNode {
  return { secretKey: bytes.slice(0, 32), chainCode: bytes.slice(32, 64) }
}
