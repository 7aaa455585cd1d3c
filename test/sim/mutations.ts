/**
 * The replica's rules, each broken in one way: what a programmer could get wrong. The table is the proof that the scenarios can
 * see it; a mutation that nothing catches would mean that a rule is not tested.
 * @module
 */

import { milliseconds } from '../../src/base/brand.ts'
import { RULES, type Rules } from '../../src/core/consensus/rules/rules.ts'
import { isTimely, timeoutMs } from '../../src/core/consensus/timeouts.ts'
import { hasHonest, isQuorum } from '../../src/core/consensus/validator-set.ts'
import { tallyFor } from '../../src/core/consensus/vote-set.ts'

/** What is broken, and how. */
export const MUTATIONS: Readonly<Record<string, Partial<Rules>>> = {
  'dropped lock': { prevotesNew: ({ isValid }) => isValid },
  'quorum of a half': halfQuorum(),
  'quorum by heads': headsQuorum(),
  'stale proof of lock accepted': { prevotesProven: ({ isValid }) => isValid },
  'unlock on nil': { lockAfterNil: () => undefined },
  'forgotten evidence': { reports: () => false },
  'prevote without validity': {
    prevotesNew: (view) => RULES.prevotesNew({ ...view, isValid: true }),
    prevotesProven: (view, round) => RULES.prevotesProven({ ...view, isValid: true }, round),
  },
  'proposal of anybody': { proposers: ({ members }) => members },
  'voter counted at every repetition': { isCounted: () => false, countsInWhole: () => true },
  'votes of another height': { isOfHeight: () => true },
  'precommit without prevotes': { locks: () => true },
  'precommit after a third': { locks: (validators, { stake }) => hasHonest(validators, stake) },
  'signs again after a restart': { maySign: () => ({ type: 'sign' }) },
  'lock lost at a restart': { recoversLock: () => ({ locked: undefined, valid: undefined }) },
  'timeouts never grow': { timeoutMs: (timing, step) => timeoutMs(timing, step, 0) },
  'round skipped for one voter': { skips: () => true },
  'rounds skipped for a quorum only': { skips: RULES.isQuorum },
  'equivocator counted twice': { countsInWhole: () => true },
  'second vote of an equivocator dropped': { hasRoom: (held) => held.length === 0 },
  'precommits of several rounds mixed': {
    decides: ({ validators, rounds, hash }) => {
      const tallies = [...rounds.values()].map(({ precommits }) => tallyFor(precommits, hash))
      return isQuorum(
        validators,
        tallies.reduce((sum, { stake }) => sum + stake, 0n),
      )
    },
  },
  'any time is right': { isTimely: () => true },
  'times of the future are right': {
    isTimely: (time, timing) => {
      const latestMs = time.arrivedMs + timing.clockSkewMs
      return isTimely({ ...time, timeMs: milliseconds(Math.min(time.timeMs, latestMs)) }, timing)
    },
  },
  'valid block not proposed again': { proposesAgain: () => undefined },
  'claimed proof of lock believed': { isProven: () => true },
}

/** The rules with one mutation. */
export function mutated(name: string): Rules {
  return { ...RULES, ...MUTATIONS[name] }
}

function halfQuorum(): Partial<Rules> {
  const isQuorumOfHalf: Rules['isQuorum'] = (validators, { stake }) => stake * 2n > validators.stake
  return quorumsAs(isQuorumOfHalf)
}

function headsQuorum(): Partial<Rules> {
  return quorumsAs(({ members }, { heads }) => heads * 3 > members.length * 2)
}

/** Every place where the paper says 2f + 1. */
function quorumsAs(isQuorumHere: Rules['isQuorum']): Partial<Rules> {
  return {
    isQuorum: isQuorumHere,
    isProven: isQuorumHere,
    locks: isQuorumHere,
    decides: ({ validators, rounds, round, hash }) => {
      const votes = rounds.get(round)
      return votes !== undefined && isQuorumHere(validators, tallyFor(votes.precommits, hash))
    },
  }
}
