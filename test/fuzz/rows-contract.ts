/**
 * Decoders of what contracts are called with, one row for each, and of the records that they keep in the state.
 * @module
 */
import fc from 'fast-check'
import { CHAIN_LIMITS, STATE_LIMITS } from '../../src/base/chain-limits.ts'
import type { Reader, Writer } from '../../src/base/codec.ts'
import {
  readAccount as readAccountId,
  readCount,
  readHash,
  writeAccount,
  writeCount,
  writeHash,
} from '../../src/core/fields.ts'
import { readCounters, writeCounters } from '../../src/core/market/counters.ts'
import {
  INITIAL_PARAMETERS,
  PARAMETER_NAMES,
  PARAMETERS,
  type ParameterChange,
  type Parameters,
  parametersFault,
  readChanges,
  readParameters,
  writeChanges,
  writeParameters,
} from '../../src/core/parameters.ts'
import { putAccount, readAccount } from '../../src/core/state/accounts.ts'
import { readAmount } from '../../src/core/state/bonds.ts'
import { type ProposalSubject, putProposal, readProposal } from '../../src/core/state/proposals.ts'
import type { StateKey, WriteState } from '../../src/core/state/state.ts'
import { putSupply, readSupply } from '../../src/core/state/supply.ts'
import { decodeRecord } from '../../src/core/state/tables.ts'
import { putValidator, readValidator, type ValidatorStatus } from '../../src/core/state/validators.ts'
import { contractOf } from '../../src/core/transaction/contracts.ts'
import { DLLM, person } from '../chain-accounts.ts'
import { type Decoder, decoder } from './decoder.ts'
import {
  anyAccount,
  anyCount,
  anyHash,
  anyRound,
  anySignature,
  anyU32,
  anyU64,
  bytesOf,
  CODEC,
  orNothing,
  textOf,
  written,
} from './fields.ts'

const anyChanges: fc.Arbitrary<ParameterChange[]> = fc
  .uniqueArray(fc.nat({ max: PARAMETER_NAMES.length - 1 }), { maxLength: PARAMETER_NAMES.length })
  .chain((numbers) =>
    fc.tuple(
      ...numbers
        .toSorted((a, b) => a - b)
        .map((number) => anyU64.map((value) => ({ name: PARAMETER_NAMES[number]!, value }))),
    ),
  )

const anyParameters: fc.Arbitrary<Parameters> = fc
  .tuple(...PARAMETER_NAMES.map((name) => fc.bigInt({ min: PARAMETERS[name].min, max: PARAMETERS[name].max })))
  .map((values) => Object.fromEntries(PARAMETER_NAMES.map((name, index) => [name, values[index]])) as Parameters)
  .map(agreeing)
  .filter((parameters) => parametersFault(parameters) === undefined)

/** Without this too few of the random ones would go together. */
function agreeing(parameters: Parameters): Parameters {
  const treasuryShare = parameters.treasuryShare / 2n
  return {
    ...parameters,
    ...{
      treasuryShare,
      stakerShare: parameters.stakerShare / 2n,
      priceMin: parameters.priceMin % (parameters.priceMax + 1n),
    },
    ...{ auditorsMin: 1n + (parameters.auditorsMin % parameters.auditors), auditShareNew: 1_000n },
    ...{ auditorStake: DLLM / 10_000n, workSubsidy: treasuryShare / 2n, auditFee: treasuryShare / 4n },
  }
}

const anyBallot = fc.record({
  type: fc.constantFrom('prevote' as const, 'precommit' as const),
  ...{ height: anyCount, round: anyRound, blockHash: orNothing(anyHash), signature: anySignature },
})
const anyClaim = fc.record({
  ...{ height: anyCount, round: anyRound, blockHash: anyHash, signature: anySignature },
  validRound: orNothing(fc.nat({ max: CHAIN_LIMITS.roundMax - 1 })),
})

const memo = fc.uint8Array({ maxLength: CHAIN_LIMITS.memoBytesMax })
const name = textOf(CHAIN_LIMITS.validatorNameBytesMax)

/** By the type of the contract. */
const BODIES: Readonly<Record<number, fc.Arbitrary<unknown>>> = {
  1: fc.record({ to: anyAccount, amount: anyU64, memo }),
  2: fc.record({ validator: anyAccount, amount: anyU64 }),
  3: fc.record({ validator: anyAccount, amount: anyU64 }),
  4: fc.record({
    ...{ consensusKey: bytesOf(32), seedKey: bytesOf(48), seedProof: bytesOf(96), consensusProof: bytesOf(64), name },
  }),
  5: fc.oneof(
    fc.record({ kind: fc.constant('votes'), consensusKey: bytesOf(32), first: anyBallot, second: anyBallot }),
    fc.record({ kind: fc.constant('proposals'), consensusKey: bytesOf(32), first: anyClaim, second: anyClaim }),
  ),
  6: fc.record({ changes: anyChanges }),
  7: fc.record({ proposal: anyCount, yes: fc.boolean() }),
}

const anySubject: fc.Arbitrary<ProposalSubject> = fc.oneof(
  fc.record({ type: fc.constant('parameters' as const), changes: anyChanges }),
  fc.record({
    ...{ type: fc.constant('model' as const), model: anyHash },
    ...{ registeredHeight: anyCount, activationHeight: anyCount },
  }),
)

const SAMPLES_PER_ROW = 6
const SAMPLE_SEED = 1

