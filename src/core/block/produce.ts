/**
 * Making a block: as many of the waiting transactions as fit, best first, each tried where it is to stand, so that the block
 * passes its own check. Spec: docs/spec/chain.md §4.
 * @module
 */
import { assert } from '../../base/assert.ts'
import { type AccountId, type Milliseconds, milliseconds } from '../../base/brand.ts'
import { CHAIN_LIMITS, MEMPOOL_LIMITS } from '../../base/chain-limits.ts'
import type { Steps } from '../../base/steps.ts'
import type { FastAcceptance } from '../ed25519.ts'
import { ZERO_HASH } from '../fields.ts'
import type { OpenTransaction } from '../transaction/check.ts'
import { TransactionError } from '../transaction/contract.ts'
import { encodeTransaction } from '../transaction/transaction.ts'
import { type Block, type Commit, commitHash, encodeBlock, type Header } from './block.ts'
import { type Execution, type Executor, executeBlock } from './execute.ts'
import type { Place } from './place.ts'
import { seedInput } from './seed.ts'
import { transactionsRoot } from './transactions-root.ts'

/** Signs 32 bytes with this node's seed key; core/bls.ts. */
export type SeedSigner = (message: Uint8Array) => Uint8Array

export interface BlockRequest {
  readonly round: number
  /** Local Unix time; the block's is later than its parent's whatever the clock says. */
  readonly timeMs: Milliseconds
  /** Of the parent; undefined at height 1. */
  readonly lastCommit: Commit | undefined
}

export interface BlockPorts {
  readonly seedSigner: SeedSigner
  /** See `Mempool.candidates`; their signatures are valid. */
  readonly candidates: Generator<OpenTransaction, void, boolean>
  readonly accepts: FastAcceptance | undefined
}

export interface Produced {
  readonly block: Block
  readonly execution: Execution
  /** Senders whose transactions could not be applied in it. */
  readonly refused: readonly AccountId[]
}

/**
 * The next block by the proposer of the round, which the seed signer's key must be of. The state of the place must stay as it is
 * until the last step.
 */
export function* produceBlock(place: Place, request: BlockRequest, ports: BlockPorts): Steps<Produced> {
  const { round, lastCommit } = request
  const proposer = place.set.members[place.proposerOf(round)]
  assert(proposer !== undefined, 'a round has a proposer')
  const executor = executeBlock(place, { lastCommit, proposer: proposer.id, accepts: ports.accepts })
  const seedSignature = ports.seedSigner(seedInput(place.networkId, place.height, place.seed))
  // As long as the whole header: its fields have fixed lengths.
  const empty: Header = {
    ...{ height: place.height, round, seedSignature, proposer: proposer.id },
    timeMs: milliseconds(Math.max(request.timeMs, place.parent.timeMs + 1)),
    parentHash: place.parent.hash,
    lastCommitHash: commitHash(lastCommit),
    ...{ transactionsRoot: ZERO_HASH, stateRoot: ZERO_HASH, units: 0 },
    validatorsHash: place.set.hash,
    nextValidatorsHash: place.nextSet.hash,
    baseFee: place.baseFee,
  }
  yield
  const { taken, refused } = yield* fill(executor, place, {
    candidates: ports.candidates,
    bytes: encodeBlock({ header: empty, lastCommit, transactions: [] }).length,
  })
  const execution = yield* executor.finish(seedSignature)
  const { stateRoot, units } = execution
  const root = transactionsRoot(taken.map(({ transaction }) => transaction.id))
  const header: Header = { ...empty, transactionsRoot: root, stateRoot, units }
  yield
  const transactions = taken.map(({ transaction }) => encodeTransaction(transaction))
  return { block: { header, lastCommit, transactions }, execution, refused }
}

/** `bytes`: what the block takes without transactions. */
function* fill(
  executor: Executor,
  { parameters }: Place,
  { candidates, bytes }: { readonly candidates: BlockPorts['candidates']; readonly bytes: number },
): Steps<{ readonly taken: OpenTransaction[]; readonly refused: AccountId[] }> {
  const taken: OpenTransaction[] = []
  const refused: AccountId[] = []
  const unitsMax = Number(parameters.blockUnitsMax)
  let room = CHAIN_LIMITS.blockBytesMax - bytes
  let misses = 0
  let next = candidates.next(false)
  while (!next.done && misses < MEMPOOL_LIMITS.missesMax && taken.length < CHAIN_LIMITS.blockTransactionsMax) {
    const open = next.value
    const size = LENGTH_BYTES + open.transaction.byteLength
    const fits = size <= room && executor.units + open.units <= unitsMax
    const isTaken = fits && tryRun(executor, open)
    if (isTaken) {
      taken.push(open)
      room -= size
    } else if (fits) {
      refused.push(open.transaction.sender)
    }
    misses = isTaken ? 0 : misses + 1
    yield
    next = candidates.next(isTaken)
  }
  return { taken, refused }
}

function tryRun(executor: Executor, open: OpenTransaction): boolean {
  try {
    executor.run(open)
    return true
  } catch (error) {
    if (error instanceof TransactionError) return false
    throw error
  }
}

/** Before each transaction. */
const LENGTH_BYTES = 4
