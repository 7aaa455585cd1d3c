/**
 * `dllm wallet export`: the one command that prints secrets, and only when told to.
 * @module
 */
import { Flags } from '@oclif/core'
import { UsageError } from '../../app/base-command.ts'
import { passwordFlags, roleFlag, treeFlags, WalletCommand, walletNameArg } from '../../app/wallet-command.ts'

export default class WalletExport extends WalletCommand {
  static override summary = "Print a wallet's words, or one private key, after its password."
  static override description =
    'Whoever sees the words owns the wallet. Prints nothing secret without --reveal, under --json either.'
  static override examples = [
    '<%= config.bin %> wallet export --reveal',
    '<%= config.bin %> wallet export savings --private-key --role operator --reveal',
  ]
  static override args = { name: walletNameArg }
  static override flags = {
    reveal: Flags.boolean({ description: 'Yes, print the secret.' }),
    'private-key': Flags.boolean({ description: 'Print one private key in hexadecimal instead of the words.' }),
    role: roleFlag,
    ...treeFlags,
    ...passwordFlags,
  }

  async run(): Promise<object> {
    const { args, flags } = await this.parse(WalletExport)
    const { wallets, network, name } = await this.walletContext(flags)
    const wallet = await wallets.show(name(args.name), network)
    if (!flags.reveal) {
      throw new UsageError('USAGE', 'This prints a secret on the screen. Add --reveal when nobody else can see it.')
    }
    const opened = await this.openWallet(wallets, wallet.name, flags)
    if (flags['private-key']) {
      const { role, account, index } = flags
      const key = opened.privateKey({ network, role, account, index })
      this.note(`Private key of ${key.address} (${role}, ${key.path}):`)
      this.printLine(key.privateKey)
      return { name: wallet.name, network, role, ...key }
    }
    const { words, passphrase } = opened.secret
    this.printLine(words.join(' '))
    if (passphrase !== '') this.printLine(`Passphrase: ${passphrase}`)
    return { name: wallet.name, words: words.join(' '), ...(passphrase === '' ? {} : { passphrase }) }
  }
}
