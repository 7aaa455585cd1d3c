/**
 * `dllm stake unbond AMOUNT`: stake leaves a validator and comes back later.
 * @module
 */
import { Args, Flags } from '@oclif/core'
import { ChainCommand, senderFlags } from '../../app/chain-command.ts'

export default class StakeUnbond extends ChainCommand {
  static override summary = 'Take DLLM back from a validator; they come after the unbonding time.'
  static override description =
    'The stake leaves at once. Until the DLLM are back they can still be slashed for what the validator signed before.'
  static override examples = [
    '<%= config.bin %> stake unbond 100 --validator ldllm1…',
    '<%= config.bin %> stake unbond 5000 --yes',
  ]
  static override args = {
    amount: Args.string({ ignoreStdin: true, description: 'How much, in DLLM.', required: true }),
  }
  static override flags = {
    validator: Flags.string({ description: "Whose; the sender's own validator if left out.", helpValue: 'ADDRESS' }),
    ...senderFlags,
  }

  async run(): Promise<object> {
    const { args, flags } = await this.parse(StakeUnbond)
    const { unbondCall } = await import('../../app/chain/calls.ts')
    const typed = { amount: args.amount, validator: flags.validator }
    return this.send(flags, async ({ chain, holder }) => {
      const { values } = await chain.parameters(this.signal)
      const caller = { kind: holder.choice.network, id: holder.id }
      return { call: unbondCall(typed, caller, values.unbondingBlocks) }
    })
  }
}
