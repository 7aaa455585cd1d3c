/**
 * `dllm wallet new`: make a wallet, show its words once, and check that they were written down.
 * @module
 */
import { Flags } from '@oclif/core'
import { UsageError } from '../../app/base-command.ts'
import {
  newWalletFlags,
  newWalletName,
  newWalletNameArg,
  passwordFlags,
  WalletCommand,
  walletText,
} from '../../app/wallet-command.ts'

export default class WalletNew extends WalletCommand {
  static override summary = 'Make a wallet and write down its words.'
  static override description =
    'Shows the words once, then asks for three of them. Nothing is stored before that check. ' +
    'In scripts: --no-verify prints the words on stdout; with --json they are not printed, and `wallet export` gives them.'
  static override examples = [
    '<%= config.bin %> wallet new',
    '<%= config.bin %> wallet new savings --description "cold, in the safe"',
    '<%= config.bin %> wallet new --no-verify --password-file password.txt --json',
  ]
  static override args = { name: newWalletNameArg }
  static override flags = {
    ...newWalletFlags,
    words: Flags.option({
      options: ['12', '15', '18', '21', '24'] as const,
      default: '24' as const,
      description: 'How many words.',
    })(),
    verify: Flags.boolean({ default: true, allowNo: true, description: 'Ask for three of the words again.' }),
    ...passwordFlags,
  }

  async run(): Promise<object> {
    const { args, flags } = await this.parse(WalletNew)
    const { wallets, network, name: nameOf } = await this.walletContext(flags)
    const { createWords } = await import('../../app/mnemonic.ts')
    const { showWords } = await import('../../app/backup-check.ts')
    const name = nameOf(newWalletName(args.name, flags.name))
    await wallets.checkName(name)
    const prompter = this.prompter()
    if (flags.verify && !prompter.isInteractive) {
      throw new UsageError('USAGE', 'Checking the backup needs a terminal. Add --no-verify to skip it.')
    }
    const { random } = this.system(flags)
    const passphrase = await this.newPassphrase(flags)
    const password = await this.newPassword(flags, name)
    const words = createWords(Number(flags.words), random)
    if (prompter.isInteractive) await showWords(words, prompter, { verify: flags.verify, random })
    await wallets.create({ name, description: flags.description, secret: { words, passphrase }, password })
    const wallet = await wallets.show(name, network)
    if (!prompter.isInteractive) this.printLine(`Words: ${words.join(' ')}`)
    this.print(walletText(wallet))
    return wallet
  }
}
