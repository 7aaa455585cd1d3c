/**
 * What a vote may change: each parameter with its meaning, its first value and the bounds that no vote crosses.
 * Spec: docs/spec/chain.md §5.
 * @module
 */

import { CHAIN_LIMITS } from '../base/chain-limits.ts'
import { CodecError, type Reader, type Writer } from '../base/codec.ts'
import { incentiveFault } from './market/incentive.ts'

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
  | 'treasuryShare'
  | 'stakerShare'
  | 'decodeWeight'
  | 'priceMin'
  | 'priceMax'
  | 'priceBlocks'
  | 'priceDivisor'
  | 'modelDeposit'
  | 'minerDepositMin'
  | 'placementBlocks'
  | 'leaseBlocksMax'
  | 'disputeBlocks'
  | 'receiptRows'
  | 'collateralMultiple'
  | 'auditShare'
  | 'auditShareNew'
  | 'auditors'
  | 'auditorsMin'
  | 'auditCommitBlocks'
  | 'auditRevealBlocks'
  | 'auditFee'
  | 'auditorStake'
  | 'workSubsidy'
  | 'depositPerPower'
  | 'latencyWeight'
  | 'rateFloor'
  | 'auctionPairs'
  | 'payFloor'
  | 'readyOwners'
  | 'canaryFailures'
  | 'activationNotice'
  | 'activationRetryBlocks'
  | 'activationTries'
  | 'rollbackBlocks'

export interface Parameter {
  readonly initial: bigint
  readonly min: bigint
  readonly max: bigint
  /** What it is counted in, plural, for sentences. */
  readonly unit: string
  /** For `dllm chain params`. */
  readonly meaning: string
}

const DLLM = 1_000_000_000n
const DAY_BLOCKS = 43_200n // of two seconds
const YEAR_BLOCKS = 365n * DAY_BLOCKS
/** Epochs that stake stays locked after it stopped to count: drawn in one, voting in the next, and one to report what it did. */
const UNBONDING_EPOCHS_MIN = 3n

/** ‰ of a charge that may go elsewhere than to miners. */
const SHARES_MAX = 500n

