import { describe, expect, test } from 'vitest'
import {
  type ConsensusDriver,
  type ConsensusEvents,
  createConsensusDriver,
} from '../../../../src/app/node/consensus-driver.ts'
import type { VoteKeeper } from '../../../../src/app/node/vote-keeper.ts'
import { AT_ONCE, createTurns } from '../../../../src/app/turns.ts'
import { hash, milliseconds } from '../../../../src/base/brand.ts'
import type { Steps } from '../../../../src/base/steps.ts'
import type { AppliedBlock, Chain } from '../../../../src/core/chain.ts'
import type { LedgerWork } from '../../../../src/core/consensus/ledger.ts'
import type { Replica } from '../../../../src/core/consensus/replica.ts'
import type { Effect, Input } from '../../../../src/core/consensus/replica-port.ts'
import { createMemoryNetwork } from '../../../../src/net/memory-network.ts'
import { realClock } from '../../../contract/real-clock.ts'
import { createFakeClock, until } from '../../../fake-clock.ts'

const NETWORK_ID = hash('ab'.repeat(32))
const SIGN_STATE = { type: 'sign-state', record: undefined } as unknown as Effect
const START: Omit<Input & { type: 'start' }, 'nowMs'> = { type: 'start' }
const VOTE = { type: 'vote', vote: undefined } as unknown as Omit<Input & { type: 'vote' }, 'nowMs'>

interface Setting {
  readonly effects: readonly Effect[]
  /** The vote's way to the disk. */
  readonly record?: () => Promise<void>
}

interface Running {
  readonly driver: ConsensusDriver
  readonly saved: number[]
  readonly failures: unknown[]
}

const WORK = { type: 'check', block: {} } as unknown as LedgerWork

/** A driver whose replica wants work of a chain that needs some steps for it. */
function runWork(
  each: (step: number) => void,
  steps: number,
): { driver: ConsensusDriver; done: string[]; failures: unknown[] } {
  const done: string[] = []
  const failures: unknown[] = []
  const prepare = function* (): Steps {
    for (let step = 1; step <= steps; step++) {
      each(step)
      done.push(`step ${step}`)
      yield
    }
  }
  const clock = realClock
  const driver = createConsensusDriver({
    networkId: NETWORK_ID,
    replica: {
      step: (input: Input): Effect[] => {
        done.push(input.type)
        return input.type === 'start' ? [{ type: 'prepare', work: WORK }] : []
      },
    } as unknown as Replica,
    chain: { prepare } as unknown as Chain,
    keeper: {} as VoteKeeper,
    events: { onFatal: (error: unknown) => void failures.push(error) } as unknown as ConsensusEvents,
    wire: createMemoryNetwork().createMemoryWire({ listen: false }),
    ...{ clock, turns: createTurns(clock, 1), log: { write: () => undefined } },
    before: async () => void done.push('before'),
  })
  return { driver, done, failures }
}

/** A driver whose replica wants the same done after every input, on a chain that has every block. */
function run({ effects, record = async () => undefined }: Setting): Running {
  const saved: number[] = []
  const failures: unknown[] = []
  const applied = (height: number): AppliedBlock => ({ height }) as AppliedBlock
  const driver = createConsensusDriver({
    networkId: NETWORK_ID,
    replica: { step: () => effects } as unknown as Replica,
    chain: { appliedAt: applied, lastApplied: () => applied(99) } as unknown as Chain,
    keeper: { record, finalized: async () => undefined } as unknown as VoteKeeper,
    events: {
      save: async ({ height }) => void saved.push(height),
      onFinal: () => undefined,
      onBehind: () => undefined,
      onEvidence: () => undefined,
      onFatal: (error) => void failures.push(error),
    },
    wire: createMemoryNetwork().createMemoryWire({ listen: false }),
    clock: createFakeClock(),
    turns: AT_ONCE,
    before: async () => undefined,
    log: { write: () => undefined },
  })
  return { driver, saved, failures }
}

function final(height: number): Effect {
  return {
    type: 'finalize',
    block: { header: { height, timeMs: milliseconds(0) } },
    commit: undefined,
  } as unknown as Effect
}

function judge(verdict: 'reject' | 'ignore'): Effect {
  return { type: 'judge', peer: undefined, verdict, code: 'VOTE_STRANGER', message: '' }
}

describe('work ahead', () => {
  test('is done in turns, between which other inputs are taken, and told to the replica at its end', async () => {
    const { driver, done } = runWork(() => undefined, 3)
    await driver.take(START)
    await driver.take(VOTE)
    await until(() => done.includes('prepared'), 'the end of the work')
    expect(done.filter((what) => what.startsWith('step'))).toEqual(['step 1', 'step 2', 'step 3'])
    expect(done.indexOf('vote')).toBeLessThan(done.indexOf('step 3'))
    expect(done.at(-1)).toBe('prepared')
    await driver.stop()
  })

  test('ends with the driver, and nobody hears of it', async () => {
    const { driver, done } = runWork(() => undefined, 1_000)
    await driver.take(START)
    await driver.stop()
    expect(done).not.toContain('prepared')
    expect(done.length).toBeLessThan(20)
  })

  test('that fails of a bug stops the node', async () => {
    const { driver, done, failures } = runWork((step) => {
      if (step === 2) throw new Error('a bug')
    }, 3)
    await driver.take(START)
    await until(() => failures.length > 0, 'the failure')
    expect(await driver.take(VOTE)).toBe('ignore')
    expect(done).toEqual(['start', 'before', 'step 1'])
    await driver.stop()
  })
})

describe('the driver', () => {
  test('stores every block that one input makes final, each once and in their order', async () => {
    const { driver, saved } = run({ effects: [final(14), final(15)] })
    await driver.take(START)
    expect(saved).toEqual([14, 15])
  })

  test('lets nobody read the replica before its votes are on the disk', async () => {
    const done: string[] = []
    const disk = Promise.withResolvers<void>()
    const { driver } = run({ effects: [SIGN_STATE], record: () => disk.promise.then(() => void done.push('on disk')) })
    const taken = driver.take(START)
    const read = driver.atRest(() => done.push('read'))
    disk.resolve()
    await Promise.all([taken, read])
    expect(done).toEqual(['on disk', 'read'])
  })

  test('lets nobody read the replica after a vote did not reach the disk', async () => {
    const { driver, failures } = run({ effects: [SIGN_STATE], record: () => Promise.reject(new Error('full')) })
    const taken = driver.take(START)
    const read = driver.atRest(() => 'a vote')
    expect([await taken, await read]).toEqual(['ignore', undefined])
    expect(failures).toHaveLength(1)
  })

  test.each<readonly [string, readonly Effect[], string]>([
    ['what the replica calls worth it', [{ type: 'relay' }], 'accept'],
    ['nothing that it only passed over', [], 'ignore'],
    ['nothing that it rejects, whose relay it has blamed itself', [judge('reject')], 'ignore'],
    ['a right vote that shows a proposal to be bad', [{ type: 'relay' }, judge('ignore')], 'accept'],
  ])('passes on %s', async (_what, effects, verdict) => {
    expect(await run({ effects }).driver.take(VOTE)).toBe(verdict)
  })
})
