import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { hash, milliseconds } from '../../src/base/brand.ts'
import { codeOf } from '../../src/base/error.ts'
import { decodeEntry, type Entry, encodeEntry } from '../../src/core/consensus/journal.ts'
import {
  ballotDigest,
  decodeProposal,
  decodeVote,
  encodeProposal,
  encodeVote,
  type Proposal,
  proposalDigest,
  type Vote,
} from '../../src/core/consensus/messages.ts'
import { type ConsensusSummary, decodeSummary, encodeSummary } from '../../src/core/consensus/summary.ts'
import { keyPairFromSecret, sign, verify } from '../../src/core/ed25519.ts'

const RUNS = 300
const NETWORK = hash('11'.repeat(32))
const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
const hashes = bytes(32).map((raw) => hash(Buffer.from(raw).toString('hex')))
const heights = fc.nat({ max: 2 ** 31 - 1 })
const rounds = fc.nat({ max: 2 ** 20 - 1 })

const votes: fc.Arbitrary<Vote> = fc.record({
  type: fc.constantFrom('prevote' as const, 'precommit' as const),
  height: heights,
  round: rounds,
  blockHash: fc.option(hashes, { nil: undefined }),
  voter: fc.nat({ max: 0xffff }),
  signature: bytes(64),
})
const proposals: fc.Arbitrary<Proposal> = fc.record({
  height: heights,
  round: rounds,
  validRound: fc.option(rounds, { nil: undefined }),
  blockHash: hashes,
  block: fc.uint8Array({ maxLength: 400 }),
  signature: bytes(64),
})
const messages = fc.oneof(
  votes.map((vote) => ({ type: 'vote' as const, vote })),
  proposals.map((proposal) => ({ type: 'proposal' as const, proposal })),
)
const entries: fc.Arbitrary<Entry> = fc.oneof(
  fc.record({
    type: fc.constantFrom('own' as const, 'heard' as const),
    nowMs: heights.map(milliseconds),
    message: messages,
  }),
  fc.record({
    type: fc.constant('timer' as const),
    nowMs: heights.map(milliseconds),
    height: heights,
    round: rounds,
    step: fc.constantFrom('commit' as const, 'propose' as const, 'prevote' as const, 'precommit' as const),
  }),
)
const votesSummaries = fc.record({ voters: fc.uint8Array({ maxLength: 32 }), hasQuorum: fc.boolean() })
const summaries: fc.Arbitrary<ConsensusSummary> = fc.record({
  height: heights,
  round: rounds,
  rounds: fc.uniqueArray(
    fc.record({
      round: rounds,
      proposals: fc.array(hashes, { maxLength: 4 }),
      prevotes: votesSummaries,
      precommits: votesSummaries,
    }),
    { maxLength: 16, selector: ({ round }) => round },
  ),
})

const CODECS = [
  ['votes', votes, encodeVote, decodeVote],
  ['proposals', proposals, encodeProposal, decodeProposal],
  ['journal entries', entries, encodeEntry, decodeEntry],
  ['summaries', summaries, encodeSummary, decodeSummary],
] as const

/** The value, or the code with which it was refused; anything else thrown fails the test. */
function attempt(decode: (raw: Uint8Array) => unknown, raw: Uint8Array): unknown {
  try {
    return decode(raw)
  } catch (error) {
    expect(codeOf(error)).toMatch(/^CODEC_/)
    return undefined
  }
}

describe.each(CODECS)('%s', (_name, arbitrary, encode, decode) => {
  const values = arbitrary as fc.Arbitrary<unknown>
  const encodeAny = encode as (value: unknown) => Uint8Array

  test('come back as they were', () => {
    fc.assert(
      fc.property(values, (value) => {
        expect(decode(encodeAny(value).slice())).toEqual(value)
      }),
      { numRuns: RUNS },
    )
  })

  test('have one encoding: what can be read is written alike', () => {
    const noisy = fc.tuple(values, fc.nat(), fc.integer({ min: 1, max: 255 })).map(([value, at, flip]) => {
      const raw = encodeAny(value).slice()
      raw[at % raw.length]! ^= flip
      return raw
    })
    fc.assert(
      fc.property(fc.oneof(noisy, fc.uint8Array({ maxLength: 600 })), (raw) => {
        const value = attempt(decode, raw)
        if (value !== undefined) expect(encodeAny(value)).toEqual(raw)
      }),
      { numRuns: RUNS },
    )
  })

  test('are refused when cut or followed by bytes', () => {
    fc.assert(
      fc.property(values, fc.nat(), (value, cut) => {
        const raw = encodeAny(value)
        expect(attempt(decode, raw.slice(0, cut % raw.length))).toBeUndefined()
        expect(attempt(decode, Uint8Array.of(...raw, 0))).toBeUndefined()
      }),
      { numRuns: RUNS },
    )
  })
})

describe('one flipped bit', () => {
  const { secretKey, publicKey } = keyPairFromSecret(new Uint8Array(32).fill(7))

  test('of a signed vote is refused by the codec or the signature, wherever it is but in the voter', () => {
    const ballot = { type: 'prevote' as const, height: 5, round: 2, blockHash: hash('aa'.repeat(32)) }
    const vote: Vote = { ...ballot, voter: 1, signature: sign(ballotDigest(NETWORK, ballot), secretKey) }
    const raw = encodeVote(vote)
    for (let bit = 0; bit < raw.length * 8; bit++) {
      const flipped = raw.slice()
      flipped[bit >> 3]! ^= 1 << (bit & 7)
      const read = attempt(decodeVote, flipped) as Vote | undefined
      if (read === undefined || read.voter !== vote.voter) continue
      expect(verify({ signature: read.signature, message: ballotDigest(NETWORK, read), publicKey })).toBe(false)
    }
  })

  test('of a signed proposal is refused by the codec, the signature or the block’s hash', () => {
    const unsigned = {
      height: 5,
      round: 2,
      validRound: 1,
      blockHash: hash('aa'.repeat(32)),
      block: Uint8Array.of(1, 2, 3),
    }
    const proposal: Proposal = { ...unsigned, signature: sign(proposalDigest(NETWORK, unsigned), secretKey) }
    const raw = encodeProposal(proposal)
    for (let at = 0; at < raw.length; at++) {
      const flipped = raw.slice()
      flipped[at]! ^= 1
      const read = attempt(decodeProposal, flipped) as Proposal | undefined
      // The block is bound by its hash, which intake compares.
      if (read === undefined || read.block.some((byte, index) => byte !== unsigned.block[index])) continue
      expect(verify({ signature: read.signature, message: proposalDigest(NETWORK, read), publicKey })).toBe(false)
    }
  })
})
