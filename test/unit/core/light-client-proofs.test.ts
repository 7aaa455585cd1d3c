/** What a trusted header proves, and the bytes by which it is kept. */
import { hexToBytes } from '@noble/hashes/utils.js'
import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { proveTransaction, transactionsRoot } from '../../../src/core/block/transactions-root.ts'
import { type LightBlock, type Trusted, trustCheckpoint, trustGenesis } from '../../../src/core/light-client.ts'
import {
  decodeTrusted,
  encodeTrusted,
  verifyAncestors,
  verifyState,
  verifyTransaction,
} from '../../../src/core/light-client-proofs.ts'
import { accountKey, readAccount } from '../../../src/core/state/accounts.ts'
import { decodeRecord } from '../../../src/core/state/tables.ts'
import { proveKey } from '../../../src/core/state/tree-proof.ts'
import { decodeTransaction } from '../../../src/core/transaction/transaction.ts'
import { DLLM, person, signCall } from '../../chain-accounts.ts'
import { type LightWorld, lightWorld } from '../../light-world.ts'

const HEIGHTS = 40
let world: LightWorld

beforeAll(() => {
  world = lightWorld(HEIGHTS)
})

const at = (height: number): LightBlock => world.blocks[height]!
const trustedAt = (height: number): Trusted => {
  const { networkId } = world.chain
  const { header, set, commit } = at(height)
  if (height === 0) return trustGenesis(networkId, header, set)
  return trustCheckpoint({ networkId, height, hash: commit.blockHash }, at(height))
}

describe('proofs', () => {
  test('of the state are believed against the header, and no others', () => {
    const { chain } = world
    const key = hexToBytes(accountKey(person(3).id))
    const proof = proveKey(chain.tree, key)
    const value = verifyState(chain.header, key, proof)
    expect(decodeRecord(value!, readAccount).bonded).toBe(910n * DLLM)
    const lie = { ...proof, end: { type: 'value', value: new Uint8Array(24).fill(255) } } as const
    for (const act of [
      () => verifyState(chain.header, key, lie),
      () => verifyState(at(3).header, key, proof),
      () => verifyState(chain.header, hexToBytes(accountKey(person(1).id)), proof),
    ]) {
      expect(act).toThrow(expect.objectContaining({ code: expect.stringMatching(/^PROOF_/) }))
    }
    const absent = hexToBytes(accountKey(person(60).id))
    expect(verifyState(chain.header, absent, proveKey(chain.tree, absent))).toBeUndefined()
  })

  test('of a transaction are believed against its block, and no others', () => {
    const { networkId } = world.chain
    const body = { to: person(1).id, amount: 1n, memo: new Uint8Array(0) }
    const bytes = [0n, 1n, 2n].map((nonce) => signCall(networkId, person(2), { type: 1, nonce, body }))
    const ids = bytes.map((one) => decodeTransaction(one).id)
    const header = { ...at(9).header, transactionsRoot: transactionsRoot(ids) }
    expect(verifyTransaction(header, bytes[1]!, proveTransaction(ids, 1)).nonce).toBe(1n)
    expect(() => verifyTransaction(header, bytes[2]!, proveTransaction(ids, 1))).toThrow(
      expect.objectContaining({ code: 'LIGHT_NOT_INCLUDED' }),
    )
    expect(() => verifyTransaction(at(9).header, bytes[1]!, proveTransaction(ids, 1))).toThrow(
      expect.objectContaining({ code: 'LIGHT_NOT_INCLUDED' }),
    )
  })

  test('of headers before the trusted one are the headers between', () => {
    const { networkId } = world.chain
    const headers = [39, 38, 37].map((height) => at(height).header)
    expect(verifyAncestors(at(40).header, headers, networkId)).toBe(headers[2])
    expect(verifyAncestors(at(40).header, [], networkId)).toBe(at(40).header)
    const lies = [headers.slice(1), headers.toReversed(), [{ ...headers[0]!, units: 1 }]]
    for (const lie of lies) {
      expect(() => verifyAncestors(at(40).header, lie, networkId)).toThrow(
        expect.objectContaining({ code: 'LIGHT_NOT_BEFORE' }),
      )
    }
  })
})

describe('what is kept', () => {
  test('of the trusted header begins the client again', () => {
    const { networkId } = world.chain
    for (const trusted of [trustedAt(0), trustedAt(30)]) {
      expect(decodeTrusted(encodeTrusted(trusted), networkId)).toEqual(trusted)
    }
  })

  test('and was damaged is refused with a code', () => {
    const bytes = encodeTrusted(trustedAt(30))
    const { networkId } = world.chain
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (position, change) => {
        const damaged = bytes.slice()
        damaged[position]! ^= change
        try {
          const { hash: found, set } = decodeTrusted(damaged, networkId)
          expect([found, set.hash, damaged]).not.toEqual([trustedAt(30).hash, trustedAt(30).set.hash, bytes])
        } catch (error) {
          expect(error).toMatchObject({ code: expect.stringMatching(/^CODEC_/) })
        }
      }),
      { numRuns: 300 },
    )
    expect(() => decodeTrusted(bytes.slice(0, -1), networkId)).toThrow(
      expect.objectContaining({ code: 'CODEC_TRUNCATED' }),
    )
  })
})
