/**
 * `dllm wallet sign`: sign a message with one key of a wallet. Stdout carries the signature alone.
 * @module
 */
import {
  messageFlags,
  passwordFlags,
  roleFlag,
  treeFlags,
  WalletCommand,
  walletNameArg,
} from '../../app/wallet-command.ts'

export default class WalletSign extends WalletCommand {
  static override summary = 'Sign a message, to prove that an address is yours.'
  static override description =
    'The signature cannot be used as a transaction. It covers the exact bytes of the message, line ends included.'
  static override examples = [
    '<%= config.bin %> wallet sign --message "I own this address"',
    '<%= config.bin %> wallet sign savings --role payout --file statement.txt',
    'cat statement.txt | <%= config.bin %> wallet sign --password-file ~/.password',
  ]
  static override args = { name: walletNameArg }
  static override flags = { ...messageFlags, role: roleFlag, ...treeFlags, ...passwordFlags }

  async run(): Promise<object> {
    const { args, flags } = await this.parse(WalletSign)
    const { wallets, network, name } = await this.walletContext(flags)
    const { role, account, index } = flags
    // Refuse a wallet that is not there before a message or password is asked for.
    const wallet = await wallets.show(name(args.name), network)
    const message = await this.message(flags)
    const opened = await this.openWallet(wallets, wallet.name, flags)
    const signed = opened.sign(message, { network, role, account, index })
    this.note(`Signed by ${signed.address} (${role}, ${signed.path}):`)
    this.printLine(signed.signature)
    return { ...signed, role, network }
  }
}
