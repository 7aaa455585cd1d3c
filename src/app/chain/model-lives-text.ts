/**
 * The lives of models for people. Spec: docs/spec/cli.md §15.
 * @module
 */
import type { ProposalView } from './chain-access.ts'
import type { ReadinessView } from './market-access.ts'
import { lifeLines } from './market-text.ts'
import type { ModelLifeView, ModelLivesView } from './model-lives.ts'
import { count, labelled, money, percent, untilHeight } from './text-parts.ts'

export function livesText({ models, height }: ModelLivesView): string {
  if (models.length === 0) return 'No model is registered on this network. `dllm model publish` does that.\n'
  return models.map((model) => lifeText(model, height)).join('\n')
}

function lifeText(model: ModelLifeView, height: number): string {
  const { name, status, tries, proposals, readiness } = model
  return labelled([
    ['Model', `${name}\n${model.model}`],
    ['Status', `${status}, ${MEANINGS[status]}`],
    ...lifeLines(model),
    ...(tries > 0
      ? [['Looked at', `${count(tries, 'time')}, and ${LACKS[readiness?.lack ?? 'unserved']}`] as const]
      : []),
    ...(readiness === undefined ? [] : readinessLines(readiness, model)),
    ...(proposals ?? []).map((proposal) => ['Vote', voteText(proposal, height)] as const),
  ])
}

const MEANINGS: Readonly<Record<ModelLifeView['status'], string>> = {
  published: 'waits for a vote',
  approved: 'becomes active when enough miners serve it',
  active: 'can be leased',
  superseded: 'open leases run to their end',
  retired: 'gone when its last lease is settled',
}

const LACKS: Readonly<Record<NonNullable<ReadinessView['lack']>, string>> = {
  unserved: 'not enough serve it',
  canary: 'its canary failed at too many',
}

function readinessLines(readiness: ReadinessView, { canary }: ModelLifeView): (readonly [string, string])[] {
  const { owners, needed, passed, passedDeposits, failed, failedDeposits, lack } = readiness
  const lacking = owners.flatMap((number, index) => (number < needed ? [String(index + 1)] : []))
  const served = owners.length - lacking.length
  const segments = `${served} of ${count(owners.length, 'segment')} have ${count(needed, 'owner')} or more`
  const reports = [
    `passed at ${count(passed, 'miner')} with ${money(passedDeposits)}`,
    `failed at ${count(failed, 'miner')} with ${money(failedDeposits)}`,
  ]
  return [
    ['Served', lacking.length === 0 ? segments : `${segments}\n${listText('not', lacking)}`],
    ...(canary === undefined ? [] : [['Reports', reports.join('\n')] as const]),
    ['Now', lack === undefined ? 'it would become active' : `${LACKS[lack]}`],
  ]
}

const NUMBERS_PER_LINE = 16

/** Up to 64 numbers, in lines. */
function listText(word: string, numbers: readonly string[]): string {
  const lines = Array.from({ length: Math.ceil(numbers.length / NUMBERS_PER_LINE) }, (_, index) =>
    numbers.slice(index * NUMBERS_PER_LINE, (index + 1) * NUMBERS_PER_LINE).join(', '),
  )
  return `${word} ${lines.join(',\n')}`
}

function voteText({ number, endHeight, yesStake, noStake, totalStake, model }: ProposalView, height: number): string {
  const share = (stake: string): string => percent(stake, totalStake)
  return [
    `proposal ${number}, until block ${endHeight} (${untilHeight(endHeight, height)})`,
    `active at block ${model?.activationHeight} or later`,
    `yes ${share(yesStake)}, no ${share(noStake)} of the bonded stake`,
  ].join('\n')
}
