/**
 * The light client: follows headers by the stake that signed them, holds the newest that it trusts, and believes nothing else. Asks
 * nobody; who uses it brings headers, and learns which height to bring next or who lied. Spec: docs/spec/light-client.md.
 * @module
 */
import { assert } from '../base/assert.ts'
import type { AccountId, Hash, Milliseconds } from '../base/brand.ts'
import { HouseError, messageOf } from '../base/error.ts'
import { blockHash, type Commit, type Header } from './block/block.ts'
import { BlockError, checkHeader } from './block/validate.ts'
import { CommitError, stakeInCommit, verifyCommit } from './block/verify-commit.ts'
import { hasHonest, type ValidatorSet } from './consensus/validator-set.ts'
import type { FastAcceptance } from './ed25519.ts'

export class LightError extends HouseError<
  /** The trusted header is older than the trusting period: only a fresh checkpoint helps. */
  | 'LIGHT_TRUST_EXPIRED'
  | 'LIGHT_WRONG_CHECKPOINT'
  /** Below what is trusted already. */
  | 'LIGHT_TOO_OLD'
  | 'LIGHT_FROM_FUTURE'
  /** The set is not the one that the header names. */
  | 'LIGHT_WRONG_SET'
  /** Does not follow from the trusted header as the next height must, or its time is not later. */
  | 'LIGHT_NOT_NEXT'
  | 'LIGHT_BAD_COMMIT'
> {}

/** A header with what proves it: who voted on it, and their votes. */
export interface LightBlock {
  readonly header: Header
  /** Of the header's height. */
  readonly set: ValidatorSet
  readonly commit: Commit
}

/** What is trusted: a light block, or the genesis block or a checkpoint, which nobody had to sign. */
export interface Trusted {
  readonly header: Header
  readonly hash: Hash
  readonly set: ValidatorSet
  readonly commit: Commit | undefined
}

/** Two final blocks of one height: more than a third of the stake broke the rules. */
export interface Fork {
  readonly trusted: Trusted
  readonly other: LightBlock
  /** Who signed both, by the same consensus key. */
  readonly signers: readonly AccountId[]
  /** Both commits are of one round: each signer's two precommits are evidence of a double sign as they are. */
  readonly isDoubleSign: boolean
}

export type LightResult =
  /** The block is what is trusted now. */
  | { readonly type: 'trusted' }
  /** It was trusted already. */
  | { readonly type: 'known' }
  /** Too few of the trusted validators signed it to jump so far. Bring this height first, then it again. */
  | { readonly type: 'needs'; readonly height: number }
  /** Trust nothing any more; a person has to look. */
  | { readonly type: 'fork'; readonly fork: Fork }

export interface LightOptions {
  readonly networkId: Hash
  /** How long after its time a header is trusted: ⅔ of the time that unbonding takes. */
  readonly trustingPeriodMs: Milliseconds
  /** How much the clocks of validators may be ahead of ours. */
  readonly clockSkewMs: Milliseconds
  readonly accepts?: FastAcceptance | undefined
}

export interface LightClient {
  readonly trusted: Trusted
  /** @throws LightError: the block is not to be believed, and who sent it lies or is mistaken. Nothing changes then. */
  verify(block: LightBlock, nowMs: Milliseconds): LightResult
}

/** Begins with a trusted header: see `trustGenesis`, `trustCheckpoint`, and light-client-codec.ts for one that was kept. */
export function createLightClient(begin: Trusted, options: LightOptions): LightClient {
  let trusted = begin
  return {
    get trusted() {
      return trusted
    },
    verify(block, nowMs) {
      const result = verifyOn(trusted, block, { ...options, nowMs })
      if (result.type === 'trusted') trusted = trustedOf(block, options.networkId)
      return result
    },
  }
}

/** `header` and `set` of height 0, made from the genesis file. */
export function trustGenesis(networkId: Hash, header: Header, set: ValidatorSet): Trusted {
  assert(header.height === 0 && header.validatorsHash === set.hash, 'the genesis block was made here')
  return { header, set, hash: blockHash(networkId, header), commit: undefined }
}

/** Whether a block is the one that a person said to trust. @throws LightError LIGHT_WRONG_CHECKPOINT, LIGHT_WRONG_SET. */
export function trustCheckpoint(
  checkpoint: { readonly networkId: Hash; readonly height: number; readonly hash: Hash },
  { header, set, commit }: LightBlock,
): Trusted {
  const hash = blockHash(checkpoint.networkId, header)
  if (header.height !== checkpoint.height || hash !== checkpoint.hash) {
    const sentence = `The block that came is not the checkpoint. Compare its height and hash with a source that you trust.`
    const details = { height: header.height, expectedHeight: checkpoint.height, hash, expectedHash: checkpoint.hash }
    throw new LightError('LIGHT_WRONG_CHECKPOINT', sentence, { details })
  }
  checkSet(header, set)
  return { header, hash, set, commit: commit.blockHash === hash ? commit : undefined }
}

/**
 * Leads the client to `target`: yields the heights that it needs on the way and is given their blocks. At most as many as
 * there are heights between, a few in practice. @throws LightError.
 */
