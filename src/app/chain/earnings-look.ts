/**
 * Looks at the earnings of some accounts through a full node, once or at every block: who they are, what came, what is to come, and of miners
 * of this machine what the data folder adds. Spec: docs/spec/cli.md §12.
 * @module
 */
import { type AccountId, hash } from '../../base/brand.ts'
import { addressOfAccount } from '../../core/fields.ts'
import type { Home } from '../home.ts'
import { openModelStore } from '../model-store.ts'
import type { System } from '../system.ts'
import type { ChainAccess } from './chain-access.ts'
import { createEarningsFeed, type EarningsFeed, type EarningsKnown } from './earnings-feed.ts'
import { createPromises, type LocalMiner, lastNote, localMiners, type MinerNote } from './earnings-machine.ts'
import { type MinersNow, minersNow } from './earnings-now.ts'
import { type EarningsView, reportOf } from './earnings-report.ts'
import { withLocalMiners } from './earnings-subject.ts'
import { type Why, whyNothing } from './earnings-why.ts'

export interface EarningsWish {
  /** Operators or payout accounts. */
  readonly accounts: readonly AccountId[]
  /** And the miners whose keys are in this data folder. */
  readonly withLocal: boolean
  /** Unix time; nothing before it counts. */
  readonly fromMs?: number | undefined
  /** How many records are read at most, and how many entries are shown. */
  readonly recordsMax: number
  readonly limit: number
}

export interface EarningsLook {
  /** @throws LightMarketError LIGHT_NEEDS_NODE. */
  look(signal: AbortSignal): Promise<EarningsView>
}

/** Looks after which the miners of this machine are looked for anew, and why nothing came. */
const SEARCH_LOOKS = 15

export function createEarningsLook(
  { home, chain }: { readonly home: Home; readonly chain: ChainAccess },
  wish: EarningsWish,
  { clock, random }: System,
): EarningsLook {
  const { market, network } = chain
  const models = new Map(
    openModelStore({ home: home.path })
      .list()
      .map((model) => [String(model.hash), model.manifest.name]),
  )
  let looks = 0
  let local: readonly LocalMiner[] = []
  let accounts: readonly AccountId[] = []
  let feed: EarningsFeed | undefined
  let none: { readonly of: string; readonly why: Why } | undefined
  const promises = createPromises(home, network.networkId)
  const search = async (signal: AbortSignal): Promise<void> => {
    if (looks++ % SEARCH_LOOKS > 0) return
    none = undefined
    local = await localMiners(home, random)
    const at = { market, kind: network.kind, signal }
    const found = await withLocalMiners(wish.accounts, wish.withLocal ? local : [], at)
    if (feed !== undefined && found.join() === accounts.join()) return
    accounts = found
    const { recordsMax, fromMs } = wish
    feed = found.length === 0 ? undefined : createEarningsFeed(market, { accounts, recordsMax, fromMs })
  }
  return {
    async look(signal) {
      await search(signal)
      const known = feed === undefined ? await nothingKnown(chain, signal) : await feed.refresh(signal)
      const nameOf = (peerKey: string): string | undefined => local.find((one) => one.peerKey === peerKey)?.name
      const now = await minersNow(accounts, {
        ...{ market, signal },
        promised: async (peerKey, lease) => {
          const name = nameOf(peerKey)
          return name === undefined ? undefined : promises.counters(name, hash(lease))
        },
      })
      const addresses = new Set(accounts.map((account): string => addressOfAccount(account, network.kind)))
      const { names, notes } = await toldOf(now, nameOf, home)
      const parts = { accounts: addresses, known, now, names, notes, models, nowMs: clock.wallMs(), limit: wish.limit }
      const view = reportOf(parts)
      if (view.total.earned !== '0') return view
      // It may ask for the placements of all models.
      const about = JSON.stringify([...now.miners.map(({ status }) => status), now.lots])
      if (none?.of !== about) {
        const facts = { accounts: addresses, now, since: known.since }
        none = { of: about, why: await whyNothing(facts, { market, signal }) }
      }
      return { ...view, none: none.why }
    },
  }
}

async function nothingKnown(chain: ChainAccess, signal: AbortSignal): Promise<EarningsKnown> {
  const { height } = await chain.head(signal)
  return { height, since: 1, records: [], isWhole: true }
}

/** Names and notes of the miners that are of this machine, by their addresses. */
async function toldOf(
  { miners }: MinersNow,
  nameOf: (peerKey: string) => string | undefined,
  home: Home,
): Promise<{ readonly names: ReadonlyMap<string, string>; readonly notes: ReadonlyMap<string, MinerNote> }> {
  const names = new Map<string, string>()
  const notes = new Map<string, MinerNote>()
  for (const { address, peerKey } of miners) {
    const name = nameOf(peerKey)
    if (name === undefined) continue
    names.set(address, name)
    const note = await lastNote(home, name)
    if (note !== undefined) notes.set(address, note)
  }
  return { names, notes }
}
