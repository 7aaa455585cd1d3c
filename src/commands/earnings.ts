/**
 * `dllm earnings`: what mining brought, what is to come, and why nothing did.
 * @module
 */
import { Flags } from '@oclif/core'
import type { GlobalFlags } from '../app/base-command.ts'
import type { EarningsView } from '../app/chain/earnings-report.ts'
import { ChainCommand } from '../app/chain-command.ts'
import { type PasswordFlags, passwordFlags } from '../app/wallet-command.ts'
import type { AccountId } from '../base/brand.ts'
import { NODE_LIMITS } from '../base/chain-limits.ts'

interface WhoseFlags extends GlobalFlags, PasswordFlags {
  readonly wallet?: string | undefined
  readonly accounts: number
  readonly miner?: string[] | undefined
}

/** Of a text; JSON and CSV have all that was read. */
const ENTRIES_SHOWN = 10

export default class Earnings extends ChainCommand {
  static override summary = 'Show what mining brought: by day, miner and model, and what is to come.'
  static override description =
    `Of the wallet's operator account and the miners whose keys are in the data folder, or of those that --miner names. Where nothing came in it says why. Needs a full node, which knows what was settled since it has the chain.

Claimable: pay of leases that are not settled yet, claimed or promised to a miner of this machine. Days are those of UTC.`
  static override examples = [
    '<%= config.bin %> earnings',
    '<%= config.bin %> earnings --wallet default --since 2026-11-01',
    '<%= config.bin %> earnings --miner ldllm1… --json',
    '<%= config.bin %> earnings --csv > earnings.csv',
  ]
  static override flags = {
    wallet: Flags.string({
      description: 'Name of the wallet; without it, the one of the setting "wallet".',
      helpValue: 'NAME',
    }),
    accounts: Flags.integer({
      description: 'How many operator accounts of the wallet; more than one needs its password.',
      ...{ default: 1, min: 1, max: NODE_LIMITS.earningsAccountsMax, helpValue: 'NUMBER' },
    }),
    miner: Flags.string({
      description: 'Operator or payout account of a miner, instead; as often as there are some.',
      ...{ multiple: true, helpValue: 'ADDRESS', exclusive: ['wallet', 'accounts'] },
    }),
    since: Flags.string({ description: 'Nothing before this day or time, in UTC.', helpValue: 'DATE' }),
    limit: Flags.integer({
      description: `Entries at most; ${ENTRIES_SHOWN} if left out, all with --json and --csv.`,
      ...{ min: 0, max: NODE_LIMITS.earningsRecordsMax, helpValue: 'NUMBER' },
    }),
    csv: Flags.boolean<boolean>({
      description: 'Print a line of comma-separated values per entry.',
      exclusive: ['json'],
    }),
    ...passwordFlags,
  }

  async run(): Promise<object> {
    const { flags } = await this.parse(Earnings)
    const [{ parseDate }, { createEarningsLook }] = await Promise.all([
      import('../app/chain/parse-date.ts'),
      import('../app/chain/earnings-look.ts'),
    ])
    const fromMs = flags.since === undefined ? undefined : parseDate(flags.since)
    const accounts = await this.#accounts(flags)
    const all = flags.csv || this.jsonEnabled()
    const wish = {
      ...{ accounts, withLocal: flags.miner === undefined, fromMs, recordsMax: NODE_LIMITS.earningsRecordsMax },
      limit: flags.limit ?? (all ? NODE_LIMITS.earningsRecordsMax : ENTRIES_SHOWN),
    }
    const system = this.system(flags)
    const chain = await this.chain(flags)
    const look = createEarningsLook({ home: await this.home(flags), chain }, wish, system)
    const view = await look.look(this.signal)
    await this.#show(view, { csv: flags.csv, sinceText: flags.since, nowMs: system.clock.wallMs() })
    return view
  }

  async #show(
    view: EarningsView,
    how: { readonly csv: boolean; readonly sinceText: string | undefined; readonly nowMs: number },
  ): Promise<void> {
    if (how.csv) {
      const { earningsCsv } = await import('../app/chain/earnings-csv.ts')
      this.write(earningsCsv(view.entries))
      return
    }
    const { earningsText } = await import('../app/chain/earnings-text.ts')
    this.print(earningsText(view, how))
  }

  /** Those that were named, or the operator accounts of a wallet; none where nobody named it and there is none. */
  async #accounts(flags: WhoseFlags): Promise<readonly AccountId[]> {
    const { wallets, network, name } = await this.walletContext(flags)
    if (flags.miner !== undefined) {
      const { parseAccount } = await import('../app/chain/arguments.ts')
      return flags.miner.map((address) => parseAccount(address, network))
    }
    const { operatorAccounts } = await import('../app/chain/operator-accounts.ts')
    const wallet = name(flags.wallet)
    const wish = { wallet, network, count: flags.accounts, isNamed: flags.wallet !== undefined }
    return operatorAccounts(wallets, wish, () => this.openWallet(wallets, wallet, flags))
  }
}
