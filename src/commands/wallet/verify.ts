/**
 * `dllm wallet verify`: check a message's signature; needs no wallet.
 * @module
 */
import { Args } from '@oclif/core'
import { messageFlags, WalletCommand } from '../../app/wallet-command.ts'

export default class WalletVerify extends WalletCommand {
  static override summary = 'Check that an address signed a message.'
  static override description = 'Exit code 0: the signature is good. Exit code 1: it is not, and the message says why.'
  static override examples = [
    '<%= config.bin %> wallet verify ldllm1… dllmsig1… --message "I own this address"',
    'cat statement.txt | <%= config.bin %> wallet verify ldllm1… dllmsig1…',
  ]
  static override args = {
    address: Args.string({ description: 'Address that should have signed.', required: true, ignoreStdin: true }),
    signature: Args.string({ description: 'Signature, dllmsig1….', required: true, ignoreStdin: true }),
  }
  static override flags = messageFlags

  async run(): Promise<object> {
    const { args, flags } = await this.parse(WalletVerify)
    const { verifyMessage } = await import('../../app/wallet.ts')
    const { address, signature } = args
    verifyMessage({ address, signature, message: await this.message(flags) })
    this.printLine(`Good signature: ${address} signed exactly this message.`)
    return { isValid: true, address }
  }
}
