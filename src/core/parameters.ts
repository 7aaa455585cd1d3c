/**
 * What a vote may change: each parameter with its meaning, its first value and the bounds that no vote crosses.
 * Spec: docs/spec/chain.md §5.
 * @module
 */

import { CHAIN_LIMITS } from '../base/chain-limits.ts'
import { CodecError, type Reader, type Writer } from '../base/codec.ts'

export type ParameterName =
  | 'epochBlocks'
  | 'unbondingBlocks'
  | 'validatorsMax'
  | 'bondMin'
  | 'bondsPerValidatorMax'
  | 'issuancePerBlock'
  | 'stakeShare'
  | 'baseFeeMin'
  | 'blockUnitsMax'
  | 'blockUnitsTarget'
  | 'doubleSignSlash'
  | 'proposeMs'
  | 'voteMs'
  | 'roundMs'
  | 'commitMs'
  | 'clockSkewMs'
  | 'proposalDeposit'
  | 'proposalBlocks'
  | 'transactionBytesMax'
  | 'stakeWeight'

export interface Parameter {
  readonly initial: bigint
  readonly min: bigint
  readonly max: bigint
  /** For `dllm chain params`. */
  readonly meaning: string
}

const DLLM = 1_000_000_000n
const DAY_BLOCKS = 43_200n // of two seconds

/** In the order of their encoding: only append. */
export const PARAMETERS: Readonly<Record<ParameterName, Parameter>> = {
  epochBlocks: p(600n, 2n, 100_000n, 'blocks of an epoch; validators change at its end'),
  unbondingBlocks: p(
    21n * DAY_BLOCKS,
    4n,
    365n * DAY_BLOCKS,
    'blocks until unbonded stake is paid out; age limit of evidence',
  ),
  validatorsMax: p(100n, 1n, BigInt(CHAIN_LIMITS.validatorsMax), 'validators that vote'),
  bondMin: p(DLLM, 1n, 1_000_000n * DLLM, 'grains of the smallest bond'),
  bondsPerValidatorMax: p(1_024n, 1n, 16_384n, 'bonds that a validator can have'),
  issuancePerBlock: p(2n * DLLM, 0n, 1_000n * DLLM, 'grains that a block may issue'),
  stakeShare: p(400n, 0n, 1_000n, 'per mille of the issuance for stake; the rest is for audited work'),
  baseFeeMin: p(1n, 1n, DLLM, 'grains per unit, at least'),
  blockUnitsMax: p(60_000n, 10_000n, 600_000n, 'units of a block'),
  blockUnitsTarget: p(30_000n, 500n, 600_000n, 'units at which the base fee stays'),
  doubleSignSlash: p(50n, 1n, 1_000n, 'per mille of the stake that a double sign burns'),
  proposeMs: p(3_000n, 50n, 60_000n, 'milliseconds to wait for a proposal'),
  voteMs: p(1_000n, 20n, 60_000n, 'milliseconds to wait for votes'),
  roundMs: p(500n, 10n, 60_000n, 'milliseconds added to both per round'),
  commitMs: p(1_000n, 0n, 60_000n, 'milliseconds between a final block and the next proposal'),
  clockSkewMs: p(2_000n, 50n, 600_000n, 'milliseconds that clocks may differ'),
  proposalDeposit: p(100n * DLLM, 0n, 1_000_000n * DLLM, 'grains that a parameter proposal deposits'),
  proposalBlocks: p(7n * DAY_BLOCKS, 1n, 365n * DAY_BLOCKS, 'blocks during which a proposal can be voted on'),
  transactionBytesMax: p(4_096n, 512n, BigInt(CHAIN_LIMITS.transactionBytesMax), 'bytes of a transaction'),
  stakeWeight: p(300n, 1n, 1_000n, 'per mille by which stake, not work, weighs who proposes'),
}

export type Parameters = Readonly<Record<ParameterName, bigint>>

export const PARAMETER_NAMES: readonly ParameterName[] = Object.keys(PARAMETERS) as ParameterName[]

export const INITIAL_PARAMETERS: Parameters = Object.fromEntries(
  PARAMETER_NAMES.map((name) => [name, PARAMETERS[name].initial]),
) as Parameters

/** Known by the genesis file alone: a vote that changed the length of epochs would renumber those that were. */
const FIXED: ReadonlySet<ParameterName> = new Set(['epochBlocks'])

/** One line of a proposal. */
export interface ParameterChange {
  readonly name: ParameterName
  readonly value: bigint
}

/** Whether a vote can change it. */
export function isVotable(name: ParameterName): boolean {
  return !FIXED.has(name)
}

/** The parameters with some changed; whether they are valid is for `parametersFault`. */
export function withChanges(parameters: Parameters, changes: readonly ParameterChange[]): Parameters {
  return { ...parameters, ...Object.fromEntries(changes.map(({ name, value }) => [name, value])) }
}

/** Why a value is not allowed, as the end of a sentence; undefined when it is. */
export function parameterFault(name: ParameterName, value: bigint): string | undefined {
  const { min, max } = PARAMETERS[name]
  return value >= min && value <= max ? undefined : `${name} must be from ${min} to ${max}`
}

/** Why these do not go together; undefined when they do. */
export function parametersFault(parameters: Parameters): string | undefined {
  for (const name of PARAMETER_NAMES) {
    const fault = parameterFault(name, parameters[name])
    if (fault !== undefined) return fault
  }
  if (parameters.blockUnitsTarget > parameters.blockUnitsMax) return 'blockUnitsTarget must be at most blockUnitsMax'
  return undefined
}

export function writeParameters(writer: Writer, parameters: Parameters): Writer {
  return writer.list(PARAMETER_NAMES, (inner, name) => inner.u64(parameters[name]))
}

/** @throws CodecError when one is missing or out of its bounds. */
export function readParameters(reader: Reader): Parameters {
  const values = reader.list(CHAIN_LIMITS.parametersMax, (inner) => inner.u64())
  const entries = PARAMETER_NAMES.map((name, index) => [name, values[index]] as const)
  const parameters = Object.fromEntries(entries) as Parameters
  const fault = values.length === entries.length ? parametersFault(parameters) : 'some are missing'
  if (fault !== undefined) throw new CodecError('CODEC_BAD_VALUE', `The parameters are not valid: ${fault}.`)
  return parameters
}

/** `changes` in the order of `PARAMETER_NAMES`, each name once. */
export function writeChanges(writer: Writer, changes: readonly ParameterChange[]): Writer {
  return writer.list(changes, (inner, { name, value }) => inner.u8(PARAMETER_NAMES.indexOf(name)).u64(value))
}

/** @throws CodecError when a parameter is unknown, twice, or not in the order of `PARAMETER_NAMES`. */
export function readChanges(reader: Reader): ParameterChange[] {
  let before = -1
  return reader.list(CHAIN_LIMITS.parametersMax, (inner) => {
    const number = inner.u8()
    const name = PARAMETER_NAMES[number]
    if (name === undefined || number <= before) {
      throw new CodecError(
        'CODEC_BAD_VALUE',
        'A proposal changes an unknown parameter, or its changes are not in order.',
      )
    }
    before = number
    return { name, value: inner.u64() }
  })
}

function p(initial: bigint, min: bigint, max: bigint, meaning: string): Parameter {
  return { initial, min, max, meaning }
}