/** `values`: bodies of the contract. */
export function contractRow(type: number, values: fc.Arbitrary<unknown>): Decoder {
  const contract = contractOf(type)!
  const encode = (body: unknown): Uint8Array => written((writer) => contract.write(writer, body))
  return decoder({
    name: `body-${contract.name}`,
    covers: ['core/state/tables.ts:decodeRecord'],
    samples: () => fc.sample(values, { seed: SAMPLE_SEED, numRuns: SAMPLES_PER_ROW }).map(encode),
    decode: (bytes) => {
      const body = decodeRecord(bytes, (reader) => contract.read(reader))
      // Whoever asks for a transaction gets these, whether it is valid or not.
      contract.units(body)
      contract.describe(body)
      contract.touches(body)
      return body
    },
    encode,
    values,
    codes: CODEC,
    bytesMax: CHAIN_LIMITS.transactionBytesMax,
  })
}

interface RecordParts<Value> {
  readonly name: string
  readonly covers: string
  readonly read: (reader: Reader) => Value
  readonly encode: (value: Value) => Uint8Array
  readonly values: fc.Arbitrary<Value>
}

export function recordRow<Value>({ name: title, covers, read, encode, values }: RecordParts<Value>): Decoder {
  return decoder({
    name: title,
    covers: [covers],
    samples: () => fc.sample(values, { seed: SAMPLE_SEED, numRuns: SAMPLES_PER_ROW }).map(encode),
    decode: (bytes) => decodeRecord(bytes, read),
    encode,
    values,
    codes: CODEC,
    bytesMax: STATE_LIMITS.valueBytesMax,
  })
}

/** What a function that writes one record into a state writes. */
export function recordOf(put: (state: WriteState) => void): Uint8Array {
  let found = new Uint8Array(0)
  const state = {
    get: () => undefined,
    entries: () => [],
    set: (_key: StateKey, value: Uint8Array | undefined) => {
      found = new Uint8Array(value ?? [])
    },
  }
  put(state as unknown as WriteState)
  return found
}

const writing = <Value>(write: (writer: Writer, value: Value) => unknown): ((value: Value) => Uint8Array) => {
  return (value) => written((writer) => write(writer, value))
}

const WHO = person(1).id

export const CONTRACT_ROWS: readonly Decoder[] = [
  ...Object.entries(BODIES).map(([type, values]) => contractRow(Number(type), values)),
  recordRow({
    ...{ name: 'record-account', covers: 'core/state/accounts.ts:readAccount', read: readAccount },
    encode: (account) => recordOf((state) => putAccount(state, WHO, account)),
    // An empty account has no record.
    values: fc.record({ balance: anyU64.map((value) => value || 1n), nonce: anyU64, bonded: anyU64 }),
  }),
  recordRow({
    ...{ name: 'record-amount', covers: 'core/state/bonds.ts:readAmount', read: readAmount, values: anyU64 },
    encode: writing((writer, value) => writer.u64(value)),
  }),
  recordRow({
    ...{ name: 'record-proposal', covers: 'core/state/proposals.ts:readProposal', read: readProposal },
    encode: (proposal) => recordOf((state) => putProposal(state, 1, proposal)),
    values: fc.record({ proposer: anyAccount, deposit: anyU64, endHeight: anyCount, subject: anySubject }),
  }),
  recordRow({
    ...{ name: 'record-supply', covers: 'core/state/supply.ts:readSupply', read: readSupply },
    encode: (supply) => recordOf((state) => putSupply(state, supply)),
    values: fc.record({
      ...{ genesis: anyU64, issued: anyU64, burnt: anyU64, pool: anyU64, bonded: anyU64 },
      proposalsMade: anyCount,
    }),
  }),
  recordRow({
    ...{ name: 'record-validator', covers: 'core/state/validators.ts:readValidator', read: readValidator },
    encode: (validator) => recordOf((state) => putValidator(state, WHO, validator)),
    values: fc.record({
      ...{ consensusKey: bytesOf(32), seedKey: bytesOf(48), stake: anyU64, bonds: anyU32, name },
      status: fc.constantFrom<ValidatorStatus>('active', 'tombstoned'),
      ...{ registeredHeight: anyCount, signedBlocks: anyU32 },
    }),
  }),
  recordRow({
    ...{ name: 'record-parameters', covers: 'core/parameters.ts:readParameters', read: readParameters },
    encode: writing(writeParameters),
    values: fc.oneof(anyParameters, fc.constant(INITIAL_PARAMETERS)),
  }),
  recordRow({
    ...{ name: 'record-changes', covers: 'core/parameters.ts:readChanges', read: readChanges, values: anyChanges },
    encode: writing(writeChanges),
  }),
  recordRow({
    ...{ name: 'record-counters', covers: 'core/market/counters.ts:readCounters', read: readCounters },
    encode: writing(writeCounters),
    values: fc.record({ promptRows: anyU64, promptPositions: anyU64, decodeRows: anyU64, decodePositions: anyU64 }),
  }),
  recordRow({
    ...{ name: 'record-owner', covers: 'core/fields.ts:readAccount', read: readAccountId, values: anyAccount },
    encode: writing(writeAccount),
  }),
  recordRow({
    ...{ name: 'record-height', covers: 'core/fields.ts:readCount', read: readCount, values: anyCount },
    encode: writing(writeCount),
  }),
  recordRow({
    ...{ name: 'record-seed', covers: 'core/fields.ts:readHash', read: readHash, values: anyHash },
    encode: writing(writeHash),
  }),
]
