/**
 * Accounts, stake, validators, parameters and the head for people. Spec: docs/spec/cli.md §5.
 * @module
 */
import { PARAMETERS, type ParameterName } from '../../core/parameters.ts'
import { table } from '../table.ts'
import type {
  AccountView,
  BondView,
  HeadView,
  ParametersView,
  ProposalView,
  UnbondingView,
  ValidatorView,
} from './chain-access.ts'
import { ageText, count, labelled, money, percent, timeText, untilHeight } from './text-parts.ts'

export function headText(head: HeadView, nowMs: number): string {
  const { supply } = head
  return labelled([
    ['Network', `${head.name} (${head.kind} addresses)`],
    ['Id', head.networkId],
    ['Block', `${head.height}, in epoch ${head.epoch}`],
    ['Hash', head.hash],
    ['Time', `${timeText(head.timeMs)}, ${ageText(head.timeMs, nowMs)}`],
    ['Base fee', `${count(Number(head.baseFee), 'grain')} per unit`],
    ['Validators', String(head.validators)],
    ['Supply', `${money(supply.total)}\n${money(supply.issued)} issued, ${money(supply.burnt)} burnt`],
    ['Known from', head.source === 'node' ? 'the full node on this machine' : 'a light client'],
  ])
}

/** A line per head, while somebody watches. */
export function headLine({ height, timeMs, baseFee, hash }: HeadView): string {
  return `#${String(height).padEnd(8)}  ${timeText(timeMs)}  base fee ${baseFee}  ${hash.slice(0, 12)}`
}

/** What it has; bonds as one sum. */
export function accountText(account: AccountView): string {
  const { address, balance, nonce, waiting = 0, height, bonds, unbondings, source } = account
  const waits = waiting > 0 ? `, and ${count(waiting, 'transaction')} waiting` : ''
  return labelled([
    ['Address', address],
    ['Balance', money(balance)],
    ...(bonds.length > 0 ? [['Bonded', money(sum(bonds))] as const] : []),
    ...(unbondings.length > 0 ? [['Unbonding', money(sum(unbondings))] as const] : []),
    ['Sent', `${count(Number(nonce), 'transaction')}${waits}`],
    ['At block', String(height)],
    ...(source === 'light' ? [['Known from', LIGHT_ACCOUNT] as const] : []),
  ])
}

/** Whoever lists unbondings may leave some out, and no header proves it. */
const LIGHT_ACCOUNT = 'a light client: without what is unbonding, and without\nbonds to validators that do not vote now'

/** Bonds and unbondings one by one; says what to do where there are none. */
export function bondsText({ bonds, unbondings, height, source }: AccountView): string {
  const lines = [...bonds.flatMap(bondLines), ...unbondings.flatMap((unbonding) => unbondingLines(unbonding, height))]
  const known = source === 'light' ? `Known from ${LIGHT_ACCOUNT}.\n` : ''
  if (lines.length > 0) return `${lines.join('\n')}\n${known}`
  if (source === 'light') return `No bonds were found.\n${known}`
  return 'Nothing is bonded. `dllm stake bond` bonds to one of `dllm chain validators`.\n'
}

/** Empty for an account that is no validator. */
export function ownValidatorText({ validator }: AccountView): string {
  return validator === undefined ? '' : `\nIts validator:\n${validatorsText([validator])}`
}

/** A line of numbers and the whole address below it. */
export function validatorsText(validators: readonly ValidatorView[]): string {
  const rows = validators.map(({ name, stake, status, votes, signedBlocks }) => ({
    ...{ name, stake: money(stake), status: status === 'active' ? (votes ? 'votes' : 'waits') : status },
    signed: signedBlocks,
  }))
  const [heading = '', ...lines] = table(rows).trimEnd().split('\n')
  return [heading, ...lines.map((line, index) => `${line}\n  ${validators[index]!.address}`)].join('\n').concat('\n')
}

export function parametersText({ values }: ParametersView): string {
  const names = Object.keys(values) as ParameterName[]
  return names
    .map((name) => `${name.padEnd(22)}${values[name]}\n  ${PARAMETERS[name].meaning} (${PARAMETERS[name].unit})\n`)
    .join('')
}

/** Open proposals at a height; says what to do where there are none, and where nobody can know them all. */
export function proposalsText(proposals: readonly ProposalView[] | undefined, height: number): string {
  if (proposals === undefined) {
    return 'A light client cannot know that it was told of every proposal.\n`dllm node` runs a full node, which does.\n'
  }
  if (proposals.length === 0)
    return 'No proposal is open. `dllm param propose NAME=VALUE` makes one,\nand `dllm model propose` one for a model.\n'
  return proposals.map((proposal) => proposalText(proposal, height)).join('')
}

function proposalText(proposal: ProposalView, height: number): string {
  const { number, proposer, deposit, endHeight, yesStake, noStake, totalStake } = proposal
  const share = (stake: string): string => `${percent(stake, totalStake)} of the bonded stake (${money(stake)})`
  const lines = [
    ...subjectLines(proposal),
    `yes  ${share(yesStake)}`,
    `no   ${share(noStake)}`,
    `by   ${proposer}`,
    `with a deposit of ${money(deposit)}`,
  ]
  const heading = `Proposal ${number}, until block ${endHeight} (${untilHeight(endHeight, height)})`
  return `${heading}\n${lines.map((line) => `  ${line}\n`).join('')}`
}

function subjectLines({ changes, model }: ProposalView): string[] {
  if (model === undefined) return Object.entries(changes).map(([name, value]) => `${name} = ${value}`)
  const { name, status, takes, activationHeight } = model
  if (name === undefined) return [`model  ${model.model}`, 'which is gone: the vote decides nothing']
  const what = status === 'superseded' ? 'comes back' : 'becomes active'
  return [
    name,
    `${what} at block ${activationHeight} or later`,
    `model  ${model.model}`,
    ...(takes === undefined ? [] : [`for    ${takes}`]),
  ]
}

function bondLines({ amount, validator, validatorName }: BondView): string[] {
  return [`${money(amount)} bonded to ${validatorName}`, `  ${validator}`]
}

function unbondingLines({ amount, validator, dueHeight }: UnbondingView, height: number): string[] {
  return [
    `${money(amount)} unbonded, back ${untilHeight(dueHeight, height)}`,
    `  at block ${dueHeight}, from ${validator}`,
  ]
}

function sum(parts: readonly { readonly amount: string }[]): bigint {
  return parts.reduce((total, { amount }) => total + BigInt(amount), 0n)
}
