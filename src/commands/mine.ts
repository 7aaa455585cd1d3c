/**
 * `dllm mine`: serve segments of a model to rings.
 * @module
 */
import { Flags } from '@oclif/core'
import { BaseCommand } from '../app/base-command.ts'

export default class Mine extends BaseCommand {
  static override summary = 'Serve segments of a model: run its layers for others.'
  static override description =
    'Loads the segments, measures their speed, listens for rings and tells the network. Ends with Ctrl-C: open sessions are told.'
  static override examples = [
    '<%= config.bin %> mine',
    '<%= config.bin %> mine --model genesis --segments 1-3 --threads 2',
    '<%= config.bin %> mine --network home --listen /ip4/0.0.0.0/tcp/4001',
  ]
  static override flags = {
    model: Flags.string({ char: 'm', description: 'Model to serve.', helpValue: 'NAME' }),
    segments: Flags.string({ description: 'Segments to serve, from 1; all if left out.', helpValue: 'FIRST-LAST' }),
    threads: Flags.integer({ min: 0, description: 'Threads of the engine; 0: one per core.' }),
    engine: Flags.option({
      options: ['wasm', 'reference'] as const,
      default: 'wasm' as const,
      description: 'Program part that computes.',
    })(),
    listen: Flags.string({ description: 'Where to listen.', helpValue: 'MULTIADDR' }),
    bootstrap: Flags.string({ multiple: true, description: 'A peer to meet first.', helpValue: 'MULTIADDR' }),
    name: Flags.string({ default: 'miner', description: 'Name of this miner; its identity is kept under it.' }),
    'cache-mib': Flags.integer({ min: 1, default: 1_024, description: 'Memory for sessions, in MiB.' }),
  }

  async run(): Promise<object> {
    const { flags } = await this.parse(Mine)
    const { runMiner } = await import('../app/run-miner.ts')
    return runMiner({
      home: await this.home(flags),
      flags,
      system: this.system(flags, 'info'),
      signal: this.signal,
      print: (line) => this.printLine(line),
      emit: (value) => this.emit(value),
    })
  }
}
