/**
 * The chain as one node has it: the state in memory, the latest final block, what waits for the next one, and the results of
 * blocks that may become it. The real ledger of the replica. What is to be on disk is handed out after each block; knows no disk,
 * clock or network. Spec: docs/spec/chain.md.
 * @module
 */
import { hexToBytes } from '@noble/hashes/utils.js'
import { assert } from '../base/assert.ts'
import type { AccountId, Hash } from '../base/brand.ts'
import { CHAIN_LIMITS } from '../base/chain-limits.ts'
import { HouseError } from '../base/error.ts'
import { finish, type Steps } from '../base/steps.ts'
import { type Block, blockHash, type Commit, type Header } from './block/block.ts'
import type { AppliedTransaction } from './block/execute.ts'
import { genesisHeader } from './block/genesis-block.ts'
import { type Place, placeOn } from './block/place.ts'
import type { PowerSource } from './block/proposer.ts'
import {
  type BlockWorks,
  type ChainWork,
  check,
  checkCommitted,
  execute,
  hashIn,
  isReady,
  makeBlock,
  poolHead,
  prepare,
  type WorkPorts,
} from './block-work.ts'
import { createCandidates } from './candidates.ts'
import type { Head, Ledger, LedgerWork, Timing } from './consensus/ledger.ts'
import type { ValidatorSet } from './consensus/validator-set.ts'
import { hashOf } from './fields.ts'
import type { Genesis } from './genesis.ts'
import { genesisState, networkIdOf } from './genesis.ts'
import type { MarketEvent } from './market/events.ts'
import { createMempool, type Mempool } from './mempool.ts'
import type { Parameters } from './parameters.ts'
import { createStateStore, type ReadState, type StateChanges } from './state/state.ts'
import { accountInKey, isIterated, TABLE, tableOf } from './state/tables.ts'
import { EMPTY_TREE, type StateTree, treeRoot, updateTree } from './state/tree.ts'

export class ChainError extends HouseError<'CHAIN_STATE_DAMAGED'> {}

/** Where a chain begins: the genesis block, or the latest block that was kept, with the whole state after it. */
export interface ChainStart {
  readonly networkId: Hash
  readonly header: Header
  /** That made the block final; undefined for the genesis block. */
  readonly commit: Commit | undefined
  readonly entries: StateChanges
}

export interface ChainPorts extends WorkPorts {
  /** Audited work; that of the state when left out. */
  readonly power?: PowerSource
}

/** What a block changed: what is to be kept of it. */
export interface AppliedBlock {
  readonly height: number
  readonly hash: Hash
  readonly block: Block
  readonly commit: Commit
  readonly stateChanges: StateChanges
  readonly transactions: readonly AppliedTransaction[]
  readonly marketEvents: readonly MarketEvent[]
  /** Of the next height. */
  readonly nextValidators: ValidatorSet
  /** The state after it. */
  readonly tree: StateTree
}

export interface Chain extends Ledger {
  readonly networkId: Hash
  /** Of the latest final block. */
  readonly header: Header
  /** After the latest final block. Do not keep what was read from it over a block. */
  readonly state: ReadState
  /** After the latest final block; never changes, so it may be kept. */
  readonly tree: StateTree
  readonly parameters: Parameters
  readonly mempool: Mempool
  /** The member that proposes in a round at the next height, and everything else about that height. */
  place(): Place
  /** What `apply` or `applyFinalized` did last; undefined before. */
  lastApplied(): AppliedBlock | undefined
  /** The same for the latest few heights: one input of the replica can make two blocks final. */
  appliedAt(height: number): AppliedBlock | undefined
  /**
   * Takes over a block that others have made final: the commit is verified first, then the block, save its seed signature.
   * @throws CommitError, BlockError, and nothing has changed.
   */
  applyFinalized(block: Block, commit: Commit): void
  /**
   * Does work ahead, in steps of some milliseconds at most: what is asked afterwards, `check`, `propose`, `isWhole` or what comes to
   * the replica as `finalized`, has the same answer as without, and at once. What a refusal is found by is found again then. When the
   * head moves between two steps the next one ends the work, and nothing of it is left.
   */
  prepare(work: ChainWork): Steps
  isReady(work: LedgerWork): boolean
}

/** The start of a network that nobody has made a block of. `genesis` is valid. */
export function genesisStart(genesis: Genesis): ChainStart {
  const entries = genesisState(genesis)
  const state = createStateStore(entries, isIterated)
  const header = genesisHeader(genesis.timeMs, state, treeOf(entries))
  return { networkId: networkIdOf(genesis), header, commit: undefined, entries }
}

