/**
 * `dllm shard pull`: fetch a model's shards from other peers.
 * @module
 */
import { Args, Flags } from '@oclif/core'
import { BaseCommand } from '../../app/base-command.ts'
import type { ShardPullResult } from '../../app/swarm/run-shard-pull.ts'

export default class ShardPull extends BaseCommand {
  static override summary = 'Fetch the shards of a model from other peers.'
  static override description =
    'Asks the miners of the model and everybody else who has some of it, several at once, and compares every chunk with the name of its file. What is here is not fetched again, also after an interruption. The tokenizer comes along. `dllm mine` does the same for what it serves.'
  static override examples = [
    '<%= config.bin %> shard pull qwen3-8b --network home',
    '<%= config.bin %> shard pull qwen3-8b --segments 2-3 --down-mib-s 20',
  ]
  static override args = {
    model: Args.string({
      ignoreStdin: true,
      required: true,
      description: 'Name of a model that is here or that the network knows, or its hash.',
    }),
  }
  static override flags = {
    segments: Flags.string({ description: 'Segments to fetch, from 1; all if left out.', helpValue: 'FIRST-LAST' }),
    'down-mib-s': Flags.integer({
      ...{ min: 1, max: 1_048_576, helpValue: 'NUMBER' },
      description: 'MiB per second at most; as many as come if left out.',
    }),
    bootstrap: Flags.string({ multiple: true, description: 'A peer to meet first.', helpValue: 'MULTIADDR' }),
  }

  async run(): Promise<ShardPullResult> {
    const { args, flags } = await this.parse(ShardPull)
    const [{ runShardPull }, { createPullTeller }] = await Promise.all([
      import('../../app/swarm/run-shard-pull.ts'),
      import('../../app/swarm/pull-teller.ts'),
    ])
    const system = this.system(flags)
    const emit = (value: object): void => this.emit(value)
    return runShardPull({
      ...{ home: await this.home(flags), model: args.model, flags, system, signal: this.signal },
      print: (line) => this.printLine(line),
      tell: (label) => createPullTeller(label, { output: process.stderr, emit, clock: system.clock }),
    })
  }
}
