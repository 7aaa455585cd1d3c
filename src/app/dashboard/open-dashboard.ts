/**
 * Puts the dashboard together: what is watched, by the settings, and the lookers of this machine. And its text for those
 * without a terminal. Spec: docs/spec/cli.md §9.
 * @module
 */
import { HouseError } from '../../base/error.ts'
import { addressKindOf } from '../chain/address-kind.ts'
import { wrapped } from '../chain/text-parts.ts'
import { loadConfig } from '../config.ts'
import type { Home } from '../home.ts'
import { openModelStore } from '../model-store.ts'
import { loadNetwork } from '../networks.ts'
import type { System } from '../system.ts'
import { createWallets } from '../wallet.ts'
import { createChainLooker } from './chain-looker.ts'
import { createMinersLooker } from './miners-looker.ts'
import { howToStart, panelsOf } from './panels.ts'
import { createDashboardStore, type DashboardStore } from './store.ts'
import type { DashboardView } from './view.ts'

export class DashboardError extends HouseError<'DASHBOARD_NOTHING_RUNS'> {}

export interface DashboardFlags {
  readonly network: string | undefined
  readonly model: string | undefined
  readonly wallet: string | undefined
}

/** The caller closes it. @throws NetworkError, ModelStoreError, WalletFileError for names that are not there. */
export async function openDashboard(home: Home, flags: DashboardFlags, system: System): Promise<DashboardStore> {
  const { network: networkFlag, model: modelFlag, wallet } = flags
  const config = await loadConfig({ home, env: process.env, flags: { network: networkFlag, model: modelFlag } })
  const model = openModelStore({ home: home.path }).find(config.settings.model)
  const network = await loadNetwork(home, config.settings.network)
  if (wallet !== undefined) {
    const kind = await addressKindOf(home, network.id)
    await createWallets({ folder: home.file('wallets') }, system).show(wallet, kind)
  }
  const { name, segments } = model.manifest
  const named = wallet === undefined ? {} : { wallet }
  const subject = { network: network.id, model: name, segmentCount: segments.length, ...named }
  const chain = createChainLooker({ home, network, model: model.hash, wallet }, system)
  const miners = createMinersLooker({ home, network, model }, system)
  return createDashboardStore(subject, { chain, miners }, system.clock)
}

/** One look. @throws DashboardError DASHBOARD_NOTHING_RUNS, which says how to start. */
export async function lookOnce(store: DashboardStore, signal: AbortSignal): Promise<DashboardView> {
  const view = await store.lookOnce(signal)
  const message = howToStart(view)
  if (message === undefined) return view
  throw new DashboardError('DASHBOARD_NOTHING_RUNS', message, { details: { network: view.network } })
}

const LABEL_COLUMNS = 12

/** All panels below each other, 80 columns wide. */
export function dashboardText(view: DashboardView): string {
  const texts = panelsOf(view).map(({ title, rows }) => {
    const lines = rows.map(({ label, value }) => {
      const head = label === '' ? '' : `${label} `.padEnd(LABEL_COLUMNS)
      return `  ${head}${wrapped(value, 2 + head.length)}\n`
    })
    return `${title}\n${lines.join('')}`
  })
  return texts.join('\n')
}
