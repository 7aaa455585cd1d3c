/** SLIP-0010 derivation against its published vectors, and the paths of this project. */
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js'
import { describe, expect, test } from 'vitest'
import { keyPairFromSecret } from '../../../src/core/ed25519.ts'
import { accountPath, deriveNode } from '../../../src/core/slip10.ts'
import vectors from '../../vectors/slip10-ed25519.json' with { type: 'json' }

const SEED = hexToBytes(vectors.cases[0]!.seed)

describe.each(vectors.cases)('the seed $seed', ({ seed, nodes }) => {
  test.each(nodes)('derives $path as published', (expected) => {
    const node = deriveNode(hexToBytes(seed), expected.path)
    expect(bytesToHex(node.secretKey)).toBe(expected.privateKey)
    expect(bytesToHex(node.chainCode)).toBe(expected.chainCode)
    if (expected.publicKey !== undefined) {
      expect(bytesToHex(keyPairFromSecret(node.secretKey).publicKey)).toBe(expected.publicKey)
    }
  })
})

test.each([
  ["m/44'/1'/0'/0'/0'", { network: 'local', role: 'owner' }],
  ["m/44'/1'/0'/1'/0'", { network: 'testnet', role: 'operator' }],
  ["m/44'/1145850957'/3'/2'/7'", { network: 'mainnet', role: 'payout', account: 3, index: 7 }],
] as const)('the path %s follows from %j', (path, options) => {
  expect(accountPath(options)).toBe(path)
})

test.each([
  ['a step that is not hardened', "m/44'/1", 'PATH_NOT_HARDENED'],
  ['a path without its root', "44'/1'", 'PATH_BAD'],
  ['an empty step', "m//1'", 'PATH_BAD'],
  ['a step of 2^31', "m/2147483648'", 'PATH_BAD'],
  ['a negative step', "m/-1'", 'PATH_BAD'],
  ['a path of a thousand steps', `m${"/0'".repeat(1000)}`, 'PATH_BAD'],
])('refuses %s', (_case, path, code) => {
  expect(() => deriveNode(SEED, path)).toThrow(expect.objectContaining({ code }))
})
