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

export interface Sight {
  readonly head: HeadView
  readonly parameters: Parameters
  /** undefined: nobody registered the model. */
  readonly model: ModelView | undefined
  /** undefined: the operator is no miner. */
  readonly miner: MinerView | undefined
  /** Grains of the operator. */
  readonly balance: bigint
}

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

export interface SurveyOptions {
  readonly chain: ChainAccess
  readonly operator: AccountId
  readonly model: Hash
}

/** Blocks after which parameters are asked for again: votes take days. */
const PARAMETERS_BLOCKS = 30

export function createSurvey({ chain, operator, model }: SurveyOptions): Survey {
  const serial = createSerial()
  const address = addressOfAccount(operator, chain.network.kind)
  let latest: Sight | undefined
  let isStale = false
  let parameters: { readonly values: Parameters; readonly height: number } | undefined
  let placed: { readonly view: PlacementView | undefined; readonly height: number } | undefined

  const parametersAt = async (height: number, signal: AbortSignal): Promise<Parameters> => {
    if (parameters === undefined || height - parameters.height > PARAMETERS_BLOCKS) {
      parameters = { values: valuesOf(await chain.parameters(signal)), height }
    }
    return parameters.values
  }
  const look = async (head: HeadView, signal: AbortSignal): Promise<Sight> => {
    if (latest !== undefined && !isStale && latest.head.height >= head.height) return latest
    isStale = false
    const [values, account, view, miner] = await Promise.all([
      parametersAt(head.height, signal),
      chain.account(operator, signal),
      unlessUnknown(chain.market.model(model, signal)),
      unlessUnknown(chain.market.miner(operator, signal)),
    ])
    latest = { head, parameters: values, model: view, miner, balance: BigInt(account.balance) }
    return latest
  }
  return {
    at: (head, signal) => serial(() => look(head, signal)),
    get latest() {
      return latest
    },
    placement: (head, ageMax, signal) =>
      serial(async () => {
        if (placed === undefined || head.height - placed.height > ageMax) {
          const all = await unlessUnknown(chain.market.placements(model, signal))
          placed = { view: all?.find((each) => each.operator === address), height: head.height }
        }
        return placed.view
      }),
    forget() {
      isStale = true
      placed = undefined
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
