/**
 * `dllm chain block [HEIGHT|HASH]`: one block with its transactions.
 * @module
 */
import { Args } from '@oclif/core'
import { ChainCommand } from '../../app/chain-command.ts'

export default class ChainBlock extends ChainCommand {
  static override summary = 'Show a block: its hashes, who proposed and signed it, its transactions.'
  static override examples = [
    '<%= config.bin %> chain block',
    '<%= config.bin %> chain block 1204',
    '<%= config.bin %> chain block 1204 --json',
  ]
  static override args = {
    block: Args.string({
      name: 'HEIGHT|HASH',
      ignoreStdin: true,
      description: 'Height or hash; the newest block if left out.',
    }),
  }

  async run(): Promise<object> {
    const { args, flags } = await this.parse(ChainBlock)
    const { parseBlockName } = await import('../../app/chain/arguments.ts')
    const { blockText } = await import('../../app/chain/transaction-text.ts')
    const which = args.block === undefined ? undefined : parseBlockName(args.block)
    const chain = await this.chain(flags)
    const block = await chain.block(which ?? (await chain.head(this.signal)).height, this.signal)
    this.print(blockText(block, { nowMs: this.system(flags).clock.wallMs() }))
    return block
  }
}
