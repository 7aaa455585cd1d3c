/**
 * Whose earnings are asked for: accounts that somebody named, or those of a wallet and of the miners whose keys are on this machine.
 * Spec: docs/spec/cli.md §12.
 * @module
 */
import type { AccountId } from '../../base/brand.ts'
import { NODE_LIMITS } from '../../base/chain-limits.ts'
import { accountOfAddress } from '../../core/fields.ts'
import type { NetworkKind } from '../../core/network-kind.ts'
import type { LocalMiner } from './earnings-machine.ts'
import type { MarketAccess } from './market-access.ts'
import { firstEntries } from './market-pages.ts'

/** Miners of the chain among whom those of this machine are looked for. */
const MINERS_MAX = 2_048

export interface SubjectParts {
  readonly market: MarketAccess
  readonly kind: NetworkKind
  readonly signal: AbortSignal
}

/** `own` and the operators of the miners of this machine; each once, as many as can be asked for. */
export async function withLocalMiners(
  own: readonly AccountId[],
  local: readonly LocalMiner[],
  { market, kind, signal }: SubjectParts,
): Promise<readonly AccountId[]> {
  const keys = new Set(local.map(({ peerKey }) => peerKey))
  const { entries } =
    keys.size === 0 ? { entries: [] } : await firstEntries((page) => market.miners(page, signal), MINERS_MAX)
  const here = entries.filter(({ peerKey }) => keys.has(peerKey))
  const all = new Set([...own, ...here.map(({ address }) => accountOfAddress(address, kind))])
  return [...all].slice(0, NODE_LIMITS.earningsAccountsMax)
}
