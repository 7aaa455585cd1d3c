/**
 * Where each model of the chain is in its life: its record, the votes on it, and who serves it while it is approved. Spec: docs/spec/market.md §13.
 * @module
 */
import type { Hash } from '../../base/brand.ts'
import type { ChainAccess, ProposalView } from './chain-access.ts'
import type { ModelView, ReadinessView } from './market-access.ts'

export interface ModelLifeView extends ModelView {
  /** Open ones on it; absent where nobody can know them all. */
  readonly proposals?: readonly ProposalView[]
  /** Of an approved model, where a full node answers. */
  readonly readiness?: ReadinessView
}

export interface ModelLivesView {
  readonly height: number
  readonly models: readonly ModelLifeView[]
}

/** Of all models; of one, and of what it follows and what follows it, if a hash is given. A light client knows single records. */
export async function viewLives(
  chain: ChainAccess,
  of: Hash | undefined,
  signal: AbortSignal | undefined,
): Promise<ModelLivesView> {
  const { market, source } = chain
  if (source === 'light' && of !== undefined) {
    const [{ height }, model] = await Promise.all([chain.head(signal), market.model(of, signal)])
    return { height, models: [model] }
  }
  const [{ height }, all, { proposals }] = await Promise.all([
    chain.head(signal),
    market.models(signal),
    chain.parameters(signal),
  ])
  // What is not there is refused with the chain's own words.
  if (of !== undefined && !all.some(({ model }) => model === of)) await market.model(of, signal)
  const models = await Promise.all(
    (of === undefined ? all : lineOf(all, of)).map(async (model): Promise<ModelLifeView> => {
      const own = proposals?.filter((proposal) => proposal.model?.model === model.model)
      const readiness = model.status === 'approved' ? await market.readiness(model.model, signal) : undefined
      return {
        ...model,
        ...(own === undefined ? {} : { proposals: own }),
        ...(readiness === undefined ? {} : { readiness }),
      }
    }),
  )
  return { height, models }
}

/** Those that follow each other, directly or over others. */
function lineOf(all: readonly ModelView[], of: Hash): readonly ModelView[] {
  const line = new Set<Hash>([of])
  for (let size = 0; size < line.size; ) {
    size = line.size
    for (const { model, predecessor, successor } of all) {
      const near = [predecessor, successor].filter((each) => each !== undefined)
      if (line.has(model)) for (const each of near) line.add(each)
      else if (near.some((each) => line.has(each))) line.add(model)
    }
  }
  return all.filter(({ model }) => line.has(model))
}
