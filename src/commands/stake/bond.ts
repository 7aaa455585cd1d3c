/**
 * `dllm stake bond AMOUNT`: DLLM become stake of a validator.
 * @module
 */
import { Args, Flags } from '@oclif/core'
import { ChainCommand, senderFlags } from '../../app/chain-command.ts'

export default class StakeBond extends ChainCommand {
  static override summary = 'Bond DLLM to a validator, for a share of its rewards.'
  static override description =
    'Bonded DLLM can be slashed when the validator signs twice. They count in votes from the epoch after the next.'
  static override examples = [
    '<%= config.bin %> stake bond 100 --validator ldllm1…',
    '<%= config.bin %> stake bond 5000 --wallet savings --yes',
  ]
  static override args = {
    amount: Args.string({ ignoreStdin: true, description: 'How much, in DLLM.', required: true }),
  }
  static override flags = {
    validator: Flags.string({ description: "Whose; the sender's own validator if left out.", helpValue: 'ADDRESS' }),
    ...senderFlags,
  }

  async run(): Promise<object> {
    const { args, flags } = await this.parse(StakeBond)
    const { bondCall } = await import('../../app/chain/calls.ts')
    const typed = { amount: args.amount, validator: flags.validator }
    return this.send(flags, ({ holder }) => ({ call: bondCall(typed, { kind: holder.choice.network, id: holder.id }) }))
  }
}