/** @throws ChainError CHAIN_STATE_DAMAGED when the entries are not the state that the header names. */
export function createChain(start: ChainStart, ports: ChainPorts = {}): Chain {
  const chain = openChain(start, ports)
  return {
    networkId: start.networkId,
    get header() {
      return chain.header
    },
    state: chain.state,
    get tree() {
      return chain.place.tree
    },
    get parameters() {
      return chain.place.parameters
    },
    mempool: chain.mempool,
    place: () => chain.place,
    lastApplied: () => chain.applied.at(-1),
    appliedAt: (height) => chain.applied.find((applied) => applied.height === height),
    head: () => chain.head,
    proposer: (round) => chain.place.proposerOf(round),
    propose: (request) => finish(makeBlock(chain, request)),
    check: (block, known) => check(chain, block, known),
    apply: (block, commit) => advance(chain, block, commit),
    applyFinalized: (block, commit) => applyFinalized(chain, block, commit),
    isWhole: (block) => finish(chain.candidates.isWholeInSteps(hashIn(chain, block), block)),
    hashOf: (block) => hashIn(chain, block),
    prepare: (work) => prepare(chain, work),
    isReady: (work) => isReady(chain, work),
  }
}

interface OpenChain extends BlockWorks {
  readonly power: PowerSource | undefined
  readonly state: ReturnType<typeof createStateStore>
  header: Header
  place: Place
  head: Head
  /** Oldest first. */
  readonly applied: AppliedBlock[]
}

function openChain({ networkId, header, commit, entries }: ChainStart, ports: ChainPorts): OpenChain {
  const tree = treeOf(entries)
  const root = hashOf(treeRoot(tree))
  if (root !== header.stateRoot) {
    const sentence = `The stored state is not the one after block ${header.height}. Start the node with --repair: it keeps the store aside and fetches everything again.`
    throw new ChainError('CHAIN_STATE_DAMAGED', sentence, {
      details: { height: header.height, found: root, expected: header.stateRoot },
    })
  }
  const { power } = ports
  const state = createStateStore(entries, isIterated)
  const hash = blockHash(networkId, header)
  const parent = { height: header.height, hash, timeMs: header.timeMs }
  const place = placeOn(parent, { networkId, state, tree, power })
  return {
    ...{ networkId, ports, power, state, header, place, applied: [] },
    mempool: createMempool(poolHead(place, ports)),
    candidates: createCandidates(),
    head: headOf(place, commit),
  }
}

function treeOf(entries: StateChanges): StateTree {
  return updateTree(
    EMPTY_TREE,
    entries.map(([key, value]) => ({ key: hexToBytes(key), value })),
  )
}

/** @throws BlockError, CommitError. */
function applyFinalized(chain: OpenChain, block: Block, commit: Commit): void {
  checkCommitted(chain, block, commit)
  finish(execute(chain, block, { isCommitted: true }))
  advance(chain, block, commit)
}

/** Makes a block that is valid here the latest. A block that is not, is a bug of who calls. */
function advance(chain: OpenChain, block: Block, commit: Commit): void {
  const { networkId, power, state, ports } = chain
  const { height, timeMs } = block.header
  const hash = blockHash(networkId, block.header)
  assert(commit.blockHash === hash && commit.height === height, 'the commit is for the block')
  const { changes, tree, transactions, marketEvents } = finish(execute(chain, block))
  state.merge(changes)
  chain.candidates.clear()
  chain.header = block.header
  chain.place = placeOn({ height, hash, timeMs }, { networkId, state, tree, power })
  chain.head = headOf(chain.place, commit)
  const nextValidators = chain.place.set
  const results = { transactions, marketEvents, tree, nextValidators, stateChanges: changes }
  chain.applied.push({ height, hash, block, commit, ...results })
  if (chain.applied.length > CHAIN_LIMITS.appliedBlocksKept) chain.applied.shift()
  const included = transactions.map(({ id }) => id)
  chain.mempool.advance(poolHead(chain.place, ports), accountsIn(changes), included)
}

function headOf({ parent, set, parameters }: Place, commit: Commit | undefined): Head {
  return { ...parent, commit, validators: set, timing: timingOf(parameters) }
}

function timingOf({ proposeMs, voteMs, roundMs, commitMs, clockSkewMs }: Parameters): Timing {
  return {
    proposeMs: Number(proposeMs),
    voteMs: Number(voteMs),
    roundMs: Number(roundMs),
    commitMs: Number(commitMs),
    clockSkewMs: Number(clockSkewMs),
  }
}

function* accountsIn(changes: StateChanges): Iterable<AccountId> {
  for (const [key] of changes) if (tableOf(key) === TABLE.account) yield accountInKey(key, 0)
}
