/**
 * `dllm lease show ID`: one lease.
 * @module
 */
import { Args } from '@oclif/core'
import { ChainCommand } from '../../app/chain-command.ts'

export default class LeaseShow extends ChainCommand {
  static override summary = 'Show a lease: who serves which lot, what is set aside and claimed.'
  static override description = 'A lease that is settled is gone.'
  static override examples = ['<%= config.bin %> lease show 5f1c…', '<%= config.bin %> lease show 5f1c… --json']
  static override args = {
    id: Args.string({ ignoreStdin: true, description: '64 hexadecimal digits.', required: true }),
  }

  async run(): Promise<object> {
    const { args, flags } = await this.parse(LeaseShow)
    const { parseLeaseId } = await import('../../app/chain/arguments.ts')
    const { leaseText } = await import('../../app/chain/market-text.ts')
    const id = parseLeaseId(args.id)
    const chain = await this.chain(flags)
    const lease = await chain.market.lease(id, this.signal)
    const { height } = await chain.head(this.signal)
    this.print(leaseText(lease, height))
    return lease
  }
}
