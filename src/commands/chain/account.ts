/**
 * `dllm chain account [ADDRESS]`: any account, by its address.
 * @module
 */
import { Args } from '@oclif/core'
import { ChainCommand, holderFlags } from '../../app/chain-command.ts'

export default class ChainAccount extends ChainCommand {
  static override summary = 'Show any account: balance, bonds, and its validator if it is one.'
  static override examples = ['<%= config.bin %> chain account ldllm1…', '<%= config.bin %> chain account --json']
  static override args = {
    address: Args.string({ ignoreStdin: true, description: "Whose; the wallet's own if left out." }),
  }
  static override flags = holderFlags

  async run(): Promise<object> {
    const { args, flags } = await this.parse(ChainAccount)
    const { parseAccount } = await import('../../app/chain/arguments.ts')
    const { accountText, bondsText, ownValidatorText } = await import('../../app/chain/state-text.ts')
    const { network } = await this.walletContext(flags)
    const id = args.address === undefined ? (await this.holder(flags)).id : parseAccount(args.address, network)
    const chain = await this.chain(flags)
    const view = await chain.account(id, this.signal)
    this.print(accountText(view))
    if (view.bonds.length + view.unbondings.length > 0) this.print(`\n${bondsText(view)}`)
    this.print(ownValidatorText(view))
    return view
  }
}
