/** The light client against an honest chain whose validators change, and against full nodes that lie. */
import { hexToBytes } from '@noble/hashes/utils.js'
import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { opensslAccepts } from '../../../src/app/openssl-verify.ts'
import { hash, type Milliseconds, milliseconds } from '../../../src/base/brand.ts'
import { proveTransaction, transactionsRoot } from '../../../src/core/block/transactions-root.ts'
import {
  createLightClient,
  followTo,
  type LightBlock,
  type LightClient,
  type LightResult,
  trustCheckpoint,
  trustGenesis,
} from '../../../src/core/light-client.ts'
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

const HEIGHTS = 64
const OTHER = hash('ab'.repeat(32))
const PERIOD = milliseconds(1_000_000)
let world: LightWorld
let nowMs: Milliseconds

beforeAll(() => {
  world = lightWorld(HEIGHTS)
  nowMs = milliseconds(world.blocks[HEIGHTS]!.header.timeMs + 500)
})

const at = (height: number): LightBlock => world.blocks[height]!
const client = (height = 0): LightClient => {
  const { networkId } = world.chain
  const { header, set } = at(height)
  const trusted =
    height === 0
      ? trustGenesis(networkId, header, set)
      : trustCheckpoint({ networkId, height, hash: at(height).commit.blockHash }, at(height))
  const options = { networkId, trustingPeriodMs: PERIOD, clockSkewMs: milliseconds(2_000), accepts: opensslAccepts }
  return createLightClient(trusted, options)
}
/** Follows to a block with blocks of an honest node. */
const follow = (from: LightClient, target: LightBlock, asked: number[] = []): LightResult => {
  const steps = followTo(from, target, nowMs)
  let step = steps.next()
  while (!step.done) {
    asked.push(step.value)
    step = steps.next(at(step.value))
  }
  return step.value
}

describe('following', () => {
  test('height by height leads to the newest', () => {
    const light = client()
    for (let height = 1; height <= HEIGHTS; height++) {
      expect(light.verify(at(height), nowMs)).toEqual({ type: 'trusted' })
    }
    expect(light.trusted.hash).toBe(world.chain.head().hash)
  })

  test('jumps as far as the trusted validators vouch', () => {
    const light = client()
    expect(light.verify(at(15), nowMs)).toEqual({ type: 'trusted' })
    expect(light.verify(at(15), nowMs)).toEqual({ type: 'known' })
  })

  test('asks for heights between where the validators have changed, and gets there with few', () => {
    const light = client()
    expect(at(HEIGHTS).set.hash).not.toBe(at(1).set.hash)
    expect(light.verify(at(HEIGHTS), nowMs)).toEqual({ type: 'needs', height: HEIGHTS / 2 })
    const asked: number[] = []
    expect(follow(light, at(HEIGHTS), asked)).toEqual({ type: 'trusted' })
    expect(light.trusted.header.height).toBe(HEIGHTS)
    expect(asked.length).toBeLessThan(12)
  })

  test('begins at a checkpoint', () => {
    expect(follow(client(30), at(HEIGHTS))).toEqual({ type: 'trusted' })
  })

  test('refuses what was not asked for', () => {
    const steps = followTo(client(), at(HEIGHTS), nowMs)
    steps.next()
    expect(() => steps.next(at(3))).toThrow(expect.objectContaining({ code: 'LIGHT_NOT_NEXT' }))
  })
})

describe('a checkpoint is refused', () => {
  const networkId = () => world.chain.networkId
  test.each<[string, string, () => unknown]>([
    [
      'at another height',
      'LIGHT_WRONG_CHECKPOINT',
      () => trustCheckpoint({ networkId: networkId(), height: 9, hash: at(8).commit.blockHash }, at(8)),
    ],
    [
      'with another hash',
      'LIGHT_WRONG_CHECKPOINT',
      () => trustCheckpoint({ networkId: networkId(), height: 8, hash: OTHER }, at(8)),
    ],
    [
      'of another network',
      'LIGHT_WRONG_CHECKPOINT',
      () => trustCheckpoint({ networkId: OTHER, height: 8, hash: at(8).commit.blockHash }, at(8)),
    ],
    [
      'with other validators',
      'LIGHT_WRONG_SET',
      () =>
        trustCheckpoint(
          { networkId: networkId(), height: 60, hash: at(60).commit.blockHash },
          { ...at(60), set: at(1).set },
        ),
    ],
  ])('%s: %s', (_case, code, make) => {
    expect(make).toThrow(expect.objectContaining({ code }))
  })
})