/** In the order of their encoding: only append. The reasons for the bounds are in docs/spec/chain.md §5. */
export const PARAMETERS: Readonly<Record<ParameterName, Parameter>> = {
  epochBlocks: p(600n, [2n, 100_000n], 'blocks', 'length of an epoch; validators change at its end'),
  unbondingBlocks: p(
    21n * DAY_BLOCKS,
    [2n * UNBONDING_EPOCHS_MIN, YEAR_BLOCKS],
    'blocks',
    'time until unbonded stake is paid out; age limit of evidence',
  ),
  validatorsMax: p(100n, [1n, 128n], 'validators', 'how many vote'),
  bondMin: p(DLLM, [DLLM / 1_000n, 1_000_000n * DLLM], 'grains', 'the smallest bond'),
  bondsPerValidatorMax: p(128n, [1n, 128n], 'bonds', 'how many a validator can have'),
  issuancePerBlock: p(2n * DLLM, [0n, 1_000n * DLLM], 'grains', 'what a block may issue'),
  stakeShare: p(400n, [0n, 1_000n], 'per mille', 'part of the issuance for stake; the rest is for audited work'),
  baseFeeMin: p(10_000n, [1n, DLLM], 'grains per unit', 'the lowest base fee'),
  blockUnitsMax: p(60_000n, [10_000n, 600_000n], 'units', 'work of a block, at most'),
  blockUnitsTarget: p(30_000n, [500n, 600_000n], 'units', 'work of a block at which the base fee stays'),
  doubleSignSlash: p(50n, [10n, 1_000n], 'per mille', 'part of the stake that a double sign burns'),
  proposeMs: p(3_000n, [50n, 60_000n], 'milliseconds', 'wait for a proposal'),
  voteMs: p(1_000n, [20n, 60_000n], 'milliseconds', 'wait for votes'),
  roundMs: p(500n, [10n, 60_000n], 'milliseconds', 'added to both waits per round'),
  commitMs: p(1_000n, [10n, 60_000n], 'milliseconds', 'pause between a final block and the next proposal'),
  clockSkewMs: p(2_000n, [50n, 600_000n], 'milliseconds', 'how far clocks may differ'),
  proposalDeposit: p(
    100n * DLLM,
    [DLLM, 1_000_000n * DLLM],
    'grains',
    'what a proposal deposits; twice that for every eight open ones',
  ),
  proposalBlocks: p(7n * DAY_BLOCKS, [5n, YEAR_BLOCKS], 'blocks', 'time in which a proposal can be voted on'),
  transactionBytesMax: p(4_096n, [512n, BigInt(CHAIN_LIMITS.transactionBytesMax)], 'bytes', 'size of a transaction'),
  stakeWeight: p(300n, [50n, 1_000n], 'per mille', 'how far stake, not work, weighs who proposes'),
  // The market's; the reasons for values and bounds are in docs/spec/market.md §10.
  treasuryShare: p(100n, [0n, 500n], 'per mille', 'part of every charge that goes to the treasury'),
  stakerShare: p(70n, [0n, 500n], 'per mille', 'part of every charge that goes to stakers'),
  decodeWeight: p(4n, [1n, 64n], 'prompt rows', 'how many rows of a prompt one row of decoding counts as'),
  priceMin: p(0n, [0n, 10n ** 12n], 'grains per CU', 'the lowest price of a model'),
  priceMax: p(10n ** 9n, [0n, 10n ** 12n], 'grains per CU', 'the highest price of a model'),
  priceBlocks: p(10n, [1n, 100_000n], 'blocks', 'time between two changes of prices'),
  priceDivisor: p(8n, [4n, 1_000n], 'divisor', 'a change is at most this part of a price'),
  modelDeposit: p(100n * DLLM, [0n, 1_000_000n * DLLM], 'grains', 'what registering a model deposits'),
  minerDepositMin: p(DLLM, [DLLM / 1_000n, 1_000_000n * DLLM], 'grains', 'the smallest deposit of a miner'),
  placementBlocks: p(300n, [2n, DAY_BLOCKS], 'blocks', 'how far ahead a placement can be promised'),
  leaseBlocksMax: p(DAY_BLOCKS, [2n, YEAR_BLOCKS], 'blocks', 'the longest lease'),
  disputeBlocks: p(1_800n, [2n, 7n * DAY_BLOCKS], 'blocks', 'time to claim after the end of a lease'),
  receiptRows: p(256n, [16n, 4_096n], 'weighted rows', 'the most that one receipt covers'),
  collateralMultiple: p(30n, [1n, 10_000n], 'receipts', 'how many times the pay of a receipt a lot locks'),
  auditShare: p(50n, [10n, 1_000n], 'per mille', 'part of the receipts that is audited'),
  auditShareNew: p(100n, [10n, 1_000n], 'per mille', 'part of the receipts of a new miner that is audited'),
  auditors: p(5n, [1n, 21n], 'miners', 'size of a committee of auditors'),
  auditorsMin: p(3n, [1n, 21n], 'miners', 'the smallest committee of auditors'),
  auditCommitBlocks: p(100n, [2n, DAY_BLOCKS], 'blocks', 'time for auditors to commit to a digest'),
  auditRevealBlocks: p(50n, [2n, DAY_BLOCKS], 'blocks', 'time to open and to reveal after it'),
  auditFee: p(300n, [0n, 1_000n], 'per mille', 'part of the price that an audit is worth in issuance'),
  auditorStake: p(DLLM / 10n, [DLLM / 10_000n, 1_000n * DLLM], 'grains', 'what a false or silent auditor loses'),
  workSubsidy: p(60n, [0n, 500n], 'per mille', 'part of the price that audited work is worth in issuance'),
  depositPerPower: p(1n, [1n, DLLM], 'grains', 'deposit behind each CU a day of power'),
  latencyWeight: p(200n, [0n, 900n], 'per mille', 'part of the budget that the slowest miner must be cheaper by'),
  rateFloor: p(20_000n << 16n, [1n, 2n ** 48n], 'CU per 65536 s', 'rate of work of a miner that was not measured'),
  auctionPairs: p(0n, [0n, 1n], 'switch', 'whether the auction counts the latency between miners'),
  payFloor: p(800n, [0n, 1_000n], 'per mille', 'part of the budget that every bid below counts as'),
  // The life of models; the reasons are in docs/spec/market.md §13.
  readyOwners: p(2n, [1n, 64n], 'accounts', 'who must serve each segment of a version before it takes a place'),
  canaryFailures: p(300n, [1n, 1_000n], 'per mille', 'part of the deposits behind canary reports that keeps it out'),
  activationNotice: p(DAY_BLOCKS, [1n, 30n * DAY_BLOCKS], 'blocks', 'least time from a vote to the activation'),
  activationRetryBlocks: p(300n, [1n, DAY_BLOCKS], 'blocks', 'time between two looks at who serves a version'),
  activationTries: p(432n, [1n, 100_000n], 'looks', 'after how many in vain a version is given up'),
  rollbackBlocks: p(
    14n * DAY_BLOCKS,
    [2n, 4n * YEAR_BLOCKS],
    'blocks',
    'time in which a superseded model can come back',
  ),
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

/** What a value may be, such as `a whole number from 10 to 60000 (milliseconds)`. */
export function parameterRange(name: ParameterName): string {
  const { min, max, unit } = PARAMETERS[name]
  return `a whole number from ${min} to ${max} (${unit})`
}

/** Why a value is not allowed, as the end of a sentence; undefined when it is. */
export function parameterFault(name: ParameterName, value: bigint): string | undefined {
  const { min, max } = PARAMETERS[name]
  return value >= min && value <= max ? undefined : `${name} must be ${parameterRange(name)}, not ${value}`
}

/** Why these do not go together, and what to do, as the end of a sentence; undefined when they do. */
export function parametersFault(parameters: Parameters): string | undefined {
  for (const name of PARAMETER_NAMES) {
    const fault = parameterFault(name, parameters[name])
    if (fault !== undefined) return fault
  }
  const { blockUnitsTarget, blockUnitsMax, unbondingBlocks, epochBlocks } = parameters
  if (blockUnitsTarget > blockUnitsMax) return 'blockUnitsTarget must be at most blockUnitsMax'
  if (unbondingBlocks < UNBONDING_EPOCHS_MIN * epochBlocks) {
    return `unbondingBlocks must be at least ${UNBONDING_EPOCHS_MIN} epochs, here ${UNBONDING_EPOCHS_MIN * epochBlocks} blocks, or stake leaves before its double signs can be punished: raise it, or choose shorter epochs`
  }
  return marketFault(parameters) ?? lifeFault(parameters) ?? incentiveFault(parameters)
}

/** Which of the market's parameters contradict each other. Spec: docs/spec/market.md §10. */
function marketFault(parameters: Parameters): string | undefined {
  const { priceMin, priceMax, treasuryShare, stakerShare, decodeWeight, receiptRows, payFloor, latencyWeight } =
    parameters
  const { auditors, auditorsMin, auditShare, auditShareNew, auditorStake, minerDepositMin } = parameters
  if (priceMin > priceMax) return 'priceMin must be at most priceMax'
  if (treasuryShare + stakerShare > SHARES_MAX) {
    return `treasuryShare and stakerShare must be at most ${SHARES_MAX} together: the greater part of a charge is for miners`
  }
  if (payFloor + latencyWeight > 1_000n) {
    return 'payFloor and latencyWeight must be at most 1000 together, or nobody new is within the budget'
  }
  if (receiptRows < decodeWeight) return 'receiptRows must be at least decodeWeight, or no receipt holds a row'
  if (auditorsMin > auditors) return 'auditorsMin must be at most auditors'
  if (auditShareNew < auditShare) return 'auditShareNew must be at least auditShare'
  if (auditorStake > minerDepositMin)
    return 'auditorStake must be at most minerDepositMin, or an auditor cannot lose it'
  return undefined
}

/** Which of those for the life of models contradict others. Spec: docs/spec/market.md §13. */
function lifeFault(parameters: Parameters): string | undefined {
  const { rollbackBlocks, proposalBlocks, epochBlocks, leaseBlocksMax, disputeBlocks } = parameters
  if (rollbackBlocks <= proposalBlocks + epochBlocks) {
    return `rollbackBlocks must be above proposalBlocks and an epoch, here ${proposalBlocks + epochBlocks} blocks, or no vote brings a superseded model back in time`
  }
  if (rollbackBlocks <= leaseBlocksMax + disputeBlocks) {
    return `rollbackBlocks must be above leaseBlocksMax and disputeBlocks, here ${leaseBlocksMax + disputeBlocks} blocks, or a model retires before its last leases are settled`
  }
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

function p(initial: bigint, [min, max]: readonly [bigint, bigint], unit: string, meaning: string): Parameter {
  return { initial, min, max, unit, meaning }
}
