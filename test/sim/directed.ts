/**
 * Directed scenarios: for each rule of the algorithm a short story that goes wrong when the rule is broken. Random schedules meet
 * some of these once in a hundred thousand runs. Each throws a sentence when the replica does what it must not.
 * @module
 */
import type { Rules } from '../../src/core/consensus/rules/rules.ts'
import { type Bench, createBench, startedBench } from './replica-bench.ts'

export type Story = (rules: Rules) => void

function must(condition: boolean, sentence: string): void {
  if (!condition) throw new Error(sentence)
}

/** The replica is member 1. It prevotes X of round 0, sees 2f + 1 prevotes for it, and locks. */
function lockedOnX(rules: Rules): { bench: Bench; x: ReturnType<Bench['block']> } {
  const bench = startedBench({ rules })
  const x = bench.block('X', 0)
  bench.propose(x, 0)
  bench.votes('prevote', [0, 2], 0, x)
  must(bench.said().join() === 'prevote 0 X,precommit 0 X', 'it locks X in round 0')
  return { bench, x }
}

/** The others precommit nil, time runs out, and the given round begins. */
function toRound(bench: Bench, round: number): void {
  bench.votes('precommit', [0, 2, 3], round - 1, undefined)
  bench.timer('precommit', round - 1)
  must(bench.replica.snapshot().round === round, `round ${round} begins`)
}

