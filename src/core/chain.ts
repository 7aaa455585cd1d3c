/**
 * The chain as one node has it: the state in memory, the latest final block, what waits for the next one, and the results of
 * blocks that may become it. The real ledger of the replica. What is to be on disk is handed out after each block; knows no disk,
 * clock or network. Spec: docs/spec/chain.md.
 * @module
 */
import { hexToBytes } from '@noble/hashes/utils.js'
import { assert } from '../base/assert.ts'
import type { AccountId, Hash, Milliseconds } from '../base/brand.ts'
import { CHAIN_LIMITS } from '../base/chain-limits.ts'
import { HouseError } from '../base/error.ts'
import { type Block, blockHash, type Commit, type Header } from './block/block.ts'
import { type AppliedTransaction, contextAt, type Execution } from './block/execute.ts'
import { genesisHeader } from './block/genesis-block.ts'
import { type Place, placeOn } from './block/place.ts'
import { produceBlock, type SeedSigner } from './block/produce.ts'
import type { PowerSource } from './block/proposer.ts'
import { type BlockChecks, BlockError, checkBlock, checkHeader, isWhole, type SeedVerifier } from './block/validate.ts'
import { verifyCommit } from './block/verify-commit.ts'
import type { Head, Ledger, Timing } from './consensus/ledger.ts'
import type { ValidatorSet } from './consensus/validator-set.ts'
import type { FastAcceptance } from './ed25519.ts'
import { hashOf } from './fields.ts'
import type { Genesis } from './genesis.ts'
import { genesisState, networkIdOf } from './genesis.ts'
import { createMempool, type Mempool, type PoolHead } from './mempool.ts'
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

export interface ChainPorts {
  /** Audited work; that of the state when left out. */
  readonly power?: PowerSource
  /** Needed by who proposes. */
  readonly seedSigner?: SeedSigner | undefined
  /** The check of what such signers make; core/bls.ts when left out. */
  readonly seedVerifier?: SeedVerifier | undefined
  /** A faster check of signatures; core/ed25519.ts. */
  readonly accepts?: FastAcceptance | undefined
}

/** What a block changed: what is to be kept of it. */
export interface AppliedBlock {
  readonly height: number
  readonly hash: Hash
  readonly block: Block
  readonly commit: Commit
  readonly stateChanges: StateChanges
  readonly transactions: readonly AppliedTransaction[]
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
    propose: (request) => propose(chain, request),
    check: (block, known) => refusalOf(() => candidateOf(chain, block, known)),
    apply: (block, commit) => advance(chain, block, commit),
    applyFinalized: (block, commit) => applyFinalized(chain, block, commit),
    isWhole,
    hashOf: (block) => blockHash(start.networkId, block.header),
  }
}

interface OpenChain {
  readonly networkId: Hash
  readonly ports: ChainPorts
  readonly power: PowerSource | undefined
  readonly state: ReturnType<typeof createStateStore>
  readonly mempool: Mempool
  /** By the hash of the block, oldest first. */
  readonly candidates: Map<Hash, Candidate>
  header: Header
  place: Place
  head: Head
  /** Oldest first. */
  readonly applied: AppliedBlock[]
}

interface Candidate {
  readonly block: Block
  readonly execution: Execution
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
    candidates: new Map(),
    head: headOf(place, commit),
  }
}

function treeOf(entries: StateChanges): StateTree {
  return updateTree(
    EMPTY_TREE,
    entries.map(([key, value]) => ({ key: hexToBytes(key), value })),
  )
}

function propose(
  chain: OpenChain,
  request: { readonly round: number; readonly timeMs: Milliseconds; readonly lastCommit: Commit | undefined },
): Block {
  const { mempool, place, ports } = chain
  const { seedSigner, accepts } = ports
  assert(seedSigner !== undefined, 'only who has a seed key proposes')
  const { block, execution, refused } = produceBlock(place, request, {
    ...{ seedSigner, accepts },
    candidates: mempool.candidates(),
  })
  keepCandidate(chain, blockHash(chain.networkId, block.header), { block, execution })
  // What could not be applied may never be: the pool asks again and drops it, or the next proposal trips over it too.
  mempool.advance(poolHead(place, ports), refused)
  return block
}

function candidateOf(chain: OpenChain, block: Block, checks: Pick<BlockChecks, 'isCommitted'> = {}): Execution {
  const hash = blockHash(chain.networkId, block.header)
  const known = chain.candidates.get(hash)
  // The hash is the header's: another body under the same header is another block, and not a valid one.
  if (known !== undefined && (known.block === block || isWhole(block))) return known.execution
  const { accepts, seedVerifier } = chain.ports
  const isSignatureKnown = (id: Hash): boolean => chain.mempool.get(id) !== undefined
  const execution = checkBlock(block, chain.place, { accepts, seedVerifier, isSignatureKnown, ...checks })
  keepCandidate(chain, hash, { block, execution })
  return execution
}

function keepCandidate({ candidates }: OpenChain, hash: Hash, candidate: Candidate): void {
  candidates.set(hash, candidate)
  const [oldest] = candidates.keys()
  if (candidates.size > CHAIN_LIMITS.candidatesMax && oldest !== undefined) candidates.delete(oldest)
}

function refusalOf(check: () => unknown): { code: string; message: string } | undefined {
  try {
    check()
    return undefined
  } catch (error) {
    if (!(error instanceof BlockError)) throw error
    return { code: error.code, message: error.message }
  }
}

function applyFinalized(chain: OpenChain, block: Block, commit: Commit): void {
  const { networkId, place, ports } = chain
  checkHeader(block.header, place.parent, place)
  const hash = blockHash(networkId, block.header)
  verifyCommit({ networkId, set: place.set, commit, blockHash: hash, height: place.height }, ports.accepts)
  candidateOf(chain, block, { isCommitted: true })
  advance(chain, block, commit)
}

/** Makes a block that is valid here the latest. A block that is not, is a bug of who calls. */
function advance(chain: OpenChain, block: Block, commit: Commit): void {
  const { networkId, power, state, ports } = chain
  const { height, timeMs } = block.header
  const hash = blockHash(networkId, block.header)
  assert(commit.blockHash === hash && commit.height === height, 'the commit is for the block')
  const { changes, tree, transactions } = candidateOf(chain, block)
  state.merge(changes)
  chain.candidates.clear()
  chain.header = block.header
  chain.place = placeOn({ height, hash, timeMs }, { networkId, state, tree, power })
  chain.head = headOf(chain.place, commit)
  const nextValidators = chain.place.set
  chain.applied.push({ height, hash, block, commit, transactions, tree, nextValidators, stateChanges: changes })
  if (chain.applied.length > CHAIN_LIMITS.appliedBlocksKept) chain.applied.shift()
  chain.mempool.advance(poolHead(chain.place, ports), accountsIn(changes))
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

/** Who gets the tips makes no difference to whether a transaction can be applied. */
function poolHead(place: Place, { accepts }: ChainPorts): PoolHead {
  const proposer = place.set.members[0]!.id
  return { state: place.state, context: contextAt(place, { proposer, accepts }) }
}

function* accountsIn(changes: StateChanges): Iterable<AccountId> {
  for (const [key] of changes) if (tableOf(key) === TABLE.account) yield accountInKey(key, 0)
}
