/**
 * What random schedules are made of, and what must hold in them at every moment: final blocks are the same everywhere and have
 * true commits, and no honest key says two things in one place.
 * @module
 */
import type { Hash } from '../../src/base/brand.ts'
import type { Block, Commit } from '../../src/core/block/block.ts'
import { ballotDigest } from '../../src/core/consensus/messages.ts'
import type { Replica } from '../../src/core/consensus/replica.ts'
import type { Message, SignRecord } from '../../src/core/consensus/replica-port.ts'
import type { Rules } from '../../src/core/consensus/rules/rules.ts'
import { isQuorum } from '../../src/core/consensus/validator-set.ts'
import type { EventQueue } from './event-queue.ts'
import { keyOf, NETWORK_ID, type SmallLedger, verifySmall } from './small-ledger.ts'

export interface Schedule {
  readonly seed: number
  readonly stakes: readonly bigint[]
  /** Validator that runs twice, with less than a third of the stake. */
  readonly twinned?: number | undefined
  /** When the network becomes calm, after the start. */
  readonly calmMs: number
  /** Who may lose a whole journal at a crash; all others lose what was not synced. */
  readonly forgetful: readonly number[]
  /** How long a block takes to be made or looked at, at most; undefined: it is done at once. */
  readonly workMsMax?: number | undefined
  /** Heights that everybody must reach beyond the highest at that moment. */
  readonly heights: number
}

export interface ScheduleOutcome {
  readonly fault: string | undefined
  readonly height: number
  readonly crashes: number
  readonly evidence: number
  readonly lateMs: number
}

export interface Node {
  readonly validator: number
  readonly isHonest: boolean
  readonly mark: Uint8Array
  readonly skewMs: number
  replica: Replica | undefined
  ledger: SmallLedger
  /** On disk. */
  readonly chain: { block: Block; commit: Commit }[]
  journal: Uint8Array[]
  syncedEntries: number
  record: SignRecord | undefined
  /** Crashes when so many effects are carried out. */
  fuse: number
  /** Events of an earlier life are not for this one. */
  life: number
}

export interface World {
  readonly schedule: Schedule
  readonly rules: Rules
  readonly nodes: readonly Node[]
  readonly events: EventQueue
  readonly chance: () => number
  readonly said: Map<string, Hash | undefined>
  readonly decided: Hash[]
  /** By node: its side of the present partition. */
  sides: number[]
  fault: string | undefined
  crashes: number
  evidence: number
}

export function checkFinal(
  world: World,
  { ledger, isHonest }: Node,
  { block, commit }: { block: Block; commit: Commit },
): void {
  if (!isHonest) return
  const { height } = block.header
  const hash = ledger.hashOf(block)
  const known = world.decided[height - 1]
  if (known === undefined) world.decided[height - 1] = hash
  else if (known !== hash) fail(world, `two blocks are final at height ${height}`)
  const { validators } = ledger.head()
  const message = ballotDigest(NETWORK_ID, { type: 'precommit', height, round: commit.round, blockHash: hash })
  let stake = 0n
  for (const [voter, member] of validators.members.entries()) {
    const signature = commit.signatures[voter]
    if (signature === undefined) continue
    stake += member.stake
    if (!verifySmall({ signature, message, publicKey: keyOf(voter) }))
      fail(world, `a commit at ${height} has a false vote`)
  }
  if (!isQuorum(validators, stake)) fail(world, `a commit at height ${height} is no quorum`)
}

/** An honest key says one thing in one place, whatever happened to its machine. */
export function noteSaid(world: World, node: Node, message: Message): void {
  if (!node.isHonest) return
  const { height, round, blockHash } = message.type === 'vote' ? message.vote : message.proposal
  const step = message.type === 'vote' ? message.vote.type : 'propose'
  const key = `${node.validator}/${height}/${round}/${step}`
  if (world.said.has(key) && world.said.get(key) !== blockHash)
    fail(world, `validator ${node.validator} signed twice at ${key}`)
  world.said.set(key, blockHash)
}

export function fail(world: World, fault: string): void {
  world.fault ??= fault
}
