/**
 * One replica on a bench: the test is everybody else. Messages are made with the other members' keys, timers ring when the test
 * says so, and what the replica says is written down in words such as `prevote 0 X`.
 * @module
 */
import { type Hash, type Milliseconds, milliseconds, type PeerId, peerId } from '../../src/base/brand.ts'
import { type Block, encodeBlock } from '../../src/core/block/block.ts'
import {
  ballotDigest,
  type Proposal,
  proposalDigest,
  type Vote,
  type VoteType,
} from '../../src/core/consensus/messages.ts'
import { createReplica, type Replica } from '../../src/core/consensus/replica.ts'
import type { Effect, Input, Message, Recovered, SignRecord, TimerStep } from '../../src/core/consensus/replica-port.ts'
import { RULES, type Rules } from '../../src/core/consensus/rules/rules.ts'
import {
  createSmallLedger,
  headerOf,
  idOf,
  NETWORK_ID,
  rootOf,
  type SmallLedger,
  START_MS,
  setOf,
  signerOf,
  verifySmall,
} from './small-ledger.ts'

export interface BenchOptions {
  readonly rules?: Rules | undefined
  /** Grains by member; four equal ones. */
  readonly stakes?: readonly bigint[] | undefined
  /** Index of the replica on the bench, or -1 for one that only follows. */
  readonly self?: number | undefined
  readonly recovered?: Recovered | undefined
  readonly ledger?: SmallLedger | undefined
  readonly nowMs?: Milliseconds | undefined
}

export interface VoteOptions {
  readonly height?: number
  /** Who signs, if not the voter. */
  readonly by?: number
}

export const PEER: PeerId = peerId('peer')

export interface Bench {
  readonly replica: Replica
  readonly ledger: SmallLedger
  /** All effects since the start. */
  readonly effects: Effect[]
  /** Blocks by the letter that the test gave them. */
  readonly letters: Map<Hash, string>
  now(): Milliseconds
  pass(ms: number): void
  take(input: Input): Effect[]
  start(): Effect[]
  timer(step: TimerStep, round?: number): Effect[]
  /** A block of a round, named by a letter. */
  block(letter: string, round: number, change?: { timeMs?: number; bad?: boolean }): Block
  proposal(block: Block, round: number, options?: { validRound?: number; by?: number; height?: number }): Proposal
  propose(block: Block, round: number, options?: { validRound?: number; by?: number; height?: number }): Effect[]
  vote(type: VoteType, voter: number, round: number, block: Block | undefined, options?: VoteOptions): Vote
  /** Votes of several members, one after the other. */
  votes(type: VoteType, voters: readonly number[], round: number, block: Block | undefined, options?: VoteOptions): void
  /** What the replica said, such as `propose 1 X`, `prevote 0 X`, `precommit 0 nil`. */
  said(): string[]
  /** Letters of the blocks that became final here. */
  final(): string[]
  records(): SignRecord[]
  journal(): Uint8Array[]
  judged(): string[]
}

/** A replica at height 1, not started yet. The proposer of a round is the member `round mod members`. */
export function createBench(options: BenchOptions = {}): Bench {
  const { rules = RULES, stakes = [1n, 1n, 1n, 1n], self = 1, recovered } = options
  const validators = setOf(stakes)
  const proposer = (_height: number, round: number): number => round % stakes.length
  const ledger = options.ledger ?? createSmallLedger({ validators, proposer, mark: Uint8Array.of(0xff) })
  const signer = self < 0 ? undefined : signerOf(self)
  const replica = createReplica({ networkId: NETWORK_ID, recovered }, { ledger, verify: verifySmall, signer }, rules)
  const effects: Effect[] = []
  const letters = new Map<Hash, string>()
  let nowMs = options.nowMs ?? START_MS

  const take = (input: Input): Effect[] => {
    const made = replica.step(input)
    effects.push(...made)
    return made
  }
  const bench: Bench = {
    replica,
    ledger,
    effects,
    letters,
    now: () => nowMs,
    pass: (ms) => {
      nowMs = milliseconds(nowMs + ms)
    },
    take,
    start: () => take({ type: 'start', nowMs }),
    timer: (step, round = replica.snapshot().round) =>
      take({ type: 'timer', nowMs, height: replica.snapshot().height, round, step }),
    block: (letter, round, change = {}) => {
      const timeMs = milliseconds(change.timeMs ?? nowMs + 1)
      const transactions = [change.bad ? Uint8Array.of(0xba, 0xd0) : Uint8Array.of(letter.charCodeAt(0))]
      const header = headerOf({ head: ledger.head(), round, timeMs, proposer: idOf(round % stakes.length) })
      const block: Block = {
        header: { ...header, transactionsRoot: rootOf(transactions) },
        lastCommit: undefined,
        transactions,
      }
      letters.set(ledger.hashOf(block), letter)
      return block
    },
    proposal: (block, round, { validRound, by = round % stakes.length, height = 1 } = {}) => {
      const unsigned = { height, round, validRound, blockHash: ledger.hashOf(block) }
      const signature = signerOf(by).sign(proposalDigest(NETWORK_ID, unsigned))
      return { ...unsigned, block: encodeBlock(block), signature }
    },
    propose: (block, round, proposed) =>
      take({ type: 'proposal', nowMs, from: PEER, proposal: bench.proposal(block, round, proposed) }),
    vote: (type, voter, round, block, { height = 1, by = voter } = {}) => {
      const ballot = { type, height, round, blockHash: block === undefined ? undefined : ledger.hashOf(block) }
      return { ...ballot, voter, signature: signerOf(by).sign(ballotDigest(NETWORK_ID, ballot)) }
    },
    votes: (type, voters, round, block, voted) => {
      for (const voter of voters) {
        take({ type: 'vote', nowMs, from: PEER, vote: bench.vote(type, voter, round, block, voted) })
      }
    },
    said: () => effects.flatMap((effect) => (effect.type === 'publish' ? [inWords(effect.message, letters)] : [])),
    final: () => ledger.chain.map(({ hash }) => letters.get(hash) ?? '?'),
    records: () => effects.flatMap((effect) => (effect.type === 'sign-state' ? [effect.record] : [])),
    journal: () => effects.flatMap((effect) => (effect.type === 'journal' ? [effect.entry] : [])),
    judged: () => effects.flatMap((effect) => (effect.type === 'judge' ? [effect.code] : [])),
  }
  return bench
}

/** A bench whose replica stands in `propose` of round 0. */
export function startedBench(options: BenchOptions = {}): Bench {
  const bench = createBench(options)
  bench.start()
  bench.timer('commit')
  return bench
}

function inWords(message: Message, letters: ReadonlyMap<Hash, string>): string {
  const { blockHash, round } = message.type === 'vote' ? message.vote : message.proposal
  const name = blockHash === undefined ? 'nil' : (letters.get(blockHash) ?? '?')
  return `${message.type === 'vote' ? message.vote.type : 'propose'} ${round} ${name}`
}
