/**
 * `dllm stake register`: an account becomes a validator, and a node of this machine gets its keys.
 * @module
 */
import { Flags } from '@oclif/core'
import type { GlobalFlags } from '../../app/base-command.ts'
import { ChainCommand, type SenderFlags, senderFlags } from '../../app/chain-command.ts'

export default class StakeRegister extends ChainCommand {
  static override summary = 'Make an account a validator whose keys a node on this machine uses.'
  static override description =
    'The keys follow from the operator key of the account: the words of the wallet bring them back. One validator per account, for ever.'
  static override examples = [
    '<%= config.bin %> stake register --node home --name "Kitchen table"',
    '<%= config.bin %> stake register --node second --name second --account 1 --yes',
    '<%= config.bin %> stake register --node home --restore',
  ]
  static override flags = {
    node: Flags.string({ description: 'Node that will vote, as in `node --name`.', helpValue: 'NAME', required: true }),
    name: Flags.string({
      description: 'What everybody will call the validator; that of the node if left out.',
      helpValue: 'TEXT',
    }),
    restore: Flags.boolean<boolean>({
      description: 'The account is a validator: only write its key for the node again.',
    }),
    ...senderFlags,
  }

  async run(): Promise<object> {
    const { flags } = await this.parse(StakeRegister)
    const { checkNodeName, registration, writeValidatorFiles } = await import('../../app/chain/register-validator.ts')
    checkNodeName(flags.node)
    if (flags.restore) return this.#restore(flags)
    const home = await this.home(flags)
    const sent = await this.send(flags, async ({ chain, holder }) => {
      const place = { chain, owner: holder.id, opened: await holder.open(), choice: holder.choice }
      const { call, keys } = await registration(flags.name ?? flags.node, place)
      const node = { name: flags.node, networkId: chain.network.networkId }
      return { call, prepare: () => writeValidatorFiles(home, node, keys) }
    })
    this.printLine('\nBond to it with `dllm stake bond`. Start its node, again if it runs:')
    this.#printStart(flags)
    return { ...sent, node: flags.node }
  }

  /** Writes the key alone: whether it may sign is for the record beside it, or its backup, to say. */
  async #restore(flags: GlobalFlags & SenderFlags & { readonly node: string }): Promise<object> {
    const { registeredKeys, writeValidatorKey } = await import('../../app/chain/register-validator.ts')
    const chain = await this.chain(flags)
    const holder = await this.holder(flags)
    const place = { chain, owner: holder.id, opened: await holder.open(), choice: holder.choice }
    const node = { name: flags.node, networkId: chain.network.networkId }
    await writeValidatorKey(await this.home(flags), node, await registeredKeys(place))
    this.printLine('The key is written. Start its node:')
    this.#printStart(flags)
    return { node: flags.node, validator: holder.address }
  }

  #printStart({ node, network }: GlobalFlags & { readonly node: string }): void {
    this.printLine(`  dllm node --name ${node}${network === undefined ? '' : ` --network ${network}`}`)
  }
}
