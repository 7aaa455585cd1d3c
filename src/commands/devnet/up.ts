/**
 * `dllm devnet up`: start the local network.
 * @module
 */
import { Flags } from '@oclif/core'
import { BaseCommand } from '../../app/base-command.ts'

export default class DevnetUp extends BaseCommand {
  static override summary = 'Start the local network: miners that share a model, and a chain.'
  static override description =
    'Does nothing when they run already; with another number of miners or threads, starts them anew.'
  static override examples = [
    '<%= config.bin %> devnet up',
    '<%= config.bin %> devnet up --model genesis --miners 5 --threads 1',
    '<%= config.bin %> devnet up --validators 4',
  ]
  static override flags = {
    model: Flags.string({ char: 'm', description: 'Model to serve.', helpValue: 'NAME' }),
    miners: Flags.integer({ min: 1, description: 'Processes to split the model over; 3 if left out.' }),
    threads: Flags.integer({ min: 0, description: 'Threads of each process; 0: one per core.' }),
    validators: Flags.integer({
      min: 1,
      max: 32,
      description: 'Validators of the local chain; another number than before begins a new chain. 1 at first.',
    }),
    'only-chain': Flags.boolean<boolean>({ hidden: true, description: 'No miners: for who waits for none.' }),
  }

  async run(): Promise<object> {
    const { flags } = await this.parse(DevnetUp)
    const { ensureLocalChain } = await import('../../app/devnet/local-chain.ts')
    const isOnlyChain = flags['only-chain']
    // Nobody looks at what is started in the background.
    const starting = { home: await this.home(flags), validators: flags.validators, replacesOlder: !isOnlyChain }
    if (isOnlyChain) return ensureLocalChain(starting, this.system(flags))
    const [
      { availableParallelism },
      { loadConfig },
      devnet,
      { openModelStore },
      { chainText, earningsText, groupText },
    ] = await Promise.all([
      import('node:os'),
      import('../../app/config.ts'),
      import('../../app/devnet/devnet.ts'),
      import('../../app/model-store.ts'),
      import('../../app/devnet/devnet-text.ts'),
    ])
    const { home } = starting
    const { settings } = await loadConfig({ home, env: process.env, flags: { model: flags.model } })
    const model = openModelStore({ home: home.path }).find(settings.model)
    const cores = availableParallelism()
    const threads = flags.threads === 0 ? cores : flags.threads
    const options = { home, model, miners: flags.miners, threads, usualThreads: settings.threads || cores }
    // What cannot be had is refused before anything starts.
    devnet.partsOf(options)
    // First: miners of a chain that makes way have to end.
    const { chain, started: validatorsStarted, isReplaced } = await ensureLocalChain(starting, this.system(flags))
    if (isReplaced) await devnet.leaveOldChain(home, this.system(flags))
    const { group, started } = await devnet.ensureGroup(options, this.system(flags))
    const count = `${started} miner ${started === 1 ? 'process' : 'processes'} for ${model.manifest.name}`
    this.printLine(started === 0 ? 'The local network runs already.' : `Started ${count}.`)
    this.print(groupText(group))
    if (isReplaced) {
      const why = 'of another number of validators, or of another version of dllm'
      this.printLine(`\nThis is a new chain. The one before was ${why}.`)
    }
    if (validatorsStarted > 0) this.printLine('\nThe chain of the local network; wallet "local" holds its money.')
    this.print(chainText(chain))
    this.print(earningsText(group))
    return { started, validatorsStarted, ...group, validators: chain.validators }
  }
}