export function* followTo(
  client: LightClient,
  target: LightBlock,
  nowMs: Milliseconds,
): Generator<number, Exclude<LightResult, { type: 'needs' }>, LightBlock> {
  const waiting = [target]
  for (;;) {
    const block = waiting.at(-1)
    assert(block !== undefined, 'the target is the last to be verified')
    if (waiting.length > 1 && block.header.height < client.trusted.header.height) {
      // Somebody else led the client past it meanwhile.
      waiting.pop()
      continue
    }
    const result = client.verify(block, nowMs)
    if (result.type === 'needs') {
      const between = yield result.height
      if (between.header.height !== result.height) {
        const sentence = `Height ${result.height} was asked for and ${between.header.height} came.`
        throw new LightError('LIGHT_NOT_NEXT', sentence)
      }
      waiting.push(between)
    } else if (result.type === 'fork' || waiting.length === 1) {
      return result
    } else {
      waiting.pop()
    }
  }
}

interface Verifying extends LightOptions {
  readonly nowMs: Milliseconds
}

/** From the cheapest check to the dearest: signatures come last. */
function verifyOn(trusted: Trusted, block: LightBlock, verifying: Verifying): LightResult {
  const { header, set } = block
  const { height } = trusted.header
  if (blockHash(verifying.networkId, header) === trusted.hash) return { type: 'known' }
  checkTimes(trusted.header, header, verifying)
  checkSet(header, set)
  if (header.height < height) {
    throw new LightError('LIGHT_TOO_OLD', `Height ${header.height} is below ${height}, which is trusted already.`)
  }
  if (header.height === height + 1) checkNext(trusted, header)
  if (header.height > height && header.timeMs <= trusted.header.timeMs) {
    throw new LightError('LIGHT_NOT_NEXT', `Block ${header.height} is not later than block ${height} before it.`)
  }
  if (header.height > height + 1 && !isVouchedFor(trusted, block)) {
    return { type: 'needs', height: height + Math.floor((header.height - height) / 2) }
  }
  checkCommit(block, verifying)
  if (header.height > height) return { type: 'trusted' }
  return conflict(trusted, block)
}

function checkTimes(trusted: Header, header: Header, { nowMs, trustingPeriodMs, clockSkewMs }: Verifying): void {
  if (trusted.timeMs + trustingPeriodMs < nowMs) {
    const sentence =
      'What this light client trusts is too old: validators of that time may have withdrawn their stake. Give a fresh checkpoint.'
    throw new LightError('LIGHT_TRUST_EXPIRED', sentence, { details: { height: trusted.height } })
  }
  if (header.timeMs > nowMs + clockSkewMs) {
    const sentence = `Block ${header.height} is dated ${header.timeMs - nowMs} ms ahead of this clock. Check the clock, or ask another node.`
    throw new LightError('LIGHT_FROM_FUTURE', sentence)
  }
}

function checkSet(header: Header, set: ValidatorSet): void {
  if (set.hash === header.validatorsHash) return
  throw new LightError('LIGHT_WRONG_SET', `The validators that came with block ${header.height} are not its own.`)
}

function checkNext(trusted: Trusted, header: Header): void {
  const { height, timeMs, nextValidatorsHash } = trusted.header
  try {
    const sets = { set: { hash: nextValidatorsHash }, nextSet: undefined }
    checkHeader(header, { height, hash: trusted.hash, timeMs }, sets)
  } catch (cause) {
    if (!(cause instanceof BlockError)) throw cause
    const options = { details: { cause: cause.code }, cause }
    throw new LightError('LIGHT_NOT_NEXT', `Block ${header.height} cannot follow: ${messageOf(cause)}`, options)
  }
}

/** Whether more than ⅓ of the trusted stake signed it; the signatures are checked afterwards. */
function isVouchedFor(trusted: Trusted, { set, commit }: LightBlock): boolean {
  if (commit.signatures.length !== set.members.length) return false
  return hasHonest(trusted.set, stakeInCommit(trusted.set, set, commit))
}

function checkCommit({ header, set, commit }: LightBlock, { networkId, accepts }: Verifying): void {
  const { height } = header
  try {
    verifyCommit({ networkId, set, commit, height, blockHash: blockHash(networkId, header) }, accepts)
  } catch (cause) {
    if (!(cause instanceof CommitError)) throw cause
    const options = { details: { ...cause.details, cause: cause.code }, cause }
    throw new LightError('LIGHT_BAD_COMMIT', `Block ${height} is not final: ${messageOf(cause)}`, options)
  }
}

/**
 * Another block of the trusted height with a commit of its own set. It counts as a fork only if the trusted validators are
 * among the signers: anybody can make up a set that signs anything.
 */
function conflict(trusted: Trusted, other: LightBlock): LightResult {
  if (!isVouchedFor(trusted, other)) {
    const sentence = `Another block ${other.header.height} is trusted, and too few of its validators signed this one.`
    throw new LightError('LIGHT_BAD_COMMIT', sentence, { details: { cause: 'COMMIT_TOO_LITTLE_STAKE' } })
  }
  const signers = signersOfBoth(trusted, other)
  const isDoubleSign = trusted.commit !== undefined && trusted.commit.round === other.commit.round
  return { type: 'fork', fork: { trusted, other, signers, isDoubleSign } }
}

function signersOfBoth({ set, commit }: Trusted, other: LightBlock): AccountId[] {
  if (commit === undefined) return []
  const one = (id: AccountId): ValidatorSet => {
    const members = set.members.filter((member) => member.id === id)
    return { ...set, members }
  }
  const signed = set.members.filter((_, at) => commit.signatures[at] !== undefined)
  return signed.map(({ id }) => id).filter((id) => stakeInCommit(one(id), other.set, other.commit) > 0n)
}

function trustedOf({ header, set, commit }: LightBlock, networkId: Hash): Trusted {
  return { header, set, commit, hash: blockHash(networkId, header) }
}
