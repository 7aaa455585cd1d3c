/**
 * A small chain behind the `Ledger` port, and a signature scheme without mathematics: consensus is about votes, and without
 * execution and elliptic curves many thousand scenarios fit into a second. Members, blocks and hashes are of the real types.
 * @module
 */
import { type AccountId, accountId, type Hash, hash, type Milliseconds, milliseconds } from '../../src/base/brand.ts'
import type { Block, Commit, Header } from '../../src/core/block/block.ts'
import type { Head, Ledger, Refusal, Timing } from '../../src/core/consensus/ledger.ts'
import type { Signer, VerifySignature } from '../../src/core/consensus/replica-port.ts'
import { type Member, type ValidatorSet, validatorSet } from '../../src/core/consensus/validator-set.ts'
import { ZERO_HASH } from '../../src/core/fields.ts'

export const NETWORK_ID: Hash = hash('ab'.repeat(32))
export const GENESIS_HASH: Hash = hash('cd'.repeat(32))
export const TIMING: Timing = { proposeMs: 3_000, voteMs: 1_000, roundMs: 500, commitMs: 1_000, clockSkewMs: 2_000 }
export const START_MS: Milliseconds = milliseconds(1_800_000_000_000)
/** A transaction that makes its block invalid. */
export const BAD_TRANSACTION: Uint8Array = Uint8Array.of(0xba, 0xd0)

/** Members in the order of their index, with these stakes. */
export function members(stakes: readonly bigint[]): Member[] {
  return stakes.map((stake, index) => ({
    id: idOf(index),
    consensusKey: keyOf(index),
    seedKey: new Uint8Array(48),
    stake,
  }))
}

export function setOf(stakes: readonly bigint[]): ValidatorSet {
  return validatorSet(members(stakes))
}

export function idOf(index: number): AccountId {
  return accountId((index + 1).toString(16).padStart(40, '0'))
}

/** The public key of a member, which in this scheme is the secret one as well. */
export function keyOf(index: number): Uint8Array {
  return new Uint8Array(32).fill(index + 1)
}

/** A signature is the key followed by the digest. */
export function signerOf(index: number): Signer {
  const publicKey = keyOf(index)
  return {
    publicKey,
    sign: (digest) => {
      const signature = new Uint8Array(64)
      signature.set(publicKey)
      signature.set(digest, 32)
      return signature
    },
  }
}

export const verifySmall: VerifySignature = ({ signature, message, publicKey }) => {
  if (signature.length !== 64 || message.length !== 32) return false
  for (let at = 0; at < 32; at++) {
    if (signature[at] !== publicKey[at] || signature[32 + at] !== message[at]) return false
  }
  return true
}

export interface SmallLedgerOptions {
  readonly validators: ValidatorSet
  /** Index of the proposer of a height and round. */
  readonly proposer: (height: number, round: number) => number
  readonly timing?: Timing | undefined
  /** Put into every block that this ledger makes, so that two users of one key make different blocks. */
  readonly mark?: Uint8Array | undefined
}

export interface SmallLedger extends Ledger {
  /** Final blocks, from height 1. */
  readonly chain: readonly { readonly block: Block; readonly commit: Commit; readonly hash: Hash }[]
}

export function createSmallLedger(options: SmallLedgerOptions): SmallLedger {
  const { validators, proposer, timing = TIMING, mark } = options
  const chain: { block: Block; commit: Commit; hash: Hash }[] = []
  let head: Head = { height: 0, hash: GENESIS_HASH, timeMs: START_MS, commit: undefined, validators, timing }
  const hashes = new WeakMap<Block, Hash>()

  function hashOf(block: Block): Hash {
    const known = hashes.get(block)
    if (known !== undefined) return known
    const made = smallHash(block.header)
    hashes.set(block, made)
    return made
  }

  function check({ header, transactions }: Block): Refusal | undefined {
    if (header.height !== head.height + 1) return refusal('BLOCK_WRONG_HEIGHT')
    if (header.parentHash !== head.hash) return refusal('BLOCK_WRONG_PARENT')
    if (header.timeMs <= head.timeMs) return refusal('BLOCK_TIME_NOT_AFTER_PARENT')
    if (header.proposer !== idOf(proposer(header.height, header.round))) return refusal('BLOCK_WRONG_PROPOSER')
    if (transactions.some((bytes) => isBad(bytes))) return refusal('BLOCK_BAD_TRANSACTION')
    return undefined
  }

  return {
    chain,
    head: () => head,
    proposer: (round) => proposer(head.height + 1, round),
    propose: ({ round, timeMs, lastCommit }) => {
      const transactions = mark === undefined ? [] : [mark]
      const header = headerOf({ head, round, timeMs, proposer: idOf(proposer(head.height + 1, round)) })
      return { header: { ...header, transactionsRoot: rootOf(transactions) }, lastCommit, transactions }
    },
    check,
    isWhole: ({ header, transactions }) => header.transactionsRoot === rootOf(transactions),
    hashOf,
    apply: (block, commit) => {
      const blockHash = hashOf(block)
      chain.push({ block, commit, hash: blockHash })
      const { height, timeMs } = block.header
      head = { height, hash: blockHash, timeMs, commit, validators, timing }
    },
  }
}

/** Header of a block on a head, for tests that make blocks themselves. */
export function headerOf(of: { head: Head; round: number; timeMs: Milliseconds; proposer: AccountId }): Header {
  const { head, round, timeMs, proposer } = of
  return {
    height: head.height + 1,
    round,
    timeMs,
    proposer,
    parentHash: head.hash,
    lastCommitHash: ZERO_HASH,
    transactionsRoot: ZERO_HASH,
    stateRoot: ZERO_HASH,
    validatorsHash: head.validators.hash,
    nextValidatorsHash: head.validators.hash,
    seedSignature: NO_SEED,
    baseFee: 1n,
    units: 0,
  }
}

const NO_SEED = new Uint8Array(96)

/** The transactions themselves, as far as they fit: these blocks have at most two short ones. */
export function rootOf(transactions: readonly Uint8Array[]): Hash {
  if (transactions.length === 0) return ZERO_HASH
  const digits = transactions.map((bytes) =>
    bytes.reduce((text, byte) => text + byte.toString(16).padStart(2, '0'), '1'),
  )
  return hash(digits.join('').slice(0, 64).padEnd(64, '0'))
}

/** Two different headers of these tests differ in one of these fields; equal texts are equal hashes. */
function smallHash({ height, round, timeMs, proposer, parentHash, transactionsRoot }: Header): Hash {
  const text = `${height}|${round}|${timeMs}|${proposer}|${parentHash}|${transactionsRoot}`
  let a = 0x811c9dc5
  let b = 0x1000193
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    a = Math.imul(a ^ code, 0x01000193) >>> 0
    b = Math.imul(b ^ (code + at), 0x85ebca6b) >>> 0
  }
  const part = a.toString(16).padStart(8, '0') + b.toString(16).padStart(8, '0')
  return hash(part.repeat(4))
}

function isBad(bytes: Uint8Array): boolean {
  return bytes.length === BAD_TRANSACTION.length && bytes.every((byte, at) => byte === BAD_TRANSACTION[at])
}

function refusal(code: string): Refusal {
  return { code, message: 'The small ledger says no.' }
}
