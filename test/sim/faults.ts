/**
 * Faults of simulated storage: which operation goes wrong and how, and lives that end in a crash. Every choice comes from a
 * seed. Knows nothing of files or keys.
 * @module
 */
import { uniformAt } from '../../src/base/prng.ts'

/** The process is dead: nothing that it still asks for happens. Only the simulator may catch it. */
export class SimulatedCrash extends Error {
  override readonly name: string = 'SimulatedCrash'
}

/**
 * `fail`: the operation is refused, maybe after a part of it was done. `fail-after`: it is done, and an error says that it is not.
 * The others cut the power: `crash` before the operation, `tear` within it, `crash-after` when it is done but nobody was told.
 */
export type FaultKind = 'fail' | 'fail-after' | 'crash' | 'tear' | 'crash-after'

export const FAULT_KINDS: readonly FaultKind[] = ['fail', 'fail-after', 'crash', 'tear', 'crash-after']

/** `power`: what was not synced may be lost or torn. `process`: the system keeps all that was written, as after SIGKILL. */
export type CrashKind = 'power' | 'process'

/** Whole numbers from a seed, always the same ones. */
export interface Chance {
  /** 0 … `below` − 1. */
  pick(below: number): number
}

export function createChance(seed: number): Chance {
  let counter = 0n
  return { pick: (below) => Math.floor(uniformAt(BigInt(seed), counter++) * below) }
}

/** Steps of one operation, carried out in this order unless a fault comes between. */
export interface Steps<Result> {
  /** Done halfway, for `fail`: leaves a part, or nothing. */
  readonly part?: () => void
  readonly whole: () => Result
  /** Makes what was done survive a power loss. */
  readonly sync: () => void
}

export interface Lives {
  /** Number of the life that has begun; all earlier ones are dead. */
  begin(): number
  crash(kind: CrashKind): void
  /** The `operation`-th changing operation from now goes wrong; 1 is the next. Replaces an earlier plan. */
  plan(operation: number, kind: FaultKind): void
  /** Changing operations asked for so far, in all lives. */
  count(): number
  assertAlive(life: number): void
  /** Carries out a changing operation. @throws SimulatedCrash; `failure` for the faults that fail. */
  change<Result>(life: number, failure: () => Error, steps: Steps<Result>): Result
}

/** `lose` is called when the power is cut: it takes or tears what was not synced. */
export function createLives(chance: Chance, lose: () => void): Lives {
  let current = 0
  let count = 0
  let fault: { readonly at: number; readonly kind: FaultKind } | undefined

  const assertAlive = (life: number): void => {
    if (life !== current) throw new SimulatedCrash('this life has ended')
  }
  const crash = (kind: CrashKind): void => {
    current++
    if (kind === 'power') lose()
  }
  const cutPower = (): never => {
    crash('power')
    throw new SimulatedCrash('the power was cut')
  }

  return {
    begin: () => ++current,
    crash,
    plan(operation, kind) {
      fault = { at: count + operation, kind }
    },
    count: () => count,
    assertAlive,
    change(life, failure, steps) {
      assertAlive(life)
      count++
      const kind = fault?.at === count ? fault.kind : undefined
      if (kind === 'crash') return cutPower()
      if (kind === 'fail') {
        steps.part?.()
        throw failure()
      }
      // Halfway is: written but not synced, or, where that cannot be, done or not.
      if (kind === 'tear' && chance.pick(2) === 0) {
        steps.part?.()
        return cutPower()
      }
      const result = steps.whole()
      if (kind === 'tear') return cutPower()
      if (kind === 'fail-after') throw failure()
      steps.sync()
      if (kind === 'crash-after') return cutPower()
      return result
    },
  }
}
