import { describe, expect, test } from 'vitest'
import { peerId } from '../../../../src/base/brand.ts'
import { decodeBlock } from '../../../../src/core/block/block.ts'
import type { Proposal, Vote } from '../../../../src/core/consensus/messages.ts'
import { type Bench, PEER, startedBench } from '../../../sim/replica-bench.ts'

const vote = (change: Partial<Vote>) => (bench: Bench) => {
  const made = { ...bench.vote('prevote', 2, 0, bench.block('X', 0)), ...change }
  bench.take({ type: 'vote', nowMs: bench.now(), from: PEER, vote: made })
}
const proposal = (change: (bench: Bench) => Proposal) => (bench: Bench) => {
  bench.take({ type: 'proposal', nowMs: bench.now(), from: PEER, proposal: change(bench) })
}
const swapped = (bench: Bench): Proposal => {
  const block = bench.block('X', 0)
  return bench.proposal({ ...block, transactions: [Uint8Array.of(1)] }, 0)
}

describe('a replica refuses', () => {
  test.each<[string, (bench: Bench) => void, string]>([
    ['a vote of somebody outside the set', vote({ voter: 4 }), 'VOTE_STRANGER'],
    ['a vote signed by another member', vote({ voter: 3 }), 'VOTE_BAD_SIGNATURE'],
    ['a vote changed to another round', vote({ round: 1 }), 'VOTE_BAD_SIGNATURE'],
    ['a vote changed to nil', vote({ blockHash: undefined }), 'VOTE_BAD_SIGNATURE'],
    ['a precommit made of a prevote', vote({ type: 'precommit' }), 'VOTE_BAD_SIGNATURE'],
    [
      'a proposal by another member',
      proposal((b) => b.proposal(b.block('X', 0), 0, { by: 3 })),
      'PROPOSAL_WRONG_PROPOSER',
    ],
    [
      'a valid round not before its own',
      proposal((b) => b.proposal(b.block('X', 0), 0, { validRound: 0 })),
      'PROPOSAL_BAD_ROUND',
    ],
    [
      'a proposal whose block is cut',
      proposal((b) => {
        const made = b.proposal(b.block('X', 0), 0)
        return { ...made, block: made.block.subarray(0, -1) }
      }),
      'PROPOSAL_BROKEN_BLOCK',
    ],
    [
      'a proposal with the block of another',
      proposal((b) => ({ ...b.proposal(b.block('X', 0), 0), block: b.proposal(b.block('Y', 0), 0).block })),
      'PROPOSAL_BROKEN_BLOCK',
    ],
    ['a header with another body', proposal(swapped), 'PROPOSAL_BROKEN_BLOCK'],
  ])('%s', (_what, send, code) => {
    const bench = startedBench()
    send(bench)
    expect(bench.judged()).toEqual([code])
    expect(bench.said()).toEqual([])
  })

  test('a swapped body without harm to the real one', () => {
    const bench = startedBench()
    proposal(swapped)(bench)
    bench.propose(bench.block('X', 0), 0)
    expect(bench.said()).toEqual(['prevote 0 X'])
  })

  test('the rest of an answer after its first wrong message', () => {
    const bench = startedBench()
    const votes = [0, 2, 3].map((voter) => bench.vote('prevote', voter, 0, undefined, { by: voter === 2 ? 3 : voter }))
    const messages = votes.map((each) => ({ type: 'vote', vote: each }) as const)
    bench.take({ type: 'catch-up', nowMs: bench.now(), from: PEER, messages })
    expect(bench.judged()).toEqual(['VOTE_BAD_SIGNATURE'])
    expect(bench.replica.snapshot().prevoted).toBe(1n)
  })

  test('messages of old heights without a word', () => {
    const bench = startedBench()
    const before = bench.effects.length
    bench.votes('prevote', [0, 2, 3], 0, undefined, { height: 0 })
    expect(bench.effects.length).toBe(before)
  })
})

