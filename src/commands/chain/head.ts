/**
 * `dllm chain head`: the newest final block.
 * @module
 */
import { Flags } from '@oclif/core'
import { ChainCommand } from '../../app/chain-command.ts'

export default class ChainHead extends ChainCommand {
  static override summary = 'Show the newest block, the base fee and the supply.'
  static override examples = [
    '<%= config.bin %> chain head',
    '<%= config.bin %> chain head --watch',
    '<%= config.bin %> chain head --watch --json',
  ]
  static override flags = {
    watch: Flags.boolean<boolean>({ description: 'A line for every new block, until Ctrl-C.' }),
  }

  async run(): Promise<object> {
    const { flags } = await this.parse(ChainHead)
    const { headLine, headText } = await import('../../app/chain/state-text.ts')
    const chain = await this.chain(flags)
    if (!flags.watch) {
      const head = await chain.head(this.signal)
      this.print(headText(head, this.system(flags).clock.wallMs()))
      return head
    }
    for await (const head of chain.watch(this.signal)) {
      this.printLine(headLine(head))
      this.emit({ type: 'head', ...head })
      await this.flushed()
    }
    return { type: 'ended' }
  }
}
