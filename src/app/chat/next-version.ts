/**
 * Whether another version took the place of a model for which no ring can be had.
 * Spec: docs/spec/market.md §13.
 * @module
 */
import type { Hash } from '../../base/brand.ts'
import { codeOf, HouseError } from '../../base/error.ts'
import type { ModelView } from '../chain/market-access.ts'

export interface NextVersion {
  /** Hash of its manifest. */
  readonly model: Hash
  readonly name: string
}

/** What is asked of a chain. */
export interface VersionChain {
  readonly market: {
    model(model: Hash, signal: AbortSignal): Promise<Pick<ModelView, 'name' | 'status' | 'successor'>>
    models(signal: AbortSignal): Promise<readonly Pick<ModelView, 'model' | 'name' | 'predecessor' | 'status'>[]>
  }
  close(): Promise<void>
}

export interface VersionQuestion {
  /** The model that was asked for. */
  readonly model: Hash
  /** undefined: the network has no chain. It is closed after the question. */
  readonly open: () => Promise<VersionChain | undefined>
  /** What took its place as far as it is known here; undefined: nobody has seen that. */
  readonly remembered?: Hash | undefined
}

/** With these a ring may fail to come about because nobody serves the model any more. */
const ENDED: ReadonlySet<string | undefined> = new Set([
  'MODEL_SUPERSEDED',
  'MODEL_RETIRED',
  'NO_SUCH_MODEL',
  'RING_NO_ROUTE',
])

/** undefined: none did, or the chain cannot be asked; then `why` says more than that. */
export async function nextVersion(
  why: unknown,
  { model, open, remembered }: VersionQuestion,
  signal: AbortSignal,
): Promise<NextVersion | undefined> {
  if (!(why instanceof HouseError) || !ENDED.has(why.code)) return undefined
  try {
    const chain = await open()
    if (chain === undefined) return undefined
    try {
      return await versionOn(chain, { model, remembered }, signal)
    } finally {
      await chain.close()
    }
  } catch (error) {
    if (codeOf(error) === undefined) throw error
    return undefined
  }
}

async function versionOn(
  { market }: VersionChain,
  { model, remembered }: Omit<VersionQuestion, 'open'>,
  signal: AbortSignal,
): Promise<NextVersion | undefined> {
  try {
    const { status, successor } = await market.model(model, signal)
    if (successor !== undefined) return { model: successor, name: (await market.model(successor, signal)).name }
    if (status !== 'retired') return undefined
  } catch (error) {
    if (codeOf(error) !== 'NO_SUCH_MODEL') throw error
  }
  // Its record is gone, or is there for its last lots and says no more than that. Who has seen what took its place knows; else the one that did still names it, but lists need a full node.
  if (remembered !== undefined) return { model: remembered, name: await nameOn(market, remembered, signal) }
  const later = (await market.models(signal)).find(
    ({ predecessor, status }) => predecessor === model && status !== 'published',
  )
  return later === undefined ? undefined : { model: later.model, name: later.name }
}

/** Its hash where its record is gone too. */
async function nameOn(market: VersionChain['market'], model: Hash, signal: AbortSignal): Promise<string> {
  try {
    return (await market.model(model, signal)).name
  } catch (error) {
    if (codeOf(error) !== 'NO_SUCH_MODEL') throw error
    return model
  }
}
