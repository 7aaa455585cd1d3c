/**
 * `dllm chain tx ID`: one transaction, final or waiting.
 * @module
 */
import { Args } from '@oclif/core'
import { ChainCommand } from '../../app/chain-command.ts'

export default class ChainTx extends ChainCommand {
  static override summary = 'Show a transaction: what it does, and in which block it is.'
  static override examples = ['<%= config.bin %> chain tx 5f1c…', '<%= config.bin %> chain tx 5f1c… --json']
  static override args = {
    id: Args.string({ ignoreStdin: true, description: '64 hexadecimal digits.', required: true }),
  }

  async run(): Promise<object> {
    const { args, flags } = await this.parse(ChainTx)
    const { parseTransactionId } = await import('../../app/chain/arguments.ts')
    const { transactionText } = await import('../../app/chain/transaction-text.ts')
    const id = parseTransactionId(args.id)
    const chain = await this.chain(flags)
    const transaction = await chain.transaction(id, this.signal)
    this.print(transactionText(transaction, { nowMs: this.system(flags).clock.wallMs() }))
    return transaction
  }
}
