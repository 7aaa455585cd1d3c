/**
 * `dllm lease list`: the leases that an account pays for, or serves.
 * @module
 */
import { Flags } from '@oclif/core'
import { ChainCommand, holderFlags } from '../../app/chain-command.ts'
import { NODE_LIMITS } from '../../base/chain-limits.ts'

export default class LeaseList extends ChainCommand {
  static override summary = 'List the leases that an account pays for, or serves.'
  static override description =
    'Leases are listed until they are settled; those with which chats of this machine pay have a mark. Needs a full node: nobody can prove to a light client that a list is whole.'
  static override examples = ['<%= config.bin %> lease list', '<%= config.bin %> lease list --operator ldllm1… --json']
  static override flags = {
    payer: Flags.string({
      description: "Whose; the wallet's own account if left out.",
      helpValue: 'ADDRESS',
      exclusive: ['operator'],
    }),
    operator: Flags.string({ description: 'Those with a lot that this miner serves.', helpValue: 'ADDRESS' }),
    limit: Flags.integer({
      description: 'How many at most.',
      default: 20,
      min: 1,
      max: NODE_LIMITS.historyMax,
      helpValue: 'NUMBER',
    }),
    ...holderFlags,
  }

  async run(): Promise<object> {
    const { flags } = await this.parse(LeaseList)
    const [{ parseAccount }, { firstEntries }, { leasesText }] = await Promise.all([
      import('../../app/chain/arguments.ts'),
      import('../../app/chain/market-pages.ts'),
      import('../../app/chain/market-text.ts'),
    ])
    const { network } = await this.walletContext(flags)
    const given = flags.operator ?? flags.payer
    const address = given ?? (await this.holder(flags)).address
    const id = parseAccount(address, network)
    const wanted = flags.operator === undefined ? { payer: id } : { operator: id }
    const { market } = await this.chain(flags)
    const found = await firstEntries((page) => market.leases({ ...wanted, ...page }, this.signal), flags.limit)
    const { height, entries: leases, more } = found
    const kept = new Set((await (await this.leaseBook(flags))?.list())?.map(({ id }) => id))
    const here = leases.filter(({ id }) => kept.has(id)).map(({ id }) => id)
    this.print(leasesText(leases, { more, here, whose: address }))
    return { height, leases, more, here }
  }
}
