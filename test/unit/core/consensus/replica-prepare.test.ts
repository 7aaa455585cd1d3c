/** A ledger that needs time: the replica asks for work ahead, goes on meanwhile, and comes back when the work is done. */
import { describe, expect, test } from 'vitest'
import { decodeBlock } from '../../../../src/core/block/block.ts'
import type { LedgerWork } from '../../../../src/core/consensus/ledger.ts'
import type { Effect } from '../../../../src/core/consensus/replica-port.ts'
import { type Bench, createBench } from '../../../sim/replica-bench.ts'
import { createSmallLedger, setOf } from '../../../sim/small-ledger.ts'

/** Nothing is ever at hand; what is asked of the ledger is counted. */
function createSlowBench(self = 1): { readonly bench: Bench; readonly asked: () => number } {
  const ledger = createSmallLedger({
    validators: setOf([1n, 1n, 1n, 1n]),
    proposer: (_height, round) => round % 4,
    mark: Uint8Array.of(0xff),
  })
  let asked = 0
  const slow = {
    ...ledger,
    isReady: () => false,
    check: (block: Parameters<typeof ledger.check>[0]) => {
      asked++
      return ledger.check(block)
    },
  }
  const bench = createBench({ self, ledger: slow })
  bench.start()
  bench.timer('commit')
  return { bench, asked: () => asked }
}

const works = (effects: readonly Effect[]): LedgerWork[] =>
  effects.flatMap((effect) => (effect.type === 'prepare' ? [effect.work] : []))

const prepared = (bench: Bench, work: LedgerWork): Effect[] =>
  bench.take({ type: 'prepared', nowMs: bench.now(), work })

describe('a proposed block', () => {
  test('is asked for once, whatever comes meanwhile, and prevoted when it was looked at', () => {
    const { bench, asked } = createSlowBench()
    const block = bench.block('A', 0)
    const [work, ...others] = works(bench.propose(block, 0))
    expect([work?.type, others, bench.said()]).toEqual(['check', [], []])
    bench.votes('prevote', [0, 2], 0, block)
    expect(works(bench.effects)).toHaveLength(1)
    expect(asked()).toBe(0)
    prepared(bench, work!)
    expect(bench.said()).toEqual(['prevote 0 A', 'precommit 0 A'])
    expect(asked()).toBe(1)
  })

  test('is passed on before it was looked at', () => {
    const { bench } = createSlowBench()
    expect(bench.propose(bench.block('A', 0), 0)).toContainEqual({ type: 'relay' })
  })

  test('that is looked at for too long is not prevoted, and can be locked on no more in that round', () => {
    const { bench } = createSlowBench()
    const block = bench.block('A', 0)
    const [work] = works(bench.propose(block, 0))
    bench.timer('propose')
    bench.votes('prevote', [0, 2, 3], 0, block)
    bench.timer('prevote')
    prepared(bench, work!)
    expect(bench.said()).toEqual(['prevote 0 nil', 'precommit 0 nil'])
    expect(bench.replica.snapshot()).toMatchObject({ locked: undefined, valid: { round: 0 } })
  })

  test('that others made final becomes final here when it was looked at', () => {
    const { bench } = createSlowBench()
    const block = bench.block('A', 0)
    const [work] = works(bench.propose(block, 0))
    bench.votes('precommit', [0, 2, 3], 0, block)
    expect(bench.final()).toEqual([])
    prepared(bench, work!)
    expect(bench.final()).toEqual(['A'])
  })

  test('that is bad is prevoted nil and judged when it was looked at', () => {
    const { bench } = createSlowBench()
    const [work] = works(bench.propose(bench.block('A', 0, { bad: true }), 0))
    expect(bench.judged()).toEqual([])
    prepared(bench, work!)
    expect([bench.said(), bench.judged()]).toEqual([['prevote 0 nil'], ['PROPOSAL_INVALID_BLOCK']])
  })

  test('of a height that is over is of no interest', () => {
    const { bench } = createSlowBench()
    const block = bench.block('A', 0)
    const [work] = works(bench.propose(block, 0))
    const commit = { height: 1, round: 0, blockHash: bench.ledger.hashOf(block) }
    const signatures = [0, 2, 3].map((voter) => bench.vote('precommit', voter, 0, block).signature)
    const all = [signatures[0], undefined, signatures[1], signatures[2]]
    bench.take({ type: 'finalized', nowMs: bench.now(), block, commit: { ...commit, signatures: all } })
    expect(bench.final()).toEqual(['A'])
    expect(prepared(bench, work!)).toEqual([])
  })
})

describe('a block of our own', () => {
  test('is asked for when our round begins, and proposed when it was made', () => {
    const { bench } = createSlowBench(0)
    const [work] = works(bench.effects)
    expect([work?.type, bench.said()]).toEqual(['propose', []])
    const check = works(prepared(bench, work!))
    expect(bench.said()).toEqual(['propose 0 ?'])
    expect(check.map(({ type }) => type)).toEqual(['check'])
    prepared(bench, check[0]!)
    expect(bench.said()).toEqual(['propose 0 ?', 'prevote 0 ?'])
  })

  test('that comes after its round is over is not proposed', () => {
    const { bench } = createSlowBench(0)
    const [work] = works(bench.effects)
    bench.timer('propose')
    prepared(bench, work!)
    expect(bench.said()).toEqual(['prevote 0 nil'])
  })

  test('has the time at which it was asked for', () => {
    const { bench } = createSlowBench(0)
    const [work] = works(bench.effects)
    const asked = bench.now() + 1
    bench.pass(700)
    prepared(bench, work!)
    const proposals = bench.effects.flatMap((effect) =>
      effect.type === 'publish' && effect.message.type === 'proposal' ? [effect.message.proposal] : [],
    )
    expect(proposals.map(({ block }) => decodeBlock(block).header.timeMs)).toEqual([asked])
  })
})
