/**
 * What a miner for pay sees of the chain: one look per block that all its duties share, and its placement, which hangs on a long list and is
 * asked for less often.
 * @module
 */
import type { AccountId, Hash } from '../../base/brand.ts'
import { codeOf } from '../../base/error.ts'
import { addressOfAccount } from '../../core/fields.ts'
import { PARAMETER_NAMES, type Parameters } from '../../core/parameters.ts'
import type { ChainAccess, HeadView, ParametersView } from '../chain/chain-access.ts'
import type { MinerView, ModelView, PlacementView } from '../chain/market-access.ts'
import { createSerial } from '../store/serial.ts'

/** Of the operator. */
export interface OwnSight {
  readonly head: HeadView
  readonly parameters: Parameters
  /** undefined: the operator is no miner. */
  readonly miner: MinerView | undefined
  /** Grains of the operator. */
  readonly balance: bigint
}

/** And of one model. */
export interface Sight extends OwnSight {
  /** undefined: nobody registered the model. */
  readonly model: ModelView | undefined
}

/** What the duties of one model see. */
export interface Survey {
  /** Of this block or a newer one. */
  at(head: HeadView, signal: AbortSignal): Promise<Sight>
  /** The newest sight; undefined before the first. */
  readonly latest: Sight | undefined
  /** The operator's placement, at most `ageMax` blocks old. */
  placement(head: HeadView, ageMax: number, signal: AbortSignal): Promise<PlacementView | undefined>
  /** A transaction of ours changed something: the next look is a new one. */
  forget(): void
}

export interface OwnSurvey {
  /** Of this block or a newer one. */
  at(head: HeadView, signal: AbortSignal): Promise<OwnSight>
  readonly latest: OwnSight | undefined
  /** The survey of a model; the same for all who ask. */
  of(model: Hash): Survey
  forget(): void
}

export interface SurveyOptions {
  readonly chain: ChainAccess
  readonly operator: AccountId
}

/** Blocks after which parameters are asked for again: votes take days. */
const PARAMETERS_BLOCKS = 30

export function createSurvey(options: SurveyOptions): OwnSurvey {
  const { chain, operator } = options
  const models = new Map<Hash, ModelSurvey>()
  let parameters: { readonly values: Parameters; readonly height: number } | undefined
  const parametersAt = async (height: number, signal: AbortSignal): Promise<Parameters> => {
    if (parameters === undefined || height - parameters.height > PARAMETERS_BLOCKS) {
      parameters = { values: valuesOf(await chain.parameters(signal)), height }
    }
    return parameters.values
  }
  const own = createShared<OwnSight>(async (head, signal) => {
    const [values, account, miner] = await Promise.all([
      parametersAt(head.height, signal),
      chain.account(operator, signal),
      unlessUnknown(chain.market.miner(operator, signal)),
    ])
    return { head, parameters: values, miner, balance: BigInt(account.balance) }
  })
  const forget = (): void => {
    own.forget()
    for (const survey of models.values()) survey.drop()
  }
  return {
    ...{ at: own.at, forget },
    get latest() {
      return own.latest
    },
    of(model) {
      const known = models.get(model)
      if (known !== undefined) return known
      const survey = createModelSurvey(model, { ...options, own, forget })
      models.set(model, survey)
      return survey
    },
  }
}

interface ModelSurvey extends Survey {
  /** The next look is a new one, of this model alone. */
  drop(): void
}

interface OwnParts extends SurveyOptions {
  readonly own: Shared<OwnSight>
  readonly forget: () => void
}

function createModelSurvey(model: Hash, { chain, operator, own, forget }: OwnParts): ModelSurvey {
  const address = addressOfAccount(operator, chain.network.kind)
  const serial = createSerial()
  let placed: { readonly view: PlacementView | undefined; readonly height: number } | undefined
  const shared = createShared<Sight>(async (head, signal) => {
    const [sight, view] = await Promise.all([own.at(head, signal), unlessUnknown(chain.market.model(model, signal))])
    return { ...sight, model: view }
  })
  return {
    ...{ at: shared.at, forget },
    get latest() {
      return shared.latest
    },
    placement: (head, ageMax, signal) =>
      serial(async () => {
        if (placed === undefined || head.height - placed.height > ageMax) {
          const all = await unlessUnknown(chain.market.placements(model, signal))
          placed = { view: all?.find((each) => each.operator === address), height: head.height }
        }
        return placed.view
      }),
    drop() {
      shared.forget()
      placed = undefined
    },
  }
}

interface Shared<Found> {
  at(head: HeadView, signal: AbortSignal): Promise<Found>
  readonly latest: Found | undefined
  forget(): void
}

/** One look per block for all who ask. */
function createShared<Found extends { readonly head: HeadView }>(
  look: (head: HeadView, signal: AbortSignal) => Promise<Found>,
): Shared<Found> {
  const serial = createSerial()
  let latest: Found | undefined
  let isStale = false
  return {
    at: (head, signal) =>
      serial(async () => {
        if (latest !== undefined && !isStale && latest.head.height >= head.height) return latest
        isStale = false
        latest = await look(head, signal)
        return latest
      }),
    get latest() {
      return latest
    },
    forget() {
      isStale = true
    },
  }
}

function valuesOf({ values }: ParametersView): Parameters {
  return Object.fromEntries(PARAMETER_NAMES.map((name) => [name, BigInt(values[name])])) as Parameters
}

const UNKNOWN_CODES: readonly unknown[] = ['NO_SUCH_MODEL', 'NO_SUCH_MINER']

async function unlessUnknown<Found>(asking: Promise<Found>): Promise<Found | undefined> {
  return asking.catch((error: unknown) => {
    if (UNKNOWN_CODES.includes(codeOf(error))) return undefined
    throw error
  })
}
