/**
 * Whether a block is valid at its place: the ordered checks, each refusal a code, the cheapest first, so that a bad block costs
 * little. What needs headers only is separate, for who follows headers. Does not ask when the block came: that is for who votes.
 * Spec: docs/spec/chain.md §4.
 * @module
 */
import type { Hash } from '../../base/brand.ts'
import { CHAIN_LIMITS } from '../../base/chain-limits.ts'
import { HouseError, messageOf } from '../../base/error.ts'
import { finish, type Steps } from '../../base/steps.ts'
import { type BlsSigned, blsVerify } from '../bls.ts'
import type { ValidatorSet } from '../consensus/validator-set.ts'
import type { FastAcceptance } from '../ed25519.ts'
import { checkSignature, type OpenTransaction, openTransaction } from '../transaction/check.ts'
import { decodeTransaction, type Transaction } from '../transaction/transaction.ts'
import { type Block, commitHash, encodeBlock, type Header } from './block.ts'
import { contextAt, type Execution, executeBlock } from './execute.ts'
import type { Parent, Place } from './place.ts'
import { seedInput } from './seed.ts'
import { transactionsRoot } from './transactions-root.ts'
import { verifyCommit } from './verify-commit.ts'

/** Whether a seed signature is its key's; `blsVerify`, unless a simulation has signatures without curves. */
export type SeedVerifier = (signed: BlsSigned) => boolean

/** In the order of the checks. */
export type BlockCode =
  | 'BLOCK_TOO_LARGE'
  | 'BLOCK_WRONG_HEIGHT'
  | 'BLOCK_WRONG_PARENT'
  | 'BLOCK_TIME_NOT_LATER'
  | 'BLOCK_WRONG_VALIDATORS'
  | 'BLOCK_WRONG_NEXT_VALIDATORS'
  | 'BLOCK_WRONG_BASE_FEE'
  | 'BLOCK_TOO_MANY_UNITS'
  | 'BLOCK_WRONG_LAST_COMMIT'
  | 'BLOCK_BAD_LAST_COMMIT'
  | 'BLOCK_WRONG_PROPOSER'
  | 'BLOCK_BAD_SEED_SIGNATURE'
  | 'BLOCK_BAD_TRANSACTION'
  | 'BLOCK_WRONG_TRANSACTIONS'
  | 'BLOCK_WRONG_UNITS'
  | 'BLOCK_WRONG_STATE'

/** Why a block is refused; `cause` says more where a part of it was. */
export class BlockError extends HouseError<BlockCode> {}

export interface BlockChecks {
  readonly accepts?: FastAcceptance | undefined
  readonly seedVerifier?: SeedVerifier | undefined
  /**
   * Whether this node has checked the signature of the transaction with this id before. An id covers the signature, so that
   * what was valid under an id stays valid.
   */
  readonly isSignatureKnown?: (id: Hash) => boolean
  /**
   * More than ⅔ of the stake has committed this block. The seed signature is then not checked again, which is the dearest check
   * of a block with few transactions: among those who committed it are honest ones who checked it, and a wrong one could bend who
   * proposes but never what is final. Everything that money hangs on is checked all the same.
   */
  readonly isCommitted?: boolean
}

/** What headers alone show. `sets` of the block's height and the next. @throws BlockError. */
export function checkHeader(
  header: Header,
  parent: Parent,
  sets: { readonly set: Pick<ValidatorSet, 'hash'>; readonly nextSet: Pick<ValidatorSet, 'hash'> | undefined },
): void {
  const { height, parentHash, timeMs, validatorsHash, nextValidatorsHash } = header
  if (height !== parent.height + 1) {
    throw refusal('BLOCK_WRONG_HEIGHT', `The block has height ${height} and must have ${parent.height + 1}.`)
  }
  if (parentHash !== parent.hash) {
    throw refusal('BLOCK_WRONG_PARENT', `Block ${height} stands on another block than the one that is final here.`)
  }
  if (timeMs <= parent.timeMs) {
    throw refusal('BLOCK_TIME_NOT_LATER', `The time of block ${height} is not later than its parent's.`)
  }
  if (validatorsHash !== sets.set.hash) {
    throw refusal('BLOCK_WRONG_VALIDATORS', `Block ${height} names other validators than those of its height.`)
  }
  if (sets.nextSet !== undefined && nextValidatorsHash !== sets.nextSet.hash) {
    throw refusal('BLOCK_WRONG_NEXT_VALIDATORS', `Block ${height} names other validators for the next height.`)
  }
}

/** Whether the block holds the commit and the transactions that its header names. */
export function* isWholeInSteps({ header, lastCommit, transactions }: Block): Steps<boolean> {
  if (header.lastCommitHash !== commitHash(lastCommit)) return false
  try {
    const ids: Hash[] = []
    for (const bytes of transactions) {
      ids.push(decodeTransaction(bytes).id)
      yield
    }
    return transactionsRoot(ids) === header.transactionsRoot
  } catch (error) {
    if (error instanceof HouseError) return false
    throw error
  }
}

/** All checks. The result is what the block does. @throws BlockError with the first code that applies. */
export function checkBlock(block: Block, place: Place, checks: BlockChecks): Execution {
  return finish(checkBlockInSteps(block, place, checks))
}

