/**
 * Making and checking blocks on the latest state, at once or ahead of being asked. Ahead means in steps, between which other things
 * happen; both ways run the same code, so that what is found does not depend on who drove it. Spec: docs/spec/chain.md §4.
 * @module
 */
import { assert, unreachable } from '../base/assert.ts'
import type { Hash } from '../base/brand.ts'
import { HouseError } from '../base/error.ts'
import { finish, type Steps } from '../base/steps.ts'
import { type Block, blockHash, type Commit } from './block/block.ts'
import { contextAt, type Execution } from './block/execute.ts'
import type { Place } from './block/place.ts'
import { type BlockRequest, produceBlock, type SeedSigner } from './block/produce.ts'
import { type BlockChecks, BlockError, checkBlockInSteps, checkHeader, type SeedVerifier } from './block/validate.ts'
import { verifyCommit } from './block/verify-commit.ts'
import type { Candidates } from './candidates.ts'
import type { LedgerWork, Refusal } from './consensus/ledger.ts'
import type { FastAcceptance } from './ed25519.ts'
import type { Mempool, PoolHead } from './mempool.ts'

export interface WorkPorts {
  /** Needed by who proposes. */
  readonly seedSigner?: SeedSigner | undefined
  /** The check of what such signers make; core/bls.ts when left out. */
  readonly seedVerifier?: SeedVerifier | undefined
  /** A faster check of signatures; core/ed25519.ts. */
  readonly accepts?: FastAcceptance | undefined
}

/** What blocks are made and checked with. The place is the latest one: it becomes another when the head moves. */
export interface BlockWorks {
  readonly networkId: Hash
  readonly ports: WorkPorts
  readonly mempool: Mempool
  readonly candidates: Candidates
  readonly place: Place
}

/** What may be done ahead. `read`: whether a block is whole. `finalized`: a block and the commit that it came with. */
export type ChainWork =
  | LedgerWork
  | { readonly type: 'read'; readonly block: Block }
  | { readonly type: 'finalized'; readonly block: Block; readonly commit: Commit }

export function hashIn({ networkId }: BlockWorks, { header }: Block): Hash {
  return blockHash(networkId, header)
}

export function* makeBlock(works: BlockWorks, request: BlockRequest): Steps<Block> {
  const { mempool, place, ports, candidates } = works
  const { seedSigner, accepts } = ports
  const known = candidates.madeFor(request)
  if (known !== undefined) return known
  assert(seedSigner !== undefined, 'only who has a seed key proposes')
  const waiting = mempool.candidates()
  const { block, execution, refused } = yield* produceBlock(place, request, {
    seedSigner,
    accepts,
    candidates: waiting,
  })
  candidates.keep(hashIn(works, block), block, execution)
  candidates.keepMade(request, block)
  // What could not be applied may never be: the pool asks again and drops it, or the next proposal trips over it too.
  mempool.advance(poolHead(place, ports), refused)
  return block
}

type Checks = Pick<BlockChecks, 'isCommitted'>

export function check(works: BlockWorks, block: Block, checks: Checks = {}): Refusal | undefined {
  // Found by the check of the seed signature, it may be none of a block that is final.
  const known = checks.isCommitted ? undefined : works.candidates.refusalOf(hashIn(works, block), block)
  if (known !== undefined) return { code: known.code, message: known.message }
  try {
    finish(execute(works, block, checks))
    return undefined
  } catch (error) {
    if (!(error instanceof BlockError)) throw error
    return { code: error.code, message: error.message }
  }
}

/** @throws BlockError. */
export function* execute(works: BlockWorks, block: Block, checks: Checks = {}): Steps<Execution> {
  const { candidates, place, ports, mempool } = works
  const hash = hashIn(works, block)
  const known = candidates.executionOf(hash, block)
  if (known !== undefined) return known
  const { accepts, seedVerifier } = ports
  const isSignatureKnown = (id: Hash): boolean => mempool.get(id) !== undefined
  const execution = yield* checkBlockInSteps(block, place, { accepts, seedVerifier, isSignatureKnown, ...checks })
  candidates.keep(hash, block, execution)
  return execution
}

export function isReady(works: BlockWorks, work: LedgerWork): boolean {
  const { candidates } = works
  if (work.type === 'propose') return candidates.madeFor(work.request) !== undefined
  const hash = hashIn(works, work.block)
  return (candidates.executionOf(hash, work.block) ?? candidates.refusalOf(hash, work.block)) !== undefined
}

/** See `Chain.prepare`. Once the head has moved, what was asked for is about a state that is gone. */
export function prepare(works: BlockWorks, work: ChainWork): Steps {
  return whileAt(works, works.place, workAhead(works, work))
}

function* whileAt(works: BlockWorks, place: Place, steps: Steps): Steps {
  while (works.place === place && !steps.next().done) yield
}

function* workAhead(works: BlockWorks, work: ChainWork): Steps {
  switch (work.type) {
    case 'propose':
      yield* makeBlock(works, work.request)
      return
    case 'read':
      yield* works.candidates.isWholeInSteps(hashIn(works, work.block), work.block)
      return
    case 'check':
      yield* judge(works, work.block)
      return
    case 'finalized':
      yield* judgeFinal(works, work.block, work.commit)
      return
    default:
      unreachable(work)
  }
}

/** Remembers a refusal too: a block must not cost its execution twice. */
function* judge(works: BlockWorks, block: Block): Steps {
  const { candidates } = works
  const hash = hashIn(works, block)
  if (isReady(works, { type: 'check', block }) || !(yield* candidates.isWholeInSteps(hash, block))) return
  try {
    yield* execute(works, block)
  } catch (error) {
    if (!(error instanceof BlockError)) throw error
    candidates.refuse(hash, block, error)
  }
}

/** The commit comes first: without it a stranger could have blocks executed. */
function* judgeFinal(works: BlockWorks, block: Block, commit: Commit): Steps {
  try {
    checkCommitted(works, block, commit)
    yield
    if (yield* works.candidates.isWholeInSteps(hashIn(works, block), block)) {
      yield* execute(works, block, { isCommitted: true })
    }
  } catch (error) {
    if (!(error instanceof HouseError)) throw error
  }
}

/** @throws BlockError, CommitError. */
export function checkCommitted(works: BlockWorks, block: Block, commit: Commit): void {
  const { networkId, place, ports } = works
  const { set, height } = place
  checkHeader(block.header, place.parent, place)
  verifyCommit({ networkId, set, commit, blockHash: hashIn(works, block), height }, ports.accepts)
}

/** Who gets the tips makes no difference to whether a transaction can be applied. */
export function poolHead(place: Place, { accepts }: WorkPorts): PoolHead {
  const proposer = place.set.members[0]!.id
  return { state: place.state, context: contextAt(place, { proposer, accepts }) }
}
