/**
 * `dllm wallet verify-backup`: compare the words on paper with the wallet.
 * @module
 */
import { passwordFlags, WalletCommand, walletNameArg, wordsFlags } from '../../app/wallet-command.ts'

export default class WalletVerifyBackup extends WalletCommand {
  static override summary = 'Check your written words against a wallet.'
  static override description =
    'Type all the words from your paper. The answer names the positions that differ, never the right words.'
  static override examples = [
    '<%= config.bin %> wallet verify-backup',
    '<%= config.bin %> wallet verify-backup savings --words-file words.txt',
  ]
  static override args = { name: walletNameArg }
  static override flags = { ...wordsFlags, ...passwordFlags }

  async run(): Promise<object> {
    const { args, flags } = await this.parse(WalletVerifyBackup)
    const { wallets, network, name } = await this.walletContext(flags)
    const wallet = await wallets.show(name(args.name), network)
    const opened = await this.openWallet(wallets, wallet.name, flags)
    const count = opened.secret.words.length
    const text = await this.wordsText(flags, `Type the ${count} words of wallet ${wallet.name} from your paper.`)
    const passphrase = opened.secret.passphrase === '' ? '' : await this.prompter().askHidden('Passphrase: ')
    opened.checkBackup(text, passphrase)
    this.printLine(`The backup is right: all ${count} words restore wallet ${wallet.name}.`)
    return { name: wallet.name, isRight: true, words: count }
  }
}
