/**
 * One validator of two, the node as in production, with a disk, a store and a clock of the test; the other validator is the
 * test, which has its keys and says what it likes. The other one proposes in every round that matters here.
 */
import type { FullNode } from '../../src/app/node/node.ts'
import { TOPICS } from '../../src/app/node/topics.ts'
import type { Disk } from '../../src/app/store/disk.ts'
import type { KeyValueStore } from '../../src/app/store/key-value.ts'
import { milliseconds, type PeerId, peerId } from '../../src/base/brand.ts'
import type { Block } from '../../src/core/block/block.ts'
import { encodeBlock } from '../../src/core/block/block.ts'
import { type Chain, createChain, genesisStart } from '../../src/core/chain.ts'
import {
  ballotDigest,
  decodeProposal,
  decodeVote,
  encodeProposal,
  encodeVote,
  type Proposal,
  proposalDigest,
  type Vote,
  type VoteType,
} from '../../src/core/consensus/messages.ts'
import { sign } from '../../src/core/ed25519.ts'
import type { Genesis } from '../../src/core/genesis.ts'
import { INITIAL_PARAMETERS } from '../../src/core/parameters.ts'
import type { NewsHandler, Topic, Wire } from '../../src/net/wire.ts'
import { DLLM, genesisValidator, person } from '../chain-accounts.ts'
import { createFakeClock, type FakeClock } from '../fake-clock.ts'
import { networkOf, QUICK_SEEDS, quickSign, startMemoryNode, validatorKeys } from './node-world.ts'
import { createSignatureWitness, type SignatureWitness } from './signature-witness.ts'

const ROUNDS_OF_OTHER = 3
const WAIT_MS = 1_000
const self = person(1)
const other = person(2)
const selfKeys = validatorKeys(self)
const otherKeys = validatorKeys(other)
const STRANGER: PeerId = peerId('12D3KooWother')

const validators = [genesisValidator(self, 'self', 100n * DLLM), genesisValidator(other, 'other', 100n * DLLM)].sort(
  (a, b) => (a.id < b.id ? -1 : 1),
)
export const OTHER_INDEX = validators.findIndex(({ id }) => id === other.id)
const wallMs = createFakeClock().wallMs()

function genesisCalled(name: string): Genesis {
  return {
    ...{ name, kind: 'local', timeMs: milliseconds(wallMs - 1_000), accounts: [], validators, models: [] },
    parameters: {
      ...INITIAL_PARAMETERS,
      ...{ proposeMs: BigInt(WAIT_MS), voteMs: BigInt(WAIT_MS), roundMs: 10n, commitMs: 10n, clockSkewMs: 600_000n },
    },
  }
}

/** The first network by name in whose first rounds the other one proposes. */
const genesis = ((): Genesis => {
  for (let number = 0; ; number++) {
    const candidate = genesisCalled(`net-${number}`)
    const chain = createChain(genesisStart(candidate))
    const proposers = Array.from({ length: ROUNDS_OF_OTHER }, (_, round) => chain.proposer(round))
    if (proposers.every((proposer) => proposer === OTHER_INDEX)) return candidate
  }
})()
export const { networkId } = networkOf(genesis)
/** Of the validator. */
export const selfKey: Uint8Array = self.consensus.publicKey

/** Everything that the validator signs, in all its lives. */
export function witnessOfSelf(): SignatureWitness {
  return createSignatureWitness(networkId, selfKeys.consensus.publicKey)
}

/** What the other validator says. */
export interface Other {
  readonly chain: Chain
  /** A valid block of a round; another `salt` makes another block. */
  block(round: number, salt: number): Block
  proposal(block: Block, round: number, validRound?: number): Proposal
  vote(type: VoteType, round: number, block: Block | undefined): Vote
}

export function createOther(): Other {
  const chain = createChain(genesisStart(genesis), {
    seedSigner: (message) => QUICK_SEEDS.sign(message, otherKeys),
    seedVerifier: QUICK_SEEDS.verify,
  })
  const { secretKey } = other.consensus
  return {
    chain,
    block: (round, salt) => chain.propose({ round, timeMs: milliseconds(wallMs + salt), lastCommit: undefined }),
    proposal(block, round, validRound) {
      const claim = { height: 1, round, validRound, blockHash: chain.hashOf(block) }
      return { ...claim, block: encodeBlock(block), signature: sign(proposalDigest(networkId, claim), secretKey) }
    },
    vote(type, round, block) {
      const ballot = { type, height: 1, round, blockHash: block && chain.hashOf(block) }
      return { ...ballot, voter: OTHER_INDEX, signature: sign(ballotDigest(networkId, ballot), secretKey) }
    },
  }
}

export interface Life {
  readonly node: FullNode
  readonly clock: FakeClock
  /** Resolves when the node is done with it. */
  hears(what: Proposal | Vote): Promise<void>
  /** Time passes until the wait of the present step is over. Something was heard before. */
  waits(): Promise<void>
}

export interface LifeParts {
  readonly disk: Disk
  readonly store: KeyValueStore
  readonly witness: SignatureWitness
  readonly isNewKey: boolean
}

/** @throws what `createNode` refuses with. */
export async function startLife({ witness, ...parts }: LifeParts): Promise<Life> {
  const clock = createFakeClock()
  const handlers = new Map<Topic, NewsHandler>()
  const wire = silentWire(handlers, (topic, bytes) => {
    if (topic === TOPICS.vote) witness.hear({ type: 'vote', vote: decodeVote(bytes) })
    if (topic === TOPICS.proposal) witness.hear({ type: 'proposal', proposal: decodeProposal(bytes) })
  })
  const node = await startMemoryNode({
    ...parts,
    genesis,
    keys: selfKeys,
    wire,
    seedScheme: QUICK_SEEDS,
    sign: quickSign,
    clock,
  })
  let last: (() => Promise<unknown>) | undefined
  return {
    node,
    clock,
    async hears(what) {
      const [topic, bytes] = 'voter' in what ? [TOPICS.vote, encodeVote(what)] : [TOPICS.proposal, encodeProposal(what)]
      last = async () => handlers.get(topic)!(bytes, STRANGER)
      await last()
    },
    async waits() {
      clock.advance(2 * WAIT_MS)
      // What is heard again changes nothing, and its turn comes after the timer's.
      await last?.()
    },
  }
}

/** Nobody is there: what comes in is given to the handlers by the test. */
function silentWire(handlers: Map<Topic, NewsHandler>, onPublish: (topic: Topic, bytes: Uint8Array) => void): Wire {
  const wire: Partial<Wire> = {
    ...{ peer: peerId('12D3KooWself'), addresses: () => [], connectedPeers: () => [], knownPeers: () => [] },
    handle: async () => undefined,
    subscribe: (topic, _options, handler) => void handlers.set(topic, handler),
    async publish(topic, message) {
      onPublish(topic, message)
      return 0
    },
    judge: () => undefined,
  }
  return wire as Wire
}
