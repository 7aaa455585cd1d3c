/** Blocks, headers, commits and validator sets as bytes: they come back as they were, and nothing else is read. */
import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { CHAIN_LIMITS } from '../../src/base/chain-limits.ts'
import { CodecError, Reader, Writer } from '../../src/base/codec.ts'
import {
  type Block,
  decodeBlock,
  encodeBlock,
  encodeHeader,
  readCommit,
  readHeader,
  writeCommit,
} from '../../src/core/block/block.ts'
import { readValidatorSet, writeMembers } from '../../src/core/consensus/validator-set.ts'
import { decodeTransaction, encodeTransaction } from '../../src/core/transaction/transaction.ts'
import { DLLM, person, signCall, testGenesis } from '../chain-accounts.ts'
import { chainWorld, crowd } from '../chain-world.ts'

interface Codec {
  readonly name: string
  /** Reads all of the bytes and writes them again. @throws CodecError. */
  readonly again: (bytes: Uint8Array) => Uint8Array
  readonly good: () => Uint8Array
}

let block: Block
let members: Uint8Array

beforeAll(() => {
  const { chain, grow, propose } = chainWorld(testGenesis(), crowd(4))
  grow()
  for (const nonce of [0n, 1n]) {
    const body = { to: person(4).id, amount: DLLM, memo: new Uint8Array(9) }
    chain.mempool.add(signCall(chain.networkId, person(3), { type: 1, nonce, body }))
  }
  block = propose()
  members = writeMembers(new Writer(), chain.head().validators.members).finish()
})

const whole = <Value>(bytes: Uint8Array, read: (reader: Reader) => Value): Value => {
  const reader = new Reader(bytes)
  const value = read(reader)
  reader.finish()
  return value
}

const CODECS: readonly Codec[] = [
  { name: 'a block', again: (bytes) => encodeBlock(decodeBlock(bytes)), good: () => encodeBlock(block) },
  {
    name: 'a header',
    again: (bytes) => encodeHeader(whole(bytes, readHeader)),
    good: () => encodeHeader(block.header),
  },
  {
    name: 'a commit',
    again: (bytes) => writeCommit(new Writer(), whole(bytes, readCommit)).finish(),
    good: () => writeCommit(new Writer(), block.lastCommit!).finish(),
  },
  {
    name: 'a validator set',
    again: (bytes) => writeMembers(new Writer(), whole(bytes, readValidatorSet).members).finish(),
    good: () => members,
  },
  {
    name: 'a transaction',
    again: (bytes) => encodeTransaction(decodeTransaction(bytes)),
    good: () => block.transactions[0]!,
  },
]

/** What is read is written again as it was: one value has one encoding. Anything else is refused with a code. */
function readsExactly({ again }: Codec, bytes: Uint8Array): void {
  try {
    expect(again(bytes)).toEqual(bytes)
  } catch (error) {
    if (!(error instanceof CodecError)) throw error
  }
}

describe.each(CODECS)('$name', (codec) => {
  test('comes back as it was', () => {
    expect(codec.again(codec.good())).toEqual(codec.good())
  })

  test('is refused with a byte more or less', () => {
    const good = codec.good()
    expect(() => codec.again(good.slice(0, -1))).toThrow(CodecError)
    expect(() => codec.again(Uint8Array.from([...good, 0]))).toThrow(CodecError)
  })

  test('cut off anywhere is refused', () => {
    const good = codec.good()
    for (let length = 0; length < good.length; length++) {
      expect(() => codec.again(good.slice(0, length))).toThrow(CodecError)
    }
  })

  test('with any byte changed is another value or refused', () => {
    const good = codec.good()
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }), (position, change) => {
        const changed = good.slice()
        changed[position]! ^= change
        readsExactly(codec, changed)
      }),
      { numRuns: 500 },
    )
  })

  test('of random bytes is refused or is what it says', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => readsExactly(codec, bytes)),
      { numRuns: 500 },
    )
  })
})

describe('counts that promise more than there is', () => {
  const COUNT_BYTES = 4
  const headerLength = () => encodeHeader(block.header).length

  test.each([2 ** 32 - 1, CHAIN_LIMITS.blockTransactionsMax + 1])('of %i transactions are refused at once', (count) => {
    const bytes = new Writer().raw(encodeHeader(block.header)).u8(0).u32(count).finish()
    expect(() => decodeBlock(bytes)).toThrow(expect.objectContaining({ code: 'CODEC_TOO_LONG' }))
  })

  test('within the limit end with the bytes that there are', () => {
    const bytes = new Writer().raw(encodeHeader(block.header)).u8(0).u32(CHAIN_LIMITS.blockTransactionsMax).finish()
    expect(() => decodeBlock(bytes)).toThrow(expect.objectContaining({ code: 'CODEC_TRUNCATED' }))
  })

  test('of signatures are bounded by the validators that there can be', () => {
    const good = writeCommit(new Writer(), { ...block.lastCommit!, signatures: [] }).finish()
    const bytes = new Writer()
      .raw(good.subarray(0, good.length - COUNT_BYTES))
      .u32(CHAIN_LIMITS.validatorsMax + 1)
      .finish()
    expect(() => readCommit(new Reader(bytes))).toThrow(expect.objectContaining({ code: 'CODEC_TOO_LONG' }))
  })

  test('one transaction may not be longer than any can be', () => {
    const long = new Uint8Array(CHAIN_LIMITS.transactionBytesMax + 1)
    const bytes = new Writer().raw(encodeHeader(block.header)).u8(0).u32(1).bytes(long).finish()
    expect(() => decodeBlock(bytes)).toThrow(expect.objectContaining({ code: 'CODEC_TOO_LONG' }))
  })

  test('as many empty transactions as a block can name take no more memory than their number', () => {
    const writer = new Writer().raw(encodeHeader(block.header)).u8(0).u32(CHAIN_LIMITS.blockTransactionsMax)
    for (let index = 0; index < CHAIN_LIMITS.blockTransactionsMax; index++) writer.u32(0)
    const bytes = writer.finish()
    expect(bytes).toHaveLength(headerLength() + 1 + COUNT_BYTES * (1 + CHAIN_LIMITS.blockTransactionsMax))
    expect(decodeBlock(bytes).transactions).toHaveLength(CHAIN_LIMITS.blockTransactionsMax)
  })

  test('a block above its size is refused before it is read', () => {
    expect(() => decodeBlock(new Uint8Array(CHAIN_LIMITS.blockBytesMax + 1))).toThrow(
      expect.objectContaining({ code: 'CODEC_TOO_LONG' }),
    )
  })
})

describe('a validator set', () => {
  test.each([
    ['of nobody', () => new Writer().u32(0).finish()],
    [
      'out of order',
      () => Uint8Array.from([...members.subarray(0, 4), ...members.subarray(112), ...members.subarray(4, 112)]),
    ],
    [
      'with a member twice',
      () => Uint8Array.from([...members.subarray(0, 4), ...members.subarray(4, 112), ...members.subarray(4, 112)]),
    ],
  ])('%s is refused', (_case, make) => {
    expect(() => readValidatorSet(new Reader(make()))).toThrow(expect.objectContaining({ code: 'CODEC_BAD_VALUE' }))
  })
})