/** The same in steps. The state of the place must stay as it is until the last one. @throws BlockError. */
export function* checkBlockInSteps(block: Block, place: Place, checks: BlockChecks): Steps<Execution> {
  const { header, lastCommit } = block
  checkSize(block)
  checkHeader(header, place.parent, place)
  checkPrices(header, place)
  checkLastCommit(block, place, checks)
  checkProposer(header, place, checks)
  yield
  const transactions = yield* openAll(block, place)
  const { accepts } = checks
  const executor = executeBlock(place, { lastCommit, proposer: header.proposer, accepts })
  for (const [index, open] of transactions.entries()) {
    refuseAs(transactionRefusal(index), () => {
      if (!checks.isSignatureKnown?.(open.transaction.id)) {
        checkSignature(open.transaction, { networkId: place.networkId, accepts })
      }
      executor.run(open)
    })
    yield
  }
  const execution = yield* executor.finish(header.seedSignature)
  if (execution.stateRoot !== header.stateRoot) {
    throw refusal('BLOCK_WRONG_STATE', `The state after block ${header.height} is not the one that it names.`, {
      found: header.stateRoot,
      expected: execution.stateRoot,
    })
  }
  return execution
}

function checkSize(block: Block): void {
  const bytes = encodeBlock(block).length
  if (bytes <= CHAIN_LIMITS.blockBytesMax) return
  throw refusal('BLOCK_TOO_LARGE', `The block has ${bytes} bytes and may have ${CHAIN_LIMITS.blockBytesMax}.`)
}

function checkPrices({ height, baseFee, units }: Header, place: Place): void {
  if (baseFee !== place.baseFee) {
    throw refusal('BLOCK_WRONG_BASE_FEE', `The base fee of block ${height} must be ${place.baseFee}.`)
  }
  if (BigInt(units) > place.parameters.blockUnitsMax) {
    const sentence = `Block ${height} takes ${units} units and may take ${place.parameters.blockUnitsMax}.`
    throw refusal('BLOCK_TOO_MANY_UNITS', sentence)
  }
}

function checkLastCommit({ header, lastCommit }: Block, place: Place, { accepts }: BlockChecks): void {
  const { networkId, parent, lastSet } = place
  if (header.lastCommitHash !== commitHash(lastCommit)) {
    throw refusal('BLOCK_WRONG_LAST_COMMIT', `Block ${header.height} holds another commit than its header names.`)
  }
  if ((lastCommit === undefined) !== (lastSet === undefined)) {
    const sentence = lastSet ? `Block ${header.height} lacks the commit of its parent.` : 'Block 1 can have no commit.'
    throw refusal('BLOCK_BAD_LAST_COMMIT', sentence)
  }
  if (lastCommit === undefined || lastSet === undefined) return
  const committed = { networkId, set: lastSet, blockHash: parent.hash, height: parent.height }
  refuseAs({ code: 'BLOCK_BAD_LAST_COMMIT', subject: 'The commit of the parent' }, () =>
    verifyCommit({ ...committed, commit: lastCommit }, accepts),
  )
}

function checkProposer(header: Header, place: Place, { isCommitted, seedVerifier = blsVerify }: BlockChecks): void {
  const { height, round, proposer, seedSignature } = header
  const member = place.set.members[place.proposerOf(round)]
  if (member?.id !== proposer) {
    throw refusal('BLOCK_WRONG_PROPOSER', `Block ${height} is by another validator than round ${round} has drawn.`)
  }
  if (isCommitted) return
  const message = seedInput(place.networkId, height, place.seed)
  if (seedVerifier({ signature: seedSignature, message, publicKey: member.seedKey })) return
  throw refusal('BLOCK_BAD_SEED_SIGNATURE', `The seed signature of block ${height} is not its proposer's.`)
}

/** Decodes, and compares what the header says of the transactions with what they are. */
function* openAll({ header, transactions }: Block, place: Place): Steps<OpenTransaction[]> {
  const decoded: Transaction[] = []
  for (const [index, bytes] of transactions.entries()) {
    decoded.push(refuseAs(transactionRefusal(index), () => decodeTransaction(bytes)))
    yield
  }
  if (transactionsRoot(decoded.map(({ id }) => id)) !== header.transactionsRoot) {
    throw refusal('BLOCK_WRONG_TRANSACTIONS', `Block ${header.height} holds other transactions than its header names.`)
  }
  const context = contextAt(place, { proposer: header.proposer, accepts: undefined })
  const opened: OpenTransaction[] = []
  for (const [index, transaction] of decoded.entries()) {
    opened.push(refuseAs(transactionRefusal(index), () => openTransaction(transaction, context)))
    yield
  }
  const units = opened.reduce((sum, open) => sum + open.units, 0)
  if (units === header.units) return opened
  throw refusal('BLOCK_WRONG_UNITS', `The transactions of block ${header.height} take ${units} units.`)
}

interface PartRefusal {
  readonly code: BlockCode
  readonly subject: string
  readonly index?: number
}

function transactionRefusal(index: number): PartRefusal {
  return { code: 'BLOCK_BAD_TRANSACTION', subject: `Transaction ${index + 1} of the block`, index }
}

/** A refusal of a part of the block becomes one of the block; bugs stay what they are. */
function refuseAs<Value>({ code, subject, index }: PartRefusal, check: () => Value): Value {
  try {
    return check()
  } catch (cause) {
    if (!(cause instanceof HouseError)) throw cause
    const details = { ...cause.details, cause: cause.code, index }
    throw new BlockError(code, `${subject} is not valid: ${messageOf(cause)}`, { details, cause })
  }
}

function refusal(code: BlockCode, sentence: string, details: Readonly<Record<string, string>> = {}): BlockError {
  return new BlockError(code, sentence, { details })
}
