/**
 * Blocks that may become the next one, and what was found out about them: which are whole, what the valid ones do, why others are
 * refused, what was made here. All of it goes by one state, and is forgotten with it. Decides nothing.
 * Spec: docs/spec/chain.md §4.
 * @module
 */
import type { Hash } from '../base/brand.ts'
import { CHAIN_LIMITS } from '../base/chain-limits.ts'
import type { Steps } from '../base/steps.ts'
import { type Block, commitHash } from './block/block.ts'
import type { Execution } from './block/execute.ts'
import type { BlockRequest } from './block/produce.ts'
import { type BlockError, isWholeInSteps } from './block/validate.ts'

export interface Candidates {
  /** Whether the block holds what its header names; quick when it was asked before. */
  isWholeInSteps(hash: Hash, block: Block): Steps<boolean>
  /** What the block does, if it was found valid. */
  executionOf(hash: Hash, block: Block): Execution | undefined
  /** Why the block is refused, if it was. */
  refusalOf(hash: Hash, block: Block): BlockError | undefined
  /** The block that was made for this very request. */
  madeFor(request: BlockRequest): Block | undefined
  keep(hash: Hash, block: Block, execution: Execution): void
  /** `block` is whole: what is found of another body under the same header must not be said of it. */
  refuse(hash: Hash, block: Block, error: BlockError): void
  keepMade(request: BlockRequest, block: Block): void
  clear(): void
}

/** Something that was found out about a block. */
interface Finding<Value> {
  readonly block: Block
  readonly value: Value
}

export function createCandidates(): Candidates {
  const whole = new Map<Hash, Finding<true>>()
  const executions = new Map<Hash, Finding<Execution>>()
  const refusals = new Map<Hash, Finding<BlockError>>()
  let made: { readonly request: BlockRequest; readonly block: Block } | undefined
  return {
    *isWholeInSteps(hash, block) {
      if (find(whole, hash, block)) return true
      const isWhole = yield* isWholeInSteps(block)
      if (isWhole) remember(whole, hash, { block, value: true })
      return isWhole
    },
    executionOf: (hash, block) => find(executions, hash, block),
    refusalOf: (hash, block) => find(refusals, hash, block),
    madeFor: (request) => (made !== undefined && isSameRequest(made.request, request) ? made.block : undefined),
    keep: (hash, block, execution) => remember(executions, hash, { block, value: execution }),
    refuse: (hash, block, error) => remember(refusals, hash, { block, value: error }),
    keepMade(request, block) {
      made = { request, block }
    },
    clear() {
      for (const findings of [whole, executions, refusals]) findings.clear()
      made = undefined
    },
  }
}

/** The hash is the header's: with another body it is another block, and what was found is not said of it. */
function find<Value>(findings: ReadonlyMap<Hash, Finding<Value>>, hash: Hash, block: Block): Value | undefined {
  const found = findings.get(hash)
  if (found === undefined) return undefined
  return found.block === block || hasSameBody(found.block, block) ? found.value : undefined
}

/** The oldest makes way. */
function remember<Value>(findings: Map<Hash, Finding<Value>>, hash: Hash, finding: Finding<Value>): void {
  findings.set(hash, finding)
  const [oldest] = findings.keys()
  if (findings.size > CHAIN_LIMITS.candidatesMax && oldest !== undefined) findings.delete(oldest)
}

function hasSameBody(one: Block, other: Block): boolean {
  if (one.transactions.length !== other.transactions.length) return false
  if (commitHash(one.lastCommit) !== commitHash(other.lastCommit)) return false
  return one.transactions.every((bytes, at) => isSame(bytes, other.transactions[at]!))
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  if (one.length !== other.length) return false
  for (let at = 0; at < one.length; at++) if (one[at] !== other[at]) return false
  return true
}

function isSameRequest(one: BlockRequest, other: BlockRequest): boolean {
  return one.round === other.round && one.timeMs === other.timeMs && one.lastCommit === other.lastCommit
}