describe('a lie is refused', () => {
  test.each<[string, string, string | undefined, () => LightBlock]>([
    [
      'another state, signed by nobody',
      'LIGHT_BAD_COMMIT',
      'COMMIT_WRONG_BLOCK',
      () => ({ ...at(31), header: { ...at(31).header, stateRoot: OTHER } }),
    ],
    [
      'another state, signed by too few',
      'LIGHT_BAD_COMMIT',
      'COMMIT_TOO_LITTLE_STAKE',
      () => world.forge(31, { stateRoot: OTHER }, [0, 1]),
    ],
    [
      'the signatures of another block',
      'LIGHT_BAD_COMMIT',
      'COMMIT_BAD_SIGNATURE',
      () => {
        const forged = world.forge(31, { stateRoot: OTHER })
        return { ...forged, commit: { ...forged.commit, signatures: at(31).commit.signatures } }
      },
    ],
    [
      'validators that are not the announced ones',
      'LIGHT_NOT_NEXT',
      'BLOCK_WRONG_VALIDATORS',
      () => world.forgeByStrangers(31, {}),
    ],
    ["a set that is not the header's", 'LIGHT_WRONG_SET', undefined, () => ({ ...at(31), set: at(1).set })],
    ['another parent', 'LIGHT_NOT_NEXT', 'BLOCK_WRONG_PARENT', () => world.forge(31, { parentHash: OTHER })],
    [
      'a time that is not later',
      'LIGHT_NOT_NEXT',
      'BLOCK_TIME_NOT_LATER',
      () => world.forge(31, { timeMs: at(30).header.timeMs }),
    ],
    [
      'a time that is not later, far ahead',
      'LIGHT_NOT_NEXT',
      undefined,
      () => world.forge(40, { timeMs: at(30).header.timeMs }),
    ],
    [
      'a time in the future',
      'LIGHT_FROM_FUTURE',
      undefined,
      () => world.forge(31, { timeMs: milliseconds(nowMs + 2_001) }),
    ],
    ['a height below', 'LIGHT_TOO_OLD', undefined, () => at(29)],
    [
      'another block of the trusted height, by strangers',
      'LIGHT_BAD_COMMIT',
      'COMMIT_TOO_LITTLE_STAKE',
      () => world.forgeByStrangers(30, {}),
    ],
    [
      'another block of the trusted height, signed by too few',
      'LIGHT_BAD_COMMIT',
      'COMMIT_TOO_LITTLE_STAKE',
      () => world.forge(30, { stateRoot: OTHER }, [0]),
    ],
  ])('%s: %s', (_case, code, cause, make) => {
    const light = client(30)
    const { trusted } = light
    const details = cause === undefined ? {} : { details: expect.objectContaining({ cause }) }
    expect(() => light.verify(make(), nowMs)).toThrow(expect.objectContaining({ code, ...details }))
    expect(light.trusted).toBe(trusted)
  })

  test('strangers far ahead are not believed, however long they insist', () => {
    const light = client(30)
    const lie = (height: number) => world.forgeByStrangers(height, {})
    const steps = followTo(light, lie(HEIGHTS), nowMs)
    const insist = (): void => {
      let step = steps.next()
      while (!step.done) step = steps.next(lie(step.value))
    }
    expect(insist).toThrow(expect.objectContaining({ code: 'LIGHT_NOT_NEXT' }))
    expect(light.trusted.header.height).toBe(30)
  })

  test('validators that have left vouch for nothing that is far ahead of them', () => {
    // Everybody who validated at first signs a block of the end, in a set that they made up.
    const { set } = at(1)
    const forged = world.forge(HEIGHTS, { validatorsHash: set.hash, stateRoot: OTHER })
    expect(() => client(HEIGHTS - 1).verify({ ...forged, set }, nowMs)).toThrow(
      expect.objectContaining({ code: 'LIGHT_NOT_NEXT' }),
    )
  })
})

test('trust that is too old is not used, whatever comes', () => {
  const late = milliseconds(at(0).header.timeMs + PERIOD + 1)
  expect(() => client().verify(at(1), late)).toThrow(expect.objectContaining({ code: 'LIGHT_TRUST_EXPIRED' }))
  expect(client(HEIGHTS - 1).verify(at(HEIGHTS), late)).toEqual({ type: 'trusted' })
})

describe('two final blocks of one height', () => {
  test('are a fork, which names who signed both', () => {
    const light = client(30)
    const other = world.forge(30, { stateRoot: OTHER }, [1, 2, 3, 4, 5])
    const ids = at(30).set.members.map(({ id }) => id)
    const result = light.verify(other, nowMs)
    expect(result).toMatchObject({ type: 'fork', fork: { isDoubleSign: true } })
    expect(result).toMatchObject({ fork: { signers: ids.slice(1), other } })
  })

  test('of different rounds are a fork without a double sign', () => {
    const light = client(30)
    const { commit, ...rest } = light.trusted
    const { networkId } = world.chain
    const options = { networkId, trustingPeriodMs: PERIOD, clockSkewMs: milliseconds(0) }
    const moved = createLightClient({ ...rest, commit: { ...commit!, round: 3 } }, options)
    expect(moved.verify(world.forge(30, { stateRoot: OTHER }), nowMs)).toMatchObject({ fork: { isDoubleSign: false } })
  })
})

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
    for (const { trusted } of [client(), client(30)]) {
      expect(decodeTrusted(encodeTrusted(trusted), networkId)).toEqual(trusted)
    }
  })

  test('and was damaged is refused with a code', () => {
    const bytes = encodeTrusted(client(30).trusted)
    const { networkId } = world.chain
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (position, change) => {
        const damaged = bytes.slice()
        damaged[position]! ^= change
        try {
          const { hash: found, set } = decodeTrusted(damaged, networkId)
          expect([found, set.hash, damaged]).not.toEqual([client(30).trusted.hash, client(30).trusted.set.hash, bytes])
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