describe('memory', () => {
  test('of a voter ahead is its next round and its newest one', () => {
    const bench = startedBench()
    for (const round of [1, 5, 9, 7, 30]) bench.votes('prevote', [3], round, undefined)
    expect(bench.replica.summary().rounds.map(({ round }) => round)).toEqual([30, 1])
  })

  test('of a voter that contradicts itself is two votes, and those for known blocks', () => {
    const bench = startedBench()
    const known = bench.block('X', 0)
    bench.propose(known, 0)
    for (const letter of ['A', 'B', 'C', 'D', 'E']) bench.votes('prevote', [3], 0, bench.block(letter, 0))
    const journaled = bench.journal().length
    bench.votes('prevote', [3], 0, bench.block('F', 0))
    expect(bench.journal().length).toBe(journaled)
    bench.votes('prevote', [3], 0, known)
    expect(bench.journal().length).toBe(journaled + 1)
  })

  test('of a proposer is two proposals of a round, and one that a quorum names', () => {
    const bench = startedBench()
    const [x, y, z] = ['X', 'Y', 'Z'].map((letter) => bench.block(letter, 0)) as [
      ReturnType<Bench['block']>,
      never,
      never,
    ]
    for (const block of [x, y, z]) bench.propose(block, 0)
    expect(bench.replica.summary().rounds[0]?.proposals).toHaveLength(2)
    bench.votes('prevote', [0, 2, 3], 0, z)
    bench.propose(z, 0)
    expect(bench.replica.summary().rounds[0]?.proposals).toHaveLength(3)
  })

  test('of rounds ahead is four proposals, the nearest ones', () => {
    const bench = startedBench()
    for (const round of [40, 4, 8, 12, 16]) bench.propose(bench.block('X', round), round)
    const rounds = bench.replica.summary().rounds.filter(({ proposals }) => proposals.length > 0)
    expect(rounds.map(({ round }) => round)).toEqual([16, 12, 8, 4])
  })
})

