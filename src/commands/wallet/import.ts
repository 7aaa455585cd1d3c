/**
 * `dllm wallet import`: make a wallet from words that exist.
 * @module
 */
import {
  newWalletFlags,
  newWalletName,
  newWalletNameArg,
  passwordFlags,
  WalletCommand,
  walletText,
  wordsFlags,
} from '../../app/wallet-command.ts'

export default class WalletImport extends WalletCommand {
  static override summary = 'Restore a wallet from its words.'
  static override description =
    'Words come from the terminal, --words-file, --words-fd, or the first line of stdin (the password is then the second).'
  static override examples = [
    '<%= config.bin %> wallet import',
    '<%= config.bin %> wallet import savings --words-file words.txt --password-file password.txt',
  ]
  static override args = { name: newWalletNameArg }
  static override flags = { ...newWalletFlags, ...wordsFlags, ...passwordFlags }

  async run(): Promise<object> {
    const { args, flags } = await this.parse(WalletImport)
    const { wallets, network, name: nameOf } = await this.walletContext(flags)
    const name = nameOf(newWalletName(args.name, flags.name))
    await wallets.checkName(name)
    const words = await this.existingWords(flags)
    const passphrase = await this.newPassphrase(flags)
    const password = await this.newPassword(flags, name)
    await wallets.create({ name, description: flags.description, secret: { words, passphrase }, password })
    const wallet = await wallets.show(name, network)
    this.print(walletText(wallet))
    return wallet
  }
}
