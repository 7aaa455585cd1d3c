import { describe, expect, test } from 'vitest'
import { type Milliseconds, milliseconds } from '../../../../src/base/brand.ts'
import { createReplica, type Replica } from '../../../../src/core/consensus/replica.ts'
import type { Effect } from '../../../../src/core/consensus/replica-port.ts'
import {
  createSmallLedger,
  NETWORK_ID,
  type SmallLedger,
  START_MS,
  setOf,
  signerOf,
  verifySmall,
} from '../../../sim/small-ledger.ts'

interface Running {
  readonly replica: Replica
  readonly ledger: SmallLedger
}

/** Replicas over a network without delay, whose timers ring in their order. */
function runNetwork(stakes: readonly bigint[], heights: number): Running[] {
  const validators = setOf(stakes)
  const running = stakes.map((_stake, index): Running => {
    const ledger = createSmallLedger({ validators, proposer: (height, round) => (height + round) % stakes.length })
    const ports = { ledger, verify: verifySmall, signer: signerOf(index) }
    return { ledger, replica: createReplica({ networkId: NETWORK_ID }, ports) }
  })
  const wakes: { atMs: Milliseconds; run: () => void }[] = []
  let nowMs = START_MS
  const carryOut = (index: number, effects: readonly Effect[]): void => {
    const { replica } = running[index]!
    for (const effect of effects) {
      if (effect.type === 'wake') {
        const { atMs, height, round, step } = effect
        const run = (): void => carryOut(index, replica.step({ type: 'timer', nowMs, height, round, step }))
        wakes.push({ atMs, run })
      }
      if (effect.type !== 'publish') continue
      for (const other of running.keys()) {
        if (other !== index) carryOut(other, running[other]!.replica.step({ ...effect.message, nowMs }))
      }
    }
  }
  for (const [index, { replica }] of running.entries()) carryOut(index, replica.step({ type: 'start', nowMs }))
  while (running.some(({ ledger }) => ledger.chain.length < heights)) {
    wakes.sort((a, b) => a.atMs - b.atMs)
    const next = wakes.shift()
    if (next === undefined) throw new Error('nothing happens any more')
    nowMs = milliseconds(Math.max(nowMs, next.atMs))
    next.run()
  }
  return running
}

describe('replicas without faults', () => {
  test.each([1, 2, 4, 7])('%i of them finalize the same blocks in round 0', (count) => {
    const running = runNetwork(Array(count).fill(10n), 5)
    const chains = running.map(({ ledger }) => ledger.chain.map((each) => each.hash))
    for (const chain of chains) expect(chain.slice(0, 5)).toEqual(chains[0]!.slice(0, 5))
    expect(running[0]!.ledger.chain.every(({ commit }) => commit.round === 0)).toBe(true)
  })
})
