/**
 * Why nothing came in, by what the chain says: the first thing on the way to pay that is missing. Spec: docs/spec/cli.md §12.
 * @module
 */
import type { MinersNow, UnsettledLot } from './earnings-now.ts'
import type { MarketAccess } from './market-access.ts'
import { count } from './text-parts.ts'

export interface Why {
  readonly code: 'NO_MINER' | 'NOT_REGISTERED' | 'SLASHED_OUT' | 'DRAINING' | 'NOT_SETTLED' | 'NOT_PLACED' | 'NO_LEASES'
  readonly message: string
}

export interface WhyFacts {
  /** Addresses that were asked for. */
  readonly accounts: ReadonlySet<string>
  readonly now: MinersNow
  /** The oldest block that the node knows about. */
  readonly since: number
}

export async function whyNothing(
  { accounts, now, since }: WhyFacts,
  { market, signal }: { readonly market: MarketAccess; readonly signal: AbortSignal },
): Promise<Why> {
  const known = whyOf(accounts, now)
  if (known !== undefined) return known
  const addresses = new Set(now.miners.map(({ address }) => address))
  for (const { model } of await market.models(signal)) {
    const placements = await market.placements(model, signal)
    if (!placements.some(({ operator, live }) => live && addresses.has(operator))) continue
    const message = `It offers segments, and no lease with a lot of it was settled since block ${since}.`
    return { code: 'NO_LEASES', message }
  }
  const message = 'No placement of it is live, so no lease can name it: its miner does not run. `dllm mine` starts it.'
  return { code: 'NOT_PLACED', message }
}

/** As far as placements need not be known. */
function whyOf(accounts: ReadonlySet<string>, { miners, lots }: MinersNow): Why | undefined {
  const [first] = accounts
  if (first === undefined) {
    const message =
      'No miner of this machine is on the chain. `dllm mine --wallet NAME` earns; `--miner ADDRESS` looks at another.'
    return { code: 'NO_MINER', message }
  }
  if (miners.length === 0) {
    const who = accounts.size === 1 ? first : `None of ${count(accounts.size, 'account')}`
    const message = `${who} is ${accounts.size === 1 ? 'no' : 'a'} miner of the chain, so no lease names it. \`dllm mine --wallet NAME\` registers one.`
    return { code: 'NOT_REGISTERED', message }
  }
  if (lots.length > 0) return { code: 'NOT_SETTLED', message: notSettled(lots) }
  const statuses = new Set(miners.map(({ status }) => status))
  if (statuses.has('active')) return undefined
  return statuses.has('draining')
    ? { code: 'DRAINING', message: 'It took its deposit back, and gets no new leases.' }
    : { code: 'SLASHED_OUT', message: 'An audit took its deposit, and it gets no new leases.' }
}

function notSettled(lots: readonly UnsettledLot[]): string {
  const due = lots.flatMap(({ untilHeight }) => untilHeight ?? [])
  const next = due.length === 0 ? 'when their audits have ended' : `the next not before block ${Math.min(...due)}`
  return `${count(lots.length, 'lot')} of leases that are not settled: pay comes when they are, ${next}.`
}
