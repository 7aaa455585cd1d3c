/**
 * `dllm wallet send AMOUNT ADDRESS`: a transfer.
 * @module
 */
import { Args, Flags } from '@oclif/core'
import { ChainCommand, senderFlags } from '../../app/chain-command.ts'

export default class WalletSend extends ChainCommand {
  static override summary = 'Send DLLM to an address.'
  static override description =
    'Shows amount, address and fee before anything is signed, and asks at a terminal. A final transfer cannot be taken back. Exit code 5: not enough money.'
  static override examples = [
    '<%= config.bin %> wallet send 12.5 ldllm1…',
    '<%= config.bin %> wallet send 3 ldllm1… --memo rent --yes --password-file password.txt',
  ]
  static override args = {
    amount: Args.string({ ignoreStdin: true, description: 'How much, in DLLM.', required: true }),
    address: Args.string({ ignoreStdin: true, description: 'To whom.', required: true }),
  }
  static override flags = {
    memo: Flags.string({ description: 'A remark of at most 128 bytes that everybody can read.', helpValue: 'TEXT' }),
    ...senderFlags,
  }

  async run(): Promise<object> {
    const { args, flags } = await this.parse(WalletSend)
    const { transferCall } = await import('../../app/chain/calls.ts')
    const typed = { ...args, memo: flags.memo }
    return this.send(flags, ({ holder }) => ({ call: transferCall(typed, holder.choice.network) }))
  }
}
