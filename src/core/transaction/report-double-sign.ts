/**
 * Report-double-sign: two signatures of one consensus key that contradict each other. The validator never votes again, and a part
 * of what was bonded to it at the time is burnt. Spec: docs/spec/transactions.md §6.
 * @module
 */
import { bytesToHex } from '@noble/hashes/utils.js'
import type { AccountId, Hash } from '../../base/brand.ts'
import { CodecError, type Reader, type Writer } from '../../base/codec.ts'
import {
  type Ballot,
  ballotDigest,
  type ProposalClaim,
  proposalDigest,
  readBallot,
  readProposalClaim,
  writeBallot,
  writeProposalClaim,
} from '../consensus/messages.ts'
import { PUBLIC_KEY_BYTES, SIGNATURE_BYTES, verify } from '../ed25519.ts'
import { stakeSince } from '../epoch.ts'
import { ownerOfConsensusKey } from '../state/consensus-keys.ts'
import { punish } from '../state/slash.ts'
import type { ReadState } from '../state/state.ts'
import { getValidator } from '../state/validators.ts'
import type { Contract, ContractContext } from './contract.ts'
import { TransactionError } from './contract.ts'

/** What was signed, and the signature of 64 bytes. */
export type Signed<What> = What & { readonly signature: Uint8Array }

export type DoubleSign =
  | { readonly kind: 'votes'; readonly first: Signed<Ballot>; readonly second: Signed<Ballot> }
  | { readonly kind: 'proposals'; readonly first: Signed<ProposalClaim>; readonly second: Signed<ProposalClaim> }

/** Who signed is found by the key, so that nobody has to know the set of the height. */
export type ReportDoubleSign = DoubleSign & {
  /** Ed25519, 32 bytes. */
  readonly consensusKey: Uint8Array
}

/** A punishment walks through all bonds that a validator can have. */
export const REPORT_UNITS = 2_000

export const reportDoubleSign: Contract<ReportDoubleSign> = {
  type: 5,
  name: 'report-double-sign',
  read: readReport,
  write: writeReport,
  units: () => REPORT_UNITS,
  inspect: requireConflict,
  validate({ body }, state, context) {
    const { height } = body.first
    if (height > context.height) {
      throw new TransactionError(
        'EVIDENCE_FROM_FUTURE',
        'The signatures are for a block that is not made yet. Report later.',
      )
    }
    if (BigInt(height) + context.parameters.unbondingBlocks < BigInt(context.height)) {
      const sentence =
        'The signatures are older than the unbonding time: the stake behind them is free. Nothing can be done.'
      throw new TransactionError('EVIDENCE_TOO_OLD', sentence)
    }
    const validator = requireOwner(body, state)
    if (getValidator(state, validator)?.status !== 'active') {
      throw new TransactionError('ALREADY_PUNISHED', 'This validator is punished already. There is nothing to report.')
    }
  },
  prove({ body }, context) {
    requireSignatures(body, context)
  },
  apply({ sender, body, burntFee }, state, { height, parameters }) {
    const validator = requireOwner(body, state)
    const since = stakeSince(body.first.height, parameters)
    const slash = Number(parameters.doubleSignSlash)
    punish(state, {
      validator,
      evidence: { height: body.first.height, punishedHeight: height, since, slash },
      reporter: sender,
      // Not the tip: a reporter could write a large one, and share the slash with the proposer.
      refund: burntFee,
    })
  },
  describe: ({ kind, consensusKey, first, second }) => ({
    kind,
    consensusKey: bytesToHex(consensusKey),
    ...{ height: first.height, round: first.round },
    blockHashes: [first.blockHash ?? null, second.blockHash ?? null],
  }),
  touches: () => [],
}

function requireConflict(body: DoubleSign): void {
  const { first, second } = body
  // Nobody votes on the genesis block, and no epoch has it.
  const isSameStep =
    first.height > 0 &&
    first.height === second.height &&
    first.round === second.round &&
    (body.kind === 'proposals' || body.first.type === body.second.type)
  const isSameWord =
    first.blockHash === second.blockHash && (body.kind === 'votes' || body.first.validRound === body.second.validRound)
  if (isSameStep && !isSameWord) return
  const sentence = 'The two messages do not contradict each other: they must differ, for one height, round and type.'
  throw new TransactionError('NO_CONFLICT', sentence)
}

function requireOwner({ consensusKey }: ReportDoubleSign, state: ReadState): AccountId {
  const owner = ownerOfConsensusKey(state, consensusKey)
  if (owner !== undefined) return owner
  throw new TransactionError('UNKNOWN_CONSENSUS_KEY', 'No validator registered this consensus key. Check the key.')
}

function requireSignatures(
  body: ReportDoubleSign,
  { networkId, accepts }: Pick<ContractContext, 'networkId' | 'accepts'>,
): void {
  const { consensusKey: publicKey } = body
  for (const { message, signature } of digestsOf(body, networkId)) {
    if (verify({ message, signature, publicKey }, accepts)) continue
    const sentence = 'A signature in the evidence is not valid for this key and network. Report what was really signed.'
    throw new TransactionError('BAD_EVIDENCE_SIGNATURE', sentence)
  }
}

function digestsOf(body: DoubleSign, networkId: Hash): { message: Uint8Array; signature: Uint8Array }[] {
  const messages =
    body.kind === 'votes'
      ? [ballotDigest(networkId, body.first), ballotDigest(networkId, body.second)]
      : [proposalDigest(networkId, body.first), proposalDigest(networkId, body.second)]
  const signatures = [body.first.signature, body.second.signature]
  return messages.map((message, index) => ({ message, signature: signatures[index]! }))
}

const KIND_NUMBER: Readonly<Record<DoubleSign['kind'], number>> = { votes: 1, proposals: 2 }

function writeReport(writer: Writer, body: ReportDoubleSign): void {
  writer.raw(body.consensusKey).u8(KIND_NUMBER[body.kind])
  if (body.kind === 'votes') {
    for (const vote of [body.first, body.second]) writeBallot(writer, vote).raw(vote.signature)
  } else {
    for (const claim of [body.first, body.second]) writeProposalClaim(writer, claim).raw(claim.signature)
  }
}

function readReport(reader: Reader): ReportDoubleSign {
  const consensusKey = reader.raw(PUBLIC_KEY_BYTES)
  const kind = reader.u8()
  if (kind === KIND_NUMBER.votes) {
    const read = (): Signed<Ballot> => ({ ...readBallot(reader), signature: reader.raw(SIGNATURE_BYTES) })
    return { consensusKey, kind: 'votes', first: read(), second: read() }
  }
  if (kind === KIND_NUMBER.proposals) {
    const read = (): Signed<ProposalClaim> => ({ ...readProposalClaim(reader), signature: reader.raw(SIGNATURE_BYTES) })
    return { consensusKey, kind: 'proposals', first: read(), second: read() }
  }
  throw new CodecError('CODEC_BAD_VALUE', 'Evidence is of votes or of proposals.')
}
