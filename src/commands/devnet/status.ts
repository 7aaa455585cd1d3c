/**
 * `dllm devnet status`: which processes of the local network run.
 * @module
 */
import { BaseCommand } from '../../app/base-command.ts'

export default class DevnetStatus extends BaseCommand {
  static override summary = 'Show the processes of the local network and whether they run.'
  static override examples = ['<%= config.bin %> devnet status', '<%= config.bin %> devnet status --json']

  async run(): Promise<object> {
    const { flags } = await this.parse(DevnetStatus)
    const [{ inspectGroups }, { inspectLocalChain }, { isStarterRunning }, { chainText, groupText }] =
      await Promise.all([
        import('../../app/devnet/devnet.ts'),
        import('../../app/devnet/local-chain.ts'),
        import('../../app/devnet/chain-starter.ts'),
        import('../../app/devnet/devnet-text.ts'),
      ])
    const home = await this.home(flags)
    const groups = await inspectGroups(home)
    const chain = await inspectLocalChain(home)
    for (const { group, running } of groups) this.print(groupText(group, running))
    if (chain !== undefined) this.print(chainText(chain.chain, chain.running))
    if (await isStarterRunning(home)) this.printLine('The chain is starting.')
    if (groups.length === 0 && chain === undefined)
      this.printLine('No local network runs. `dllm devnet up` or `dllm chat` starts one.')
    else this.printLine(`Logs are in ${home.file('devnet', 'logs')}.`)
    return {
      groups: groups.map(({ group, running }) => ({ ...group, running })),
      validators: (chain?.chain.validators ?? []).map((each, index) => ({ ...each, running: chain?.running[index] })),
    }
  }
}
