/**
 * `dllm stake register`: an account becomes a validator, and a node of this machine gets its keys.
 * @module
 */
import { Flags } from '@oclif/core'
import { ChainCommand, senderFlags } from '../../app/chain-command.ts'

export default class StakeRegister extends ChainCommand {
  static override summary = 'Make an account a validator whose keys a node on this machine uses.'
  static override description =
    'The keys follow from the operator key of the account: the words of the wallet bring them back. One validator per account, for ever.'
  static override examples = [
    '<%= config.bin %> stake register --node home --name "Kitchen table"',
    '<%= config.bin %> stake register --node second --name second --account 1 --yes',
  ]
  static override flags = {
    node: Flags.string({ description: 'Node that will vote, as in `node --name`.', helpValue: 'NAME', required: true }),
    name: Flags.string({ description: 'What everybody will call the validator.', helpValue: 'TEXT', required: true }),
    ...senderFlags,
  }

  async run(): Promise<object> {
    const { flags } = await this.parse(StakeRegister)
    const { checkNodeName, registration, writeValidatorFiles } = await import('../../app/chain/register-validator.ts')
    const home = await this.home(flags)
    await checkNodeName(home, flags.node)
    const sent = await this.send(flags, async ({ chain, holder }) => {
      const place = { chain, owner: holder.id, opened: await holder.open(), choice: holder.choice }
      const { call, keys } = registration(flags.name, place)
      const node = { name: flags.node, networkId: chain.network.networkId }
      return { call, prepare: () => writeValidatorFiles(home, node, keys) }
    })
    this.printLine(`\nBond to it with \`dllm stake bond\`, and start its node, or start it again if it runs:`)
    this.printLine(
      `  dllm node --name ${flags.node}${flags.network === undefined ? '' : ` --network ${flags.network}`}`,
    )
    return { ...sent, node: flags.node }
  }
}
