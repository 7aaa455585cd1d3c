/**
 * `dllm dashboard`: chain, network, work and earnings on one screen.
 * @module
 */
import { Flags } from '@oclif/core'
import { BaseCommand, InterruptError } from '../app/base-command.ts'
import type { DashboardStore } from '../app/dashboard/store.ts'

export default class Dashboard extends BaseCommand {
  static override summary = 'Show chain, network, work and earnings on one screen, as they change.'
  static override description =
    'Starts nothing. Needs a terminal of 80 × 24. Without a terminal, and with --once, it prints one snapshot as text; with --json a line per second until Ctrl-C, or with --once one object.'
  static override examples = [
    '<%= config.bin %> dashboard',
    '<%= config.bin %> dashboard --wallet default',
    '<%= config.bin %> dashboard --once --json',
  ]
  static override flags = {
    model: Flags.string({ char: 'm', description: 'Model whose miners are shown.', helpValue: 'NAME' }),
    wallet: Flags.string({ description: 'Wallet whose balances are shown.', helpValue: 'NAME' }),
    once: Flags.boolean<boolean>({ description: 'Print one snapshot and end.' }),
  }

  async run(): Promise<object> {
    const { flags } = await this.parse(Dashboard)
    const { openDashboard } = await import('../app/dashboard/open-dashboard.ts')
    const home = await this.home(flags)
    const isScreen = !flags.once && !this.jsonEnabled() && process.stdin.isTTY === true && process.stdout.isTTY === true
    const { createSystem } = await import('../app/system.ts')
    // A log on stderr would be written across the screen.
    const system = isScreen
      ? createSystem(flags.verbose ? { level: 'debug', logFile: home.file('dashboard.log') } : { level: 'silent' })
      : this.system(flags)
    const store = await openDashboard(home, flags, system)
    try {
      if (isScreen) return await this.#show(store)
      return await (this.jsonEnabled() && !flags.once ? this.#stream(store) : this.#once(store))
    } finally {
      await store.close()
    }
  }

  async #show(store: DashboardStore): Promise<object> {
    const { showDashboard } = await import('../tui/show-dashboard.ts')
    const hasColor = (process.env['NO_COLOR'] ?? '') === ''
    const left = await showDashboard({ store, signal: this.signal, hasColor })
    if (left === 'interrupted') throw new InterruptError('INTERRUPTED', 'Interrupted.')
    return {}
  }

  async #once(store: DashboardStore): Promise<object> {
    const { dashboardText, lookOnce } = await import('../app/dashboard/open-dashboard.ts')
    const view = await lookOnce(store, this.signal)
    this.print(dashboardText(view))
    return view
  }

  /** A line per look at the clock; what is not there yet has the code LOOKING. */
  async #stream(store: DashboardStore): Promise<object> {
    let emitted = 0
    store.subscribe(() => {
      const view = store.view()
      if (view.timeMs - emitted < 1_000 || process.stdout.writableNeedDrain) return
      emitted = view.timeMs
      this.emit(view)
    })
    await store.run(this.signal)
    this.signal.throwIfAborted()
    return { type: 'ended' }
  }
}
