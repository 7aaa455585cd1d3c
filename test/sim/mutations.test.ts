import { describe, expect, test } from 'vitest'
import { RULES } from '../../src/core/consensus/rules/rules.ts'
import { STORIES, type Story } from './directed.ts'
import { MUTATIONS, mutated } from './mutations.ts'
import { runScenario } from './twins.ts'
import { scenarioOf } from './twins-scenario.ts'

/** Which story catches which mutation, and which Twins scenario where there is one. */
const CATCHES: readonly (readonly [mutation: string, story: keyof typeof STORIES, twins?: string])[] = [
  ['dropped lock', 'a locked replica does not prevote another new block', 'equal#556389135 disagreement'],
  ['quorum of a half', 'five ninths are no quorum', 'unequal#895305019 disagreement'],
  ['quorum by heads', 'three small members are no quorum', 'two#2748500 disagreement'],
  ['stale proof of lock accepted', 'a block proven in a round before the lock is not prevoted'],
  ['unlock on nil', 'a quorum of nil does not unlock'],
  ['forgotten evidence', 'a contradiction is told once'],
  ['prevote without validity', 'an invalid block is prevoted nil'],
  ['proposal of anybody', 'only the round’s proposer proposes'],
  ['voter counted at every repetition', 'a repeated vote counts once'],
  ['votes of another height', 'votes of the next height do not count'],
  ['precommit without prevotes', 'a third does not make it precommit', 'two#944926 disagreement'],
  ['precommit after a third', 'a third does not make it precommit', 'equal#609806131 stall'],
  ['signs again after a restart', 'nothing is signed below an imported sign state'],
  ['lock lost at a restart', 'a lost journal does not lose the lock'],
  ['timeouts never grow', 'timeouts grow with the round'],
  ['round skipped for one voter', 'one member cannot pull others to its round'],
  ['rounds skipped for a quorum only', 'f + 1 members in a later round are followed'],
  ['equivocator counted twice', 'an equivocator is one voter in the whole'],
  ['second vote of an equivocator dropped', 'an equivocator cannot hide a quorum', 'equal#692896591 stall'],
  ['precommits of several rounds mixed', 'precommits of different rounds are not added'],
  ['any time is right', 'a block of the past is not prevoted'],
  ['times of the future are right', 'a block of the future is not prevoted'],
  ['valid block not proposed again', 'the block that had a quorum is proposed again', 'equal#550327196 stall'],
  ['claimed proof of lock believed', 'a claimed proof of lock is not believed without its prevotes'],
]

describe('the rules of the paper', () => {
  test.each(Object.entries<Story>(STORIES))('hold: %s', (_name, story) => {
    expect(() => story(RULES)).not.toThrow()
  })
})

describe('a broken rule', () => {
  const catches = CATCHES.map(([mutation, story, twins]) => ({ mutation, story, twins, seen: twins ?? 'that alone' }))
  test.each(catches)('$mutation: is caught by "$story" and $seen', ({ mutation, story, twins }) => {
    expect(() => STORIES[story](mutated(mutation))).toThrow()
    if (twins === undefined) return
    const [id, fault] = twins.split(' ')
    const scenario = scenarioOf(id ?? '')
    expect(runScenario(scenario, mutated(mutation)).fault).toBe(fault)
    expect(runScenario(scenario).fault).toBeUndefined()
  })

  test('of every kind is in the table', () => {
    expect(CATCHES.map(([mutation]) => mutation)).toEqual(Object.keys(MUTATIONS))
  })
})
