/**
 * Why a machine should serve these segments and no others, in sentences. Pure: from what was weighed. Spec: docs/spec/cli.md §10, docs/spec/market.md §14.
 * @module
 */
import { MARKET_LIMITS } from '../../base/chain-limits.ts'
import type { PlacementDecision, RunChoice } from '../../core/market/best-response.ts'
import type { SegmentNeed, SegmentRun } from '../../core/market/segment-balance.ts'
import { dllm } from '../../core/transaction/refusals.ts'
import { count, segmentsText } from '../chain/text-parts.ts'
import { formatBytes } from '../table.ts'
import { OWNERS_WANTED, type PlaceCost } from './placement-facts.ts'

export interface Weighed {
  readonly model: string
  readonly needs: readonly SegmentNeed[]
  readonly decision: PlacementDecision
  /** What the machine can hold of weights, where it chooses. */
  readonly bytes: number
  /** false: it served the run of now before, or has it on its disk. */
  readonly isServing: boolean
}

/** One sentence each, the conclusion first. */
export function placementWords({ model, needs, decision, bytes, isServing }: Weighed): string[] {
  const { verdict, now, chosen, ranked } = decision
  if (chosen === undefined) {
    const least = formatBytes(Math.min(...needs.map((need) => need.bytes)))
    return [
      `No segment of ${model} fits: the smallest takes ${least}, and there is room for ${formatBytes(bytes)} of weights.`,
    ]
  }
  const run = runText(chosen)
  const size = `${formatBytes(chosen.bytes)} of weights, with room for ${formatBytes(bytes)}`
  const stays = isServing
    ? `This machine should go on serving ${run} of ${model}.`
    : `This machine should serve ${run} of the ${needs.length} of ${model}, which it has already: ${size}.`
  switch (verdict) {
    case 'nothing-fits':
    case 'join':
      return [
        `This machine should serve ${run} of the ${needs.length} of ${model}: ${size}.`,
        ...worthWords(chosen, decision),
      ]
    case 'move':
      return [
        `This machine should serve ${run} of ${model} instead of ${runText(now!)}${isServing ? '' : ', which it has already'}.`,
        ...worthWords(chosen, decision),
        ...(isServing ? ['Others serve well enough what it leaves.'] : []),
      ]
    case 'make-way':
      return [
        `This machine should serve ${run} of ${model} instead of ${runText(now!)}.`,
        `So another one, which is needed there, can go where nobody is: to ${segmentList(decision.gaps)}, or closer to it.`,
      ]
    case 'best':
      return [stays, 'Nothing else that fits is better.', ...worthWords(chosen, decision)]
    case 'close':
      return [
        stays,
        ...worthWords(chosen, decision),
        decision.gaps.length > 0
          ? `While nobody serves ${segmentList(decision.gaps)}, it moves for nothing else.`
          : `${capital(runText(ranked[0]!))} would be better by ${gainText(ranked[0]!, chosen)}; it moves for more than 12.5 %, since a move costs a download.`,
      ]
    case 'needed':
      return [stays, `${capital(runText(ranked[0]!))} would be better, but ${neededText(decision)}`]
  }
}

/** Of a machine that holds the whole model. */
export function holdsAllWords({ model, needs, decision, bytes }: Weighed): string[] {
  const size = formatBytes(needs.reduce((sum, need) => sum + need.bytes, 0))
  const all = needs.length === 1 ? 'the one segment' : `all ${needs.length} segments`
  const words = [
    `This machine should serve ${all} of ${model}: they take ${size}, and there is room for ${formatBytes(bytes)} of weights.`,
  ]
  const { owners } = decision.others
  const short = owners.filter((count) => count < OWNERS_WANTED).length
  if (short > 0)
    words.push(
      `${capital(count(short, 'segment'))} of it ${short === 1 ? 'has' : 'have'} fewer than ${OWNERS_WANTED} other owners.`,
    )
  return words
}

/** What a place costs where none is left. */
export function placeCostWords(cost: PlaceCost | undefined): string[] {
  if (cost === undefined) return []
  const places = MARKET_LIMITS.placementsPerModelMax
  return [
    `All ${places} places on the chain are taken: one is to be had for a deposit of more than ${dllm(cost.lowest)}.`,
  ]
}

/** What a run adds: the first of what counts. */
function worthWords(choice: RunChoice, { others }: PlacementDecision): string[] {
  const words: string[] = []
  if (choice.serves > 0) {
    words.push(
      `Nobody else serves ${partText(choice, choice.serves)}, and without every segment nobody gets an answer.`,
    )
  }
  const short = choice.restores - choice.serves
  if (short > 0) {
    const whole = short === choice.end - choice.first && short > 1
    const them = whole ? 'All of them have' : `${capital(partText(choice, short))} ${short === 1 ? 'has' : 'have'}`
    words.push(`${them} fewer than ${OWNERS_WANTED} other owners: if a machine is lost, so is a segment.`)
  }
  if (choice.restores === 0) {
    const here = least(others.flows.slice(choice.first, choice.end))
    const elsewhere = least([...others.flows.slice(0, choice.first), ...others.flows.slice(choice.end)])
    words.push(
      elsewhere === undefined
        ? `Others compute ${perSecond(here!)} there.`
        : `Others compute ${perSecond(here!)} at its weakest segment, and ${perSecond(elsewhere)} at the weakest of the rest.`,
    )
  }
  words.push(`With this machine ${perSecond(choice.flow)} more pass there.`)
  return words
}

/** How many segments of a run: `it`, `them`, `2 of them`. */
function partText({ first, end }: SegmentRun, part: number): string {
  if (part < end - first) return `${part} of them`
  return part === 1 ? 'it' : 'them'
}

function neededText({ keptBy, others }: PlacementDecision): string {
  const alone = keptBy.filter((segment) => others.owners[segment] === 0)
  if (alone.length > 0) return `nobody else serves ${segmentList(alone)}.`
  return `without this machine ${segmentList(keptBy)} would have fewer than ${OWNERS_WANTED} owners.`
}

/** `segment 3`, `segments 1, 2 and 5`: people count from 1. */
function segmentList(segments: readonly number[]): string {
  const numbers = segments.map((segment) => String(segment + 1))
  const last = numbers.pop()!
  return numbers.length === 0 ? `segment ${last}` : `segments ${numbers.join(', ')} and ${last}`
}

function runText({ first, end }: SegmentRun): string {
  return segmentsText(first, end)
}

function gainText(choice: RunChoice, now: RunChoice): string {
  const permille = now.gain === 0 ? 0 : Math.floor(((choice.gain - now.gain) * 1_000) / now.gain)
  return permille < 1 ? 'less than 0.1 %' : `${permille / 10} %`
}

function perSecond(flow: number): string {
  const rows = flow / 65_536
  const number = rows >= 100 || rows === 0 ? String(Math.round(rows)) : rows.toFixed(1)
  return number === '1' ? count(1, 'token') : `${number} tokens per second`
}

function least(flows: readonly number[]): number | undefined {
  return flows.length === 0 ? undefined : Math.min(...flows)
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}
