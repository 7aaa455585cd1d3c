import { describe, expect, test } from 'vitest'
import type { Effect } from '../../../../src/core/consensus/replica-port.ts'
import { type Bench, createBench, PEER } from '../../../sim/replica-bench.ts'

function started(): Bench {
  const bench = createBench()
  bench.start()
  bench.timer('commit')
  return bench
}

function heardVote(bench: Bench, options: { readonly by?: number } = {}): Effect['type'][] {
  const vote = bench.vote('prevote', 2, 0, bench.block('X', 0), options)
  return bench.take({ type: 'vote', from: PEER, vote, nowMs: bench.now() }).map(({ type }) => type)
}

describe('a message goes on to others', () => {
  test('when it is new and its signature is right', () => {
    expect(heardVote(started())).toContain('relay')
  })

  test('once', () => {
    const bench = started()
    heardVote(bench)
    expect(heardVote(bench)).not.toContain('relay')
  })

  test('never with a wrong signature, not even where the right one is held already', () => {
    const bench = started()
    expect(heardVote(bench, { by: 3 })).toEqual(['judge'])
    heardVote(bench)
    expect(heardVote(bench, { by: 3 })).toEqual([])
  })

  test('as a proposal, when it is new, whole and by its proposer', () => {
    const bench = started()
    const block = bench.block('X', 0)
    const types = (options: { readonly by?: number }) => bench.propose(block, 0, options).map(({ type }) => type)
    expect(types({ by: 3 })).toEqual(['judge'])
    expect(types({})).toContain('relay')
    expect(types({})).not.toContain('relay')
  })
})
