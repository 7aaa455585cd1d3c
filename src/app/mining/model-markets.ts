/**
 * The models that a miner offers for pay, each with its placement and its jobs; they come and go while it runs.
 * Spec: docs/spec/cli.md §10.
 * @module
 */
import type { Hash } from '../../base/brand.ts'
import { codeOf } from '../../base/error.ts'
import type { ChainAccess } from '../chain/chain-access.ts'
import type { ChainSender } from '../market/chain-sender.ts'
import type { Duty, MiningNotes } from './duty.ts'
import { createJobs, type Jobs } from './jobs.ts'
import type { MiningMode } from './mode.ts'
import { createPlacement, type MinedRun, type Placement } from './placement.ts'
import type { OwnSurvey, Survey } from './survey.ts'

/** A run, and its model's name for people. */
export interface NamedRun extends MinedRun {
  readonly name: string
}

export interface ModelMarket {
  readonly name: string
  readonly survey: Survey
  readonly placement: Placement
  readonly jobs: Jobs
}

export interface ModelMarkets {
  readonly all: readonly ModelMarket[]
  find(model: Hash): ModelMarket | undefined
  /** What is offered, or shall be as soon as it can be. */
  runs(): MinedRun[]
  /** Grains: a larger deposit takes a place of a model that has none left; undefined: none does, or none is needed. */
  placeDeposit(): bigint | undefined
  /** Grains per CU as last seen; 0 where nobody registered the model: nobody can open a lease for it. */
  price(model: Hash): bigint
  /** A model more. */
  add(run: NamedRun): Promise<ModelMarket>
  /** Ends its placement, and says no more of it. @throws what the chain refuses the end with. */
  remove(model: Hash, signal: AbortSignal): Promise<void>
  /** Of all models: placement and jobs. */
  readonly duties: readonly Duty[]
}

export interface MarketsParts {
  readonly chain: ChainAccess
  readonly survey: OwnSurvey
  readonly sender: ChainSender
  readonly notes: MiningNotes
  readonly mode: () => MiningMode
  /** Grains per CU. */
  readonly bid: bigint
  /** Grows with every start. */
  readonly incarnation: bigint
}

export async function openModelMarkets(first: readonly NamedRun[], parts: MarketsParts): Promise<ModelMarkets> {
  const { chain, sender, notes, mode, bid, incarnation } = parts
  const all: ModelMarket[] = []
  const pricesAtFirst = new Map<Hash, bigint>()
  const find = (model: Hash): ModelMarket | undefined => all.find(({ placement }) => placement.run.model === model)

  const add = async ({ name, ...run }: NamedRun): Promise<ModelMarket> => {
    const { model } = run
    pricesAtFirst.set(model, await priceOf(chain, model))
    const survey = parts.survey.of(model)
    const ofModel = (): string => (all.length > 1 ? ` of ${name}` : '')
    const wish = { ...run, bid, incarnation }
    const market: ModelMarket = {
      ...{ name, survey },
      placement: createPlacement({ survey, sender, notes, mode, wish, ofModel }),
      jobs: createJobs({ chain, survey, sender, notes, model }),
    }
    all.push(market)
    return market
  }
  for (const run of first) await add(run)

  return {
    ...{ all, find, add },
    runs: () => all.map(({ placement }) => placement.run),
    placeDeposit: () => all.flatMap(({ placement }) => placement.noPlace?.lowest ?? []).reduce(leastOf, undefined),
    price: (model) => BigInt(find(model)?.survey.latest?.model?.price ?? pricesAtFirst.get(model) ?? 0n),
    async remove(model, signal) {
      const market = find(model)
      if (market === undefined) return
      await market.placement.end(signal)
      all.splice(all.indexOf(market), 1)
    },
    duties: [
      eachOf('placement', () => all.map(({ placement }) => placement.duty)),
      eachOf('jobs', () => all.map(({ jobs }) => jobs.duty)),
    ],
  }
}

/** One duty for several of a kind: none keeps another from its look. */
function eachOf(name: string, members: () => readonly Duty[]): Duty {
  return {
    name,
    async look(head, signal) {
      const looks = await Promise.allSettled(members().map((duty) => duty.look(head, signal)))
      const failed = looks.find((look) => look.status === 'rejected')
      if (failed !== undefined) throw failed.reason
    },
  }
}

async function priceOf({ market }: ChainAccess, model: Hash): Promise<bigint> {
  try {
    return BigInt((await market.model(model)).price)
  } catch (error) {
    if (codeOf(error) === 'NO_SUCH_MODEL') return 0n
    throw error
  }
}

function leastOf(least: bigint | undefined, deposit: bigint): bigint {
  return least === undefined || deposit < least ? deposit : least
}
