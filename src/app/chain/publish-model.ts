/**
 * The publish command's work: a stored model, its canary, and the call that registers it. Spec: docs/spec/cli.md §15.
 * @module
 */
import { UsageError } from '../base-command.ts'
import { makeModelCanary } from '../canary/canary-maker.ts'
import type { Home } from '../home.ts'
import { openModelStore, type StoredModel } from '../model-store.ts'
import { genesisModel } from '../model-work.ts'
import type { FileId } from '../shards/chunk-source.ts'
import { openHomeStore } from '../shards/home-store.ts'
import type { System } from '../system.ts'
import type { ChainCall } from './calls.ts'
import type { ChainAccess } from './chain-access.ts'
import { publishCall, publishedModel } from './model-calls.ts'
import { modelHashOf } from './model-hash.ts'

export interface PublishOrder {
  /** Name of a model on this machine. */
  readonly name: string
  /** As typed: name or hash of the model whose place it is to take. */
  readonly supersedes: string | undefined
  /** As typed, grains per compute unit. */
  readonly price: string | undefined
  /** undefined: if it is to take a place. */
  readonly canary: boolean | undefined
  /** Of the engine that makes the canary. */
  readonly threads: number
  readonly note: (line: string) => void
}

export interface PublishPorts {
  readonly home: Home
  readonly system: System
  readonly signal: AbortSignal
}

/** Reads what was typed; the rest waits for the chain. @throws ModelError. */
export function preparePublication(
  order: PublishOrder,
  { home, system, signal }: PublishPorts,
): (chain: ChainAccess) => Promise<ChainCall> {
  const stored = openModelStore({ home: home.path }).find(order.name)
  const superseded = order.supersedes === undefined ? undefined : modelHashOf(home, order.supersedes)
  return async (chain) => {
    const [{ values }, supersedes] = await Promise.all([
      chain.parameters(signal),
      superseded === undefined ? undefined : chain.market.model(superseded, signal),
    ])
    if (supersedes?.name === stored.manifest.name) throw sameName(order.name)
    const model = publishedModel((price) => genesisModel(stored, price), order.price, { supersedes, values })
    const isCanaried = order.canary ?? supersedes !== undefined
    const canary = isCanaried ? await canaryOf(stored, order, { home, system, signal }) : undefined
    return publishCall(model, { supersedes, canary, deposit: BigInt(values.modelDeposit) })
  }
}

/** Miners keep models by their names, and serve both for a while. */
function sameName(name: string): UsageError {
  const message = `The model whose place it is to take is called ${name} as well, so that nobody who serves that one could fetch it. Import it under another name.`
  return new UsageError('USAGE', message)
}

async function canaryOf(
  model: StoredModel,
  { threads, note }: PublishOrder,
  { home, system, signal }: PublishPorts,
): Promise<FileId> {
  const onSegment = (segment: number, count: number): void => note(`Canary: segment ${segment + 1} of ${count}`)
  const order = {
    home: home.path,
    store: await openHomeStore(home),
    model,
    engine: 'auto',
    threads,
    onSegment,
  } as const
  return makeModelCanary(order, system, signal)
}
