/**
 * Versions of models in a simulated market: somebody publishes the next one and proposes it, miners place themselves on what was approved
 * and report on its canary. Changes nothing; draws only what is of somebody's own will.
 * @module
 */
import { type Hash, hash } from '../../src/base/brand.ts'
import { getCanaryReport } from '../../src/core/state/canary-reports.ts'
import { getMiner } from '../../src/core/state/miners.ts'
import { getModel, type ModelRecord, models } from '../../src/core/state/models.ts'
import { getPlacement } from '../../src/core/state/placements.ts'
import { getParameterVotes, proposals } from '../../src/core/state/proposals.ts'
import { person } from '../chain-accounts.ts'
import { type Crowd, oneOf } from './crowd.ts'
import type { Duty, Watch } from './market-duties.ts'
import { type Miner, MODELS } from './traders.ts'

/** Each in the place of the one before, if that is active. */
const VERSIONS: readonly Hash[] = ['e1', 'e2', 'e3'].map((byte) => hash(byte.repeat(32)))
const CANARY = { root: hash('ca'.repeat(32)), bytes: 1_000 }
/** Those with most of the stake: without them nothing is accepted. */
const STAKERS = [1, 2, 3, 4].map(person)
/** A block before, there is nothing to follow yet. */
const FIRST_HEIGHT = 3

/** What there is to lease, the versions that are active included. */
export function leasable({
  chain,
}: Pick<Watch, 'chain'>): readonly { model: Hash; segments: ModelRecord['segments'] }[] {
  const active = VERSIONS.flatMap((model) => {
    const record = getModel(chain.state, model)
    return record?.status === 'active' ? [{ model, segments: record.segments }] : []
  })
  // As often as all others together: there is one at a time.
  return [...MODELS, ...active, ...active]
}

/** In an order that hangs on the state alone. */
export function versionDuties(watch: Watch): Duty[] {
  const { chain, traders } = watch
  const served = [...models(chain.state)].filter(([model, { status }]) => {
    return (VERSIONS.includes(model) && status !== 'published' && status !== 'retired') || status === 'approved'
  })
  return [
    ...publishing(watch),
    ...voting(watch),
    ...served.flatMap(([model, record]) => traders.miners.flatMap((miner) => joining(watch, miner, { model, record }))),
  ]
}

/** The next version that is not there, and a proposal for one that is only published. */
function publishing({ chain, traders }: Watch): Duty[] {
  const { state } = chain
  if (chain.header.height < FIRST_HEIGHT) return []
  const [by, other] = traders.payers as [Duty['by'], Duty['by']]
  const next = VERSIONS.find((model) => getModel(state, model) === undefined)
  const line = [MODELS[0]!.model, ...VERSIONS]
  const predecessor = line.findLast((model) => getModel(state, model)?.status === 'active')
  const waiting = VERSIONS.filter((model) => getModel(state, model)?.status === 'published')
  const named = new Set([...proposals(state)].map(({ subject }) => (subject.type === 'model' ? subject.model : '')))
  const proposed = waiting
    .filter((model) => !named.has(model))
    .map((model): Duty => {
      return { name: `propose ${model}`, by: other, type: 19, body: { model, activationHeight: 0 } }
    })
  if (next === undefined || predecessor === undefined || waiting.length > 0) return proposed
  const { model: _model, ...claim } = MODELS[1]!
  // Two of three have a canary.
  const canary = next === VERSIONS[1] ? undefined : CANARY
  return [...proposed, { name: `publish ${next}`, by, type: 8, body: { ...claim, model: next, predecessor, canary } }]
}

function voting({ chain: { state } }: Watch): Duty[] {
  const open = [...proposals(state)].filter(({ subject }) => subject.type === 'model')
  return open.flatMap(({ number }) =>
    STAKERS.filter(({ id }) => !getParameterVotes(state, id).some(({ proposal }) => proposal === number)).map((by) => {
      return { name: `vote ${by.id} ${number}`, by, type: 7, body: { proposal: number, yes: true } }
    }),
  )
}

function joining(
  { chain }: Watch,
  { person: by, manner }: Miner,
  { model, record }: { readonly model: Hash; readonly record: ModelRecord },
): Duty[] {
  const { state, parameters } = chain
  if (getMiner(state, by.id)?.status !== 'active') return []
  const height = chain.header.height + 1
  const placement = getPlacement(state, { model, operator: by.id })
  const whole = { first: 0, end: record.segments.length, slots: 3, bid: 0n, incarnation: 0n }
  const place = { model, ...whole, until: height + Number(parameters.placementBlocks) }
  const isPlaced = placement !== undefined && placement.until > height + 3
  const passed = manner !== 'cheat'
  const isReported = getCanaryReport(state, { model, operator: by.id }) === passed
  const isAsked = record.status === 'approved' && record.canary !== undefined
  return [
    ...(isPlaced ? [] : [{ name: `place ${by.id} ${model}`, by, type: 12, body: place }]),
    ...(!isAsked || isReported ? [] : [{ name: `report ${by.id} ${model}`, by, type: 20, body: { model, passed } }]),
  ]
}

/** A vote on whatever model there is, often to bring one back, or a report that is not true. */
export function versionWish({ world, chance }: Crowd, { chain }: Watch): Omit<Duty, 'name'> {
  const { miners, payers } = world.scenario.traders
  const all = [...models(chain.state)]
  const superseded = all.filter(([, { status }]) => status === 'superseded')
  const [model] = oneOf(chance, superseded.length > 0 && chance.pick(3) > 0 ? superseded : all)
  if (chance.pick(3) === 0)
    return { by: oneOf(chance, miners).person, type: 20, body: { model, passed: chance.pick(3) > 0 } }
  const activationHeight = chance.pick(3) === 0 ? chain.header.height + chance.pick(40) : 0
  return { by: oneOf(chance, payers), type: 19, body: { model, activationHeight } }
}
