import { describe, expect, test } from 'vitest'
import { milliseconds } from '../../../../src/base/brand.ts'
import type { Recovered } from '../../../../src/core/consensus/replica-port.ts'
import { type Bench, createBench, startedBench } from '../../../sim/replica-bench.ts'

/** Member 1 has locked X in round 0. */
function lockedBench(): Bench {
  const bench = startedBench()
  const x = bench.block('X', 0)
  bench.propose(x, 0)
  bench.votes('prevote', [0, 2], 0, x)
  return bench
}

/** The same member after a restart, with what `recovered` says. */
function restarted(before: Bench, recovered: Recovered): Bench {
  const bench = createBench({ recovered, nowMs: milliseconds(before.now() + 60_000) })
  for (const [hash, letter] of before.letters) bench.letters.set(hash, letter)
  bench.start()
  return bench
}

describe('a restart with the whole journal', () => {
  test('comes to the same state', () => {
    const before = lockedBench()
    const after = restarted(before, { record: before.records().at(-1), journal: before.journal() })
    expect(after.replica.snapshot()).toEqual(before.replica.snapshot())
    expect(after.replica.summary()).toEqual(before.replica.summary())
  })

  test('says the votes of the round again with the same signatures, and signs nothing', () => {
    const before = lockedBench()
    const after = restarted(before, { record: before.records().at(-1), journal: before.journal() })
    const published = (bench: Bench) => bench.effects.filter(({ type }) => type === 'publish')
    expect(published(after)).toEqual(published(before))
    expect(after.records()).toEqual([])
  })

  test('sets the timer of the present step', () => {
    const before = lockedBench()
    const after = restarted(before, { record: before.records().at(-1), journal: before.journal() })
    const wakes = after.effects.filter(({ type }) => type === 'wake')
    expect(wakes).toEqual([{ type: 'wake', atMs: after.now() + 1_000, height: 1, round: 0, step: 'precommit' }])
  })

  test('proposes the same block again', () => {
    const before = startedBench({ self: 0 })
    const after = createBench({ self: 0, recovered: { record: before.records().at(-1), journal: before.journal() } })
    after.start()
    expect(after.replica.snapshot().proposal).toBe(before.replica.snapshot().proposal)
    expect(after.said()).toHaveLength(2)
  })
})

describe('a restart with a journal cut anywhere', () => {
  const before = lockedBench()
  const journal = before.journal()
  const cuts = journal.map((_entry, length) => length)

  test.each(cuts)('after %i entries contradicts nothing that was said', (length) => {
    const after = restarted(before, { record: before.records().at(-1), journal: journal.slice(0, length) })
    after.votes('precommit', [0, 2, 3], 0, undefined)
    after.timer('precommit', 0)
    after.timer('propose')
    expect(after.said().filter((words) => / 0 /.test(words) && !words.endsWith('X'))).toEqual([])
    expect(after.replica.snapshot().locked).toEqual(before.replica.snapshot().locked)
  })

  test.each(cuts)('in the middle of entry %i drops that entry', (length) => {
    const torn = journal.map((entry, at) => (at === length ? entry.slice(0, -1) : entry))
    const after = restarted(before, { record: before.records().at(-1), journal: torn })
    const cut = restarted(before, { record: before.records().at(-1), journal: journal.slice(0, length) })
    expect(after.replica.snapshot()).toEqual(cut.replica.snapshot())
  })
})

describe('after a crash between two effects', () => {
  test('a vote that only the journal has goes to the sign state before it is said', () => {
    const before = lockedBench()
    const [first] = before.records()
    const after = restarted(before, { record: first, journal: before.journal() })
    const types = after.effects.map(({ type }) => type)
    expect(types.indexOf('sign-state')).toBeLessThan(types.indexOf('publish'))
    expect(after.records()[0]).toMatchObject({ request: { step: 'precommit' }, locked: { round: 0 } })
  })

  test('a vote that only the sign state has is said again', () => {
    const before = lockedBench()
    const after = restarted(before, { record: before.records().at(-1), journal: [] })
    expect(after.said()).toEqual(['precommit 0 X'])
  })

  test('an own vote that comes back from others counts once', () => {
    const before = lockedBench()
    const after = restarted(before, { record: before.records().at(-1), journal: [] })
    const x = before.block('X', 0)
    after.propose(x, 0)
    after.votes('precommit', [1, 2], 0, x)
    expect(after.replica.snapshot().precommitted).toBe(2n)
    expect(after.final()).toEqual([])
  })

  test('a block to which one is locked was on disk before', () => {
    const journaled = lockedBench().effects.filter(({ type }) => type === 'journal' || type === 'sign-state')
    const entry = journaled.at(-2)
    expect(entry).toMatchObject({ type: 'journal', sync: true })
    expect(journaled.at(-1)).toMatchObject({ type: 'sign-state', record: { locked: { round: 0 } } })
  })

  test('a valid round whose prevotes are lost is not claimed', () => {
    const before = lockedBench()
    const after = restarted(before, { record: before.records().at(-1), journal: [] })
    after.propose(before.block('X', 0), 0)
    after.votes('precommit', [0, 2, 3], 0, undefined)
    after.timer('precommit', 0)
    const proposed = after.effects.flatMap((effect) =>
      effect.type === 'publish' && effect.message.type === 'proposal' ? [effect.message.proposal] : [],
    )
    expect(proposed).toMatchObject([{ round: 1, validRound: undefined }])
    expect(after.said()).toContain('prevote 1 X')
  })
})
