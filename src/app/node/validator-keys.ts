/**
 * The keys with which a node votes: the operator key of a wallet's account, and the seed key that follows from it, so that
 * the wallet's words bring both back. Kept beside the node's identity (0600); they hold no money.
 * Spec: docs/spec/keys.md §9.
 * @module
 */
import { readFile } from 'node:fs/promises'
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js'
import { HouseError } from '../../base/error.ts'
import { blsPublicKey, isBlsSecretKey } from '../../core/bls.ts'
import { type KeyPair, keyPairFromSecret } from '../../core/ed25519.ts'
import { taggedHash } from '../../core/hash.ts'
import { writeFileAtomic } from '../home.ts'

export class ValidatorKeyError extends HouseError<'VALIDATOR_KEY_BAD' | 'VALIDATOR_KEY_EXISTS'> {}

export interface ValidatorKeys {
  /** Ed25519: signs proposals and votes. */
  readonly consensus: KeyPair
  /** BLS12-381, 32 bytes: makes the seed chain. */
  readonly seedSecret: Uint8Array
  /** 48 bytes. */
  readonly seedKey: Uint8Array
}

const SEED_KEY_TAG = 'dllm/seed-key'

/** The keys that follow from a 32-byte operator secret. */
export function validatorKeysOf(operatorSecret: Uint8Array): ValidatorKeys {
  const seedSecret = seedSecretOf(operatorSecret)
  return { consensus: keyPairFromSecret(operatorSecret), seedSecret, seedKey: blsPublicKey(seedSecret) }
}

/** The keys in `path`; undefined when there is no such file. @throws ValidatorKeyError VALIDATOR_KEY_BAD. */
export async function loadValidatorKeys(path: string): Promise<ValidatorKeys | undefined> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw badFile(path, `cannot be read (${error.code})`)
  })
  if (text === undefined) return undefined
  const [, digits] = /^dllm-validator-1 ([0-9a-f]{64})\n$/.exec(text) ?? []
  if (digits === undefined) throw badFile(path, 'is damaged')
  return validatorKeysOf(hexToBytes(digits))
}

/** Writes the file that `loadValidatorKeys` reads. @throws ValidatorKeyError VALIDATOR_KEY_EXISTS when it holds another key. */
export async function saveValidatorKeys(path: string, { consensus }: ValidatorKeys): Promise<void> {
  const known = await loadValidatorKeys(path)
  if (known !== undefined && bytesToHex(known.consensus.publicKey) !== bytesToHex(consensus.publicKey)) {
    const message = `${path} holds the keys of another validator. Choose another name, or move that file away.`
    throw new ValidatorKeyError('VALIDATOR_KEY_EXISTS', message, { details: { path } })
  }
  await writeFileAtomic(path, `dllm-validator-1 ${bytesToHex(consensus.secretKey)}\n`)
}

/** A digest is a number of the group about every second time. */
function seedSecretOf(operatorSecret: Uint8Array): Uint8Array {
  for (let attempt = 0; ; attempt++) {
    const secret = taggedHash(SEED_KEY_TAG, operatorSecret, Uint8Array.of(attempt))
    if (isBlsSecretKey(secret)) return secret
  }
}

function badFile(path: string, what: string): ValidatorKeyError {
  const message = `The validator key ${path} ${what}. Put back a copy of it, or move it away and derive it again from the wallet with \`dllm stake register --restore\`.`
  return new ValidatorKeyError('VALIDATOR_KEY_BAD', message, { details: { path } })
}