describe('other heights', () => {
  /** Member 1 finalizes X at height 1 with the precommits of 0 and 2. */
  function finalized(members = 4): Bench {
    const bench = startedBench({ stakes: Array.from({ length: members }, () => 1n) })
    const x = bench.block('X', 0)
    bench.propose(x, 0)
    // Member 1 is the replica itself, and with the last one there would be more than a quorum.
    const others = Array.from({ length: members - 1 }, (_, member) => member).filter((member) => member !== 1)
    bench.votes('prevote', others, 0, x)
    bench.votes('precommit', others, 0, x)
    expect(bench.final()).toEqual(['X'])
    return bench
  }

  test('late precommits go into the commit that others get', () => {
    const bench = finalized()
    const late = bench.vote('precommit', 3, 0, bench.ledger.chain[0]!.block)
    bench.take({ type: 'vote', nowMs: bench.now(), from: PEER, vote: late })
    const signatures = bench.ledger.chain[0]!.commit.signatures.map((signature) => signature !== undefined)
    expect(signatures).toEqual([true, true, true, false])
    const given = bench.replica.missingFor({ height: 1, round: 0, rounds: [] }, 10)
    expect(given.filter(({ type }) => type === 'vote')).toHaveLength(4)
  })

  test('late precommits stand in the next proposal', () => {
    const bench = startedBench({ self: 0 })
    const proposed = (): Proposal[] =>
      bench.effects.flatMap((effect) =>
        effect.type === 'publish' && effect.message.type === 'proposal' ? [effect.message.proposal] : [],
      )
    const own = decodeBlock(proposed()[0]!.block)
    bench.votes('prevote', [1, 2], 0, own)
    bench.votes('precommit', [1, 2, 3], 0, own)
    bench.timer('commit')
    const { lastCommit } = decodeBlock(proposed()[1]!.block)
    expect(lastCommit?.signatures.every((signature) => signature !== undefined)).toBe(true)
  })

  test('votes of the next height wait for it', () => {
    const bench = startedBench()
    bench.votes('prevote', [0, 2, 3], 0, undefined, { height: 2 })
    const x = bench.block('X', 0)
    bench.propose(x, 0)
    bench.votes('prevote', [0, 2], 0, x)
    bench.votes('precommit', [0, 2], 0, x)
    expect(bench.replica.snapshot()).toMatchObject({ height: 2, prevoted: 3n })
  })

  describe('the proposal of the next height waits for it', () => {
    const honestOf = (other: Bench) => other.proposal(other.block('Y', 0), 0, { height: 2 })
    const floods: readonly (readonly [string, (other: Bench, number: number) => Proposal])[] = [
      [
        'of strangers that name its proposer',
        (other, number) => ({ ...honestOf(other), round: number + 1, signature: new Uint8Array(64).fill(9) }),
      ],
      ['of strangers whose blocks nobody can read', (other) => ({ ...honestOf(other), block: Uint8Array.of(1, 2) })],
      [
        'of one faulty member',
        (other, number) => other.proposal(other.block('Z', 3, { timeMs: other.now() + number }), 3, { height: 2 }),
      ],
    ]
    test.each(floods)('after a flood %s', (_what, flood) => {
      const other = finalized()
      const bench = startedBench()
      const tell = (told: Proposal, from = PEER): void =>
        void bench.take({ type: 'proposal', nowMs: bench.now(), from, proposal: told })
      for (let number = 0; number < 20; number++) tell(flood(other, number), peerId(`peer-${number}`))
      // The peer that brings the true one had been given one of the others first.
      tell(flood(other, 20), PEER)
      const honest = honestOf(other)
      tell(honest)
      bench.take({ type: 'finalized', nowMs: bench.now(), from: PEER, ...other.ledger.chain[0]! })
      expect(bench.replica.snapshot()).toMatchObject({ height: 2, proposal: honest.blockHash })
    })

    test('as one of a few, however many members say something', () => {
      const other = finalized(8)
      const bench = startedBench({ stakes: Array.from({ length: 8 }, () => 1n) })
      for (let round = 7; round >= 0; round--) {
        const told = other.proposal(other.block('Z', round), round, { height: 2 })
        bench.take({ type: 'proposal', nowMs: bench.now(), from: PEER, proposal: told })
      }
      bench.take({ type: 'finalized', nowMs: bench.now(), from: PEER, ...other.ledger.chain[0]! })
      const held = bench.replica.summary().rounds.flatMap(({ round, proposals }) => proposals.map(() => round))
      expect(held.toSorted()).toEqual([4, 5, 6, 7])
    })
  })

  test('more than a third of the stake ahead is told once per height', () => {
    const bench = startedBench()
    bench.votes('precommit', [0], 0, undefined, { height: 9 })
    expect(bench.effects.some(({ type }) => type === 'behind')).toBe(false)
    bench.votes('precommit', [2], 0, undefined, { height: 8 })
    bench.votes('prevote', [2, 3], 0, undefined, { height: 8 })
    const told = bench.effects.filter(({ type }) => type === 'behind')
    expect(told).toEqual([{ type: 'behind', height: 8 }])
  })

  test('a final block with its commit is taken, without a signature of ours', () => {
    const other = finalized()
    const bench = startedBench({ self: -1 })
    bench.take({ type: 'finalized', nowMs: bench.now(), from: PEER, ...other.ledger.chain[0]! })
    expect(bench.replica.snapshot()).toMatchObject({ height: 2, self: -1 })
    expect(bench.effects.filter(({ type }) => type === 'finalize')).toHaveLength(1)
    expect(bench.said()).toEqual([])
  })

  test.each([
    ['too little stake', 'FINALIZED_BAD_COMMIT', { keep: 2, body: true }],
    ['another body', 'FINALIZED_INVALID_BLOCK', { keep: 4, body: false }],
  ])('a final block with %s is refused', (_what, code, { keep, body }) => {
    const { block, commit } = finalized().ledger.chain[0]!
    const bench = startedBench()
    const signatures = commit.signatures.map((signature, at) => (at < keep ? signature : undefined))
    const given = body ? block : { ...block, transactions: [] }
    bench.take({ type: 'finalized', nowMs: bench.now(), from: PEER, block: given, commit: { ...commit, signatures } })
    expect(bench.judged()).toEqual([code])
    expect(bench.replica.snapshot().height).toBe(1)
  })
})
