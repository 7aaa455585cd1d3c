/**
 * `dllm stake list`: the bonds and unbondings of an account.
 * @module
 */
import { ChainCommand, holderFlags } from '../../app/chain-command.ts'

export default class StakeList extends ChainCommand {
  static override summary = 'List what an account has bonded and what is on its way back.'
  static override examples = ['<%= config.bin %> stake list', '<%= config.bin %> stake list --wallet savings --json']
  static override flags = holderFlags

  async run(): Promise<object> {
    const { flags } = await this.parse(StakeList)
    const { bondsText, ownValidatorText } = await import('../../app/chain/state-text.ts')
    const { wallet, address, id } = await this.holder(flags)
    const chain = await this.chain(flags)
    const view = await chain.account(id, this.signal)
    this.print(bondsText(view) + ownValidatorText(view))
    const { source, height, bonds, unbondings, validator } = view
    return { wallet, address, source, height, bonds, unbondings, ...(validator === undefined ? {} : { validator }) }
  }
}