export const STORIES = {
  'a locked replica does not prevote another new block': (rules) => {
    const { bench } = lockedOnX(rules)
    bench.votes('prevote', [0, 2, 3], 1, undefined)
    toRound(bench, 1)
    bench.timer('propose')
    toRound(bench, 2)
    bench.propose(bench.block('Y', 2), 2)
    must(bench.said().includes('prevote 2 nil'), 'it prevotes nil against its lock')
  },
  'a block proven in a round before the lock is not prevoted': (rules) => {
    const bench = startedBench({ rules })
    const [x, y] = [bench.block('X', 0), bench.block('Y', 2)]
    bench.propose(x, 0)
    bench.votes('prevote', [0, 2, 3], 0, undefined)
    toRound(bench, 1)
    bench.timer('propose')
    toRound(bench, 2)
    bench.propose(y, 2)
    bench.votes('prevote', [0, 2], 2, y)
    must(bench.said().includes('precommit 2 Y'), 'it locks Y in round 2')
    toRound(bench, 3)
    // Round 0 turns out to have proven X to others.
    bench.votes('prevote', [0, 2, 3], 0, x)
    bench.propose(x, 3, { validRound: 0 })
    must(bench.said().includes('prevote 3 nil'), 'round 0 is older than its lock')
  },
  'a quorum of nil does not unlock': (rules) => {
    const { bench } = lockedOnX(rules)
    toRound(bench, 1)
    bench.timer('propose')
    bench.votes('prevote', [0, 2, 3], 1, undefined)
    toRound(bench, 2)
    bench.propose(bench.block('Y', 2), 2)
    must(bench.said().includes('prevote 2 nil'), 'it is still locked on X')
  },
  'a claimed proof of lock is not believed without its prevotes': (rules) => {
    const bench = startedBench({ rules })
    const x = bench.block('X', 0)
    bench.timer('propose')
    bench.votes('prevote', [0, 2], 0, undefined)
    toRound(bench, 1)
    bench.timer('propose')
    toRound(bench, 2)
    bench.propose(x, 2, { validRound: 0 })
    must(!bench.said().includes('prevote 2 X'), 'nobody saw prevotes for X')
    bench.votes('prevote', [2, 3], 0, x)
    must(!bench.said().includes('prevote 2 X'), 'two of four prevotes prove nothing')
  },
  'three small members are no quorum': (rules) => {
    const bench = startedBench({ rules, stakes: [70n, 10n, 10n, 10n] })
    const x = bench.block('X', 0)
    bench.propose(x, 0)
    bench.votes('prevote', [2, 3], 0, x)
    bench.votes('precommit', [2, 3], 0, x)
    must(!bench.said().includes('precommit 0 X') && bench.final().length === 0, '30 of 100 grains decide nothing')
  },
  'five ninths are no quorum': (rules) => {
    const bench = startedBench({ rules, stakes: [3n, 2n, 2n, 2n] })
    const x = bench.block('X', 0)
    bench.propose(x, 0)
    bench.votes('prevote', [0], 0, x)
    must(!bench.said().includes('precommit 0 X'), '5 of 9 grains let nobody lock')
  },
  'a third does not make it precommit': (rules) => {
    const bench = startedBench({ rules })
    const x = bench.block('X', 0)
    bench.propose(x, 0)
    bench.votes('prevote', [2], 0, x)
    must(!bench.said().includes('precommit 0 X'), 'two of four prevotes let nobody lock')
  },
  'a contradiction is told once': (rules) => {
    const bench = startedBench({ rules })
    const [x, y] = [bench.block('X', 0), bench.block('Y', 0)]
    bench.propose(x, 0)
    bench.propose(y, 0)
    for (const block of [x, y, undefined, x]) bench.votes('prevote', [2], 0, block)
    const told = bench.effects.flatMap((effect) => (effect.type === 'evidence' ? [effect.first.type] : []))
    must(told.join() === 'proposal,vote', 'one for the proposer and one for the voter')
  },
  'an invalid block is prevoted nil': (rules) => {
    const bench = startedBench({ rules })
    bench.propose(bench.block('X', 0, { bad: true }), 0)
    must(bench.said().join() === 'prevote 0 nil', 'its transaction is invalid')
    must(bench.judged().join() === 'PROPOSAL_INVALID_BLOCK', 'and it is judged')
  },
  'only the round’s proposer proposes': (rules) => {
    const bench = startedBench({ rules })
    bench.propose(bench.block('X', 0), 0, { by: 2 })
    must(bench.said().length === 0, 'member 2 does not propose in round 0')
    must(bench.judged().join() === 'PROPOSAL_WRONG_PROPOSER', 'and the peer is judged')
  },
  'a repeated vote counts once': (rules) => {
    const bench = startedBench({ rules })
    const x = bench.block('X', 0)
    bench.propose(x, 0)
    bench.votes('prevote', [2, 2, 2], 0, x)
    must(!bench.said().includes('precommit 0 X'), 'two members prevoted, one of them thrice')
  },
  'votes of the next height do not count': (rules) => {
    const bench = startedBench({ rules })
    const x = bench.block('X', 0)
    bench.propose(x, 0)
    bench.votes('prevote', [0, 2, 3], 0, x, { height: 2 })
    must(!bench.said().includes('precommit 0 X'), 'nobody else prevoted at height 1')
  },
  'nothing is signed twice after a restart': (rules) => {
    const { bench } = lockedOnX(rules)
    const again = createBench({ rules, recovered: { record: bench.records()[0], journal: [] } })
    again.start()
    again.timer('commit')
    again.propose(again.block('Y', 0), 0)
    must(again.said().join() === 'prevote 0 ?', 'it says again that it prevoted X, and nothing else')
  },
  'nothing is signed below an imported sign state': (rules) => {
    const bench = createBench({ rules, recovered: { floor: { height: 1, round: 0, step: 'precommit' }, journal: [] } })
    bench.start()
    bench.timer('commit')
    bench.propose(bench.block('Y', 0), 0)
    must(bench.said().length === 0, 'the file says that round 0 was signed')
  },
  'a lost journal does not lose the lock': (rules) => {
    const { bench } = lockedOnX(rules)
    const again = createBench({ rules, recovered: { record: bench.records().at(-1), journal: [] } })
    again.start()
    toRound(again, 1)
    again.timer('propose')
    toRound(again, 2)
    again.propose(again.block('Y', 2), 2)
    must(again.said().includes('prevote 2 nil'), 'the sign state says that it is locked on X')
  },
  'timeouts grow with the round': (rules) => {
    const bench = startedBench({ rules })
    const waits: number[] = []
    for (let round = 0; round < 3; round++) {
      const wake = bench.effects.findLast((effect) => effect.type === 'wake')
      waits.push(wake?.type === 'wake' ? wake.atMs - bench.now() : -1)
      toRound(bench, round + 1)
    }
    must(
      waits.every((wait, at) => at === 0 || wait > (waits[at - 1] ?? 0)),
      `waits of ${waits} ms`,
    )
  },
  'one member cannot pull others to its round': (rules) => {
    const bench = startedBench({ rules })
    bench.votes('prevote', [3], 7, undefined)
    must(bench.replica.snapshot().round === 0, 'one of four is no reason')
  },
  'f + 1 members in a later round are followed': (rules) => {
    const bench = startedBench({ rules })
    bench.votes('prevote', [3], 7, undefined)
    bench.votes('precommit', [2], 8, undefined)
    must(bench.replica.snapshot().round === 7, 'two of four have reached round 7')
  },
  'an equivocator is one voter in the whole': (rules) => {
    const bench = startedBench({ rules })
    const x = bench.block('X', 0)
    bench.propose(x, 0)
    for (const block of [x, undefined]) bench.votes('prevote', [3], 0, block)
    const hasTimer = bench.effects.some((effect) => effect.type === 'wake' && effect.step === 'prevote')
    must(!hasTimer, 'two of four voters are no quorum of whatever')
  },
  'an equivocator cannot hide a quorum': (rules) => {
    const bench = startedBench({ rules })
    const x = bench.block('X', 0)
    bench.propose(x, 0)
    bench.votes('prevote', [3], 0, undefined)
    bench.votes('prevote', [2, 3], 0, x)
    must(bench.said().includes('precommit 0 X'), 'three of four prevoted X, whatever one of them said before')
  },
  'precommits of different rounds are not added': (rules) => {
    const { bench, x } = lockedOnX(rules)
    bench.votes('precommit', [2], 0, x)
    bench.votes('precommit', [3], 1, x)
    must(bench.final().length === 0, 'no round has three precommits')
  },
  'a block of the past is not prevoted': (rules) => {
    const bench = startedBench({ rules })
    const x = bench.block('X', 0)
    bench.pass(5_002)
    bench.propose(x, 0)
    must(bench.said().join() === 'prevote 0 nil', 'the time is further back than delay and skew allow')
  },
  'a block of the future is not prevoted': (rules) => {
    const bench = startedBench({ rules })
    bench.propose(bench.block('X', 0, { timeMs: bench.now() + 2_001 }), 0)
    must(bench.said().join() === 'prevote 0 nil', 'the time is further ahead than clocks may differ')
    must(bench.judged().join() === 'PROPOSAL_UNTIMELY', 'and it is judged')
  },
  'the block that had a quorum is proposed again': (rules) => {
    const { bench } = lockedOnX(rules)
    toRound(bench, 1)
    must(bench.said().includes('propose 1 X') && bench.said().includes('prevote 1 X'), 'X may be final somewhere')
  },
} satisfies Readonly<Record<string, Story>>
