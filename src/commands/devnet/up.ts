/**
 * `dllm devnet up`: start the local network.
 * @module
 */
import { Flags } from '@oclif/core'
import { BaseCommand } from '../../app/base-command.ts'

export default class DevnetUp extends BaseCommand {
  static override summary = 'Start miner processes on this machine, each with a part of a model.'
  static override description =
    'Does nothing when they run already; with another number of miners or threads, starts them anew.'
  static override examples = [
    '<%= config.bin %> devnet up',
    '<%= config.bin %> devnet up --model genesis --miners 5 --threads 1',
  ]
  static override flags = {
    model: Flags.string({ char: 'm', description: 'Model to serve.', helpValue: 'NAME' }),
    miners: Flags.integer({ min: 1, description: 'Processes to split the model over; 3 if left out.' }),
    threads: Flags.integer({ min: 0, description: 'Threads of each process; 0: one per core.' }),
  }

  async run(): Promise<object> {
    const { flags } = await this.parse(DevnetUp)
    const [{ availableParallelism }, { loadConfig }, { ensureGroup }, { openModelStore }, { groupText }] =
      await Promise.all([
        import('node:os'),
        import('../../app/config.ts'),
        import('../../app/devnet/devnet.ts'),
        import('../../app/model-store.ts'),
        import('../../app/devnet/devnet-text.ts'),
      ])
    const home = await this.home(flags)
    const { settings } = await loadConfig({ home, env: process.env, flags: { model: flags.model } })
    const model = openModelStore({ home: home.path }).find(settings.model)
    const cores = availableParallelism()
    const threads = flags.threads === 0 ? cores : flags.threads
    const options = { home, model, miners: flags.miners, threads, usualThreads: settings.threads || cores }
    const { group, started } = await ensureGroup(options, this.system(flags))
    const count = `${started} miner ${started === 1 ? 'process' : 'processes'} for ${model.manifest.name}`
    this.printLine(started === 0 ? 'The local network runs already.' : `Started ${count}.`)
    this.print(groupText(group))
    return { started, ...group }
  }
}
