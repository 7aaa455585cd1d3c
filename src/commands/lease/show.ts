/**
 * `dllm lease show ID`: one lease.
 * @module
 */
import { Args } from '@oclif/core'
import { ChainCommand } from '../../app/chain-command.ts'

export default class LeaseShow extends ChainCommand {
  static override summary = 'Show a lease: who serves which lot, what is set aside and claimed.'
  static override description =
    'Of a lease that is settled it shows who was paid what, where a full node answers that was there when it ended.'
  static override examples = ['<%= config.bin %> lease show 5f1c…', '<%= config.bin %> lease show 5f1c… --json']
  static override args = {
    id: Args.string({ ignoreStdin: true, description: '64 hexadecimal digits.', required: true }),
  }

  async run(): Promise<object> {
    const { args, flags } = await this.parse(LeaseShow)
    const { parseLeaseId } = await import('../../app/chain/arguments.ts')
    const { leaseOrSettlement } = await import('../../app/chain/lease-or-settlement.ts')
    const id = parseLeaseId(args.id)
    const chain = await this.chain(flags)
    const found = await leaseOrSettlement(chain.market, id, this.signal)
    if (found.type === 'settlement') {
      const { settlementText } = await import('../../app/chain/earnings-text.ts')
      this.print(settlementText(found.settlement))
      return found.settlement
    }
    const { leaseText } = await import('../../app/chain/market-text.ts')
    const { height } = await chain.head(this.signal)
    this.print(leaseText(found.lease, height))
    return found.lease
  }
}
