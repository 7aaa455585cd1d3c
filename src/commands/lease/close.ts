/**
 * `dllm lease close ID`: the payer ends its lease.
 * @module
 */
import { Args } from '@oclif/core'
import { ChainCommand, senderFlags } from '../../app/chain-command.ts'

export default class LeaseClose extends ChainCommand {
  static override summary = 'End a lease that you pay for: no more work; what is left comes back.'
  static override description =
    'Miners claim what vouchers promised them for some time still, and work may be audited. Then the rest of what was set aside returns.'
  static override examples = [
    '<%= config.bin %> lease close 5f1c…',
    '<%= config.bin %> lease close 5f1c… --yes --password-file password.txt',
  ]
  static override args = {
    id: Args.string({ ignoreStdin: true, description: '64 hexadecimal digits.', required: true }),
  }
  static override flags = senderFlags

  async run(): Promise<object> {
    const { args, flags } = await this.parse(LeaseClose)
    const { parseLeaseId } = await import('../../app/chain/arguments.ts')
    const { closeLeaseCall } = await import('../../app/chain/calls.ts')
    const id = parseLeaseId(args.id)
    const closed = await this.send(flags, async ({ chain, holder }) => {
      const lease = await chain.market.lease(id, this.signal)
      const { values } = await chain.parameters(this.signal)
      const caller = { kind: holder.choice.network, id: holder.id }
      return { call: closeLeaseCall(lease, caller, values.disputeBlocks) }
    })
    // The next chat must not try it with miners that know of it no more.
    await (await this.leaseBook(flags))?.forget(id)
    return closed
  }
}
