/**
 * What must hold whatever happens: a witness that hears what every machine keeps, says and announces, in all its lives, and
 * objects at once. It knows the chain's rules only through the state's own checks.
 * @module
 */
import { bytesToHex } from '@noble/hashes/utils.js'
import type { Hash } from '../../src/base/brand.ts'
import { MEMPOOL_LIMITS } from '../../src/base/chain-limits.ts'
import { HouseError, messageOf } from '../../src/base/error.ts'
import type { Chain } from '../../src/core/chain.ts'
import type { Message } from '../../src/core/consensus/replica-port.ts'
import type { ValidatorSet } from '../../src/core/consensus/validator-set.ts'
import { stateFaults } from '../../src/core/state/invariants.ts'
import { createStateStore, type StateKey } from '../../src/core/state/state.ts'
import { treeEntries, treeRoot } from '../../src/core/state/tree.ts'

export type Invariant =
  | 'agreement'
  | 'nothing final is lost'
  | 'no honest double sign'
  | 'sound state'
  | 'bounded pool'
  | 'coded failures'
  | 'nobody honest is banned'
  | 'liveness'

/** An invariant does not hold. */
export class SimulationFailure extends Error {
  override readonly name: string = 'SimulationFailure'
  readonly invariant: Invariant

  constructor(invariant: Invariant, message: string) {
    super(`${invariant}: ${message}`)
    this.invariant = invariant
  }
}

export interface Witness {
  /** The first objection. */
  failure(): SimulationFailure | undefined
  object(invariant: Invariant, message: string): void
  /** A block goes to a machine's disk as final. */
  saved(machine: string, height: number, hash: Hash): void
  /** A validator set was seen. */
  votes(height: number, set: ValidatorSet): void
  setAt(height: number): ValidatorSet | undefined
  /** A proposal or vote left a machine. */
  said(machine: string, message: Message): void
  /** A process ended by itself, or would not start. `isExpected`: its storage was made to fail. */
  failed(machine: string, error: unknown, isExpected: boolean): void
  /**
   * Between blocks, the whole of it: sums, tables and the pool. A state that another machine has already is not looked through again,
   * unless `isThorough`.
   */
  inspect(machine: string, chain: Chain, isThorough: boolean): void
  /** Greatest height that any machine has made final. */
  height(): number
  /** Blocks that all agree on. */
  hashAt(height: number): Hash | undefined
  /** Two messages that contradict each other, by keys that two machines use. */
  doubleSigns(): number
}

interface Said {
  readonly hash: Hash | undefined
  readonly machine: string
}

/** `twinKeys`: consensus keys as hex that may sign twice. */
export function createWitness(twinKeys: ReadonlySet<string>): Witness {
  const finals = new Map<number, { readonly hash: Hash; readonly machine: string }>()
  const sets = new Map<number, ValidatorSet>()
  const said = new Map<string, Said>()
  /** Roots of states that were found sound. */
  const sound = new Set<string>()
  let failure: SimulationFailure | undefined
  let top = 0
  let doubleSigns = 0

  const object = (invariant: Invariant, message: string): void => {
    failure ??= new SimulationFailure(invariant, message)
  }

  function heard(machine: string, message: Message): void {
    const { height, round, blockHash } = message.type === 'vote' ? message.vote : message.proposal
    const voter = message.type === 'vote' ? message.vote.voter : undefined
    const place = message.type === 'vote' ? `${message.vote.type} of ${voter}` : 'proposal'
    const key = `${place} at ${height}/${round}`
    const before = said.get(key)
    if (before === undefined) {
      said.set(key, { hash: blockHash, machine })
      return
    }
    if (before.hash === blockHash) return
    doubleSigns++
    // Who may propose is drawn, so a second proposal of a round is by the same key as the first; its votes tell whose.
    const member = voter === undefined ? undefined : sets.get(height)?.members[voter]
    const isTwin = member === undefined ? twinKeys.size > 0 : twinKeys.has(bytesToHex(member.consensusKey))
    if (isTwin) return
    const [first, second] = [before.hash, blockHash].map((hash) => hash?.slice(0, 8) ?? 'nil')
    object('no honest double sign', `two of ${key}: ${first} (from ${before.machine}) and ${second} (from ${machine})`)
  }

  return {
    failure: () => failure,
    object,
    saved(machine, height, hash) {
      const known = finals.get(height)
      if (known === undefined) finals.set(height, { hash, machine })
      else if (known.hash !== hash) {
        object('agreement', `block ${height} is ${known.hash} on ${known.machine} and ${hash} on ${machine}`)
      }
      top = Math.max(top, height)
    },
    votes: (height, set) => void sets.set(height, set),
    setAt: (height) => sets.get(height),
    said: heard,
    failed(machine, error, isExpected) {
      if (!(error instanceof HouseError)) {
        const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
        object('coded failures', `${machine} ended without a code: ${text}`)
      } else if (!isExpected) {
        object('coded failures', `${machine} ended although nothing was done to it: ${error.code}: ${messageOf(error)}`)
      }
    },
    inspect(machine, chain, isThorough) {
      const { size, byteLength } = chain.mempool
      if (size > MEMPOOL_LIMITS.transactionsMax || byteLength > MEMPOOL_LIMITS.bytesMax) {
        object('bounded pool', `${machine} holds ${size} transactions with ${byteLength} bytes`)
      }
      const root = bytesToHex(treeRoot(chain.tree))
      if (sound.has(root) && !isThorough) return
      const faults = faultsOf(chain)
      if (faults.length > 0) object('sound state', `${machine} at ${chain.header.height}: ${faults.join('; ')}`)
      sound.add(root)
    },
    height: () => top,
    hashAt: (height) => finals.get(height)?.hash,
    doubleSigns: () => doubleSigns,
  }
}

/** Of the tree, which roots are of, and of what calls are carried out on, which must be the same. */
function faultsOf({ tree, state }: Chain): string[] {
  const entries = [...treeEntries(tree)].map(({ key, value }) => [bytesToHex(key) as StateKey, value] as const)
  const others = entries.filter(([key, value]) => {
    const held = state.get(key)
    return held === undefined || Buffer.compare(held, value) !== 0
  })
  return [...stateFaults(createStateStore(entries)), ...others.map(([key]) => `record ${key} is another in the tree`)]
}
