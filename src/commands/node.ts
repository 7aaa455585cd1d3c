/**
 * `dllm node`: a full node of a network's chain; a validator where it has the keys.
 * @module
 */
import { Flags } from '@oclif/core'
import { BaseCommand } from '../app/base-command.ts'

export default class Node extends BaseCommand {
  static override summary = 'Run a full node: check every block; with a validator’s key, vote.'
  static override description =
    'Keeps the chain in the data folder and answers the other commands. A validator’s keys come from `network create` or `stake register`. Ends with Ctrl-C.'
  static override examples = [
    '<%= config.bin %> node --network lab --name lab-1',
    '<%= config.bin %> node --network lab --listen /ip4/0.0.0.0/tcp/4100 --bootstrap /ip4/192.0.2.1/tcp/4100',
  ]
  static override flags = {
    name: Flags.string({
      default: 'node',
      description: 'Name of this node; its keys and its chain are kept under it.',
    }),
    listen: Flags.string({ description: 'Where to listen.', helpValue: 'MULTIADDR' }),
    bootstrap: Flags.string({ multiple: true, description: 'A peer to meet first.', helpValue: 'MULTIADDR' }),
    'new-key': Flags.boolean<boolean>({
      description: 'The validator key here never signed anything, anywhere: begin its record.',
    }),
    repair: Flags.boolean<boolean>({
      description:
        'Before starting, check everything that is stored; keep what is damaged aside, and go on with the rest.',
    }),
    snapshot: Flags.boolean<boolean>({
      description: 'Where the store is empty, begin with the state at a recent block instead of checking every block.',
    }),
    'trust-height': Flags.integer({
      min: 1,
      description: 'A block that you trust, from a source outside of the network.',
      dependsOn: ['trust-hash'],
    }),
    'trust-hash': Flags.string({ description: 'Its hash.', helpValue: 'HASH', dependsOn: ['trust-height'] }),
    'keep-blocks': Flags.integer({ min: 100, description: 'Blocks to keep; all if left out.' }),
  }

  async run(): Promise<object> {
    const { flags } = await this.parse(Node)
    const { runNode } = await import('../app/node/run-node.ts')
    return runNode({
      home: await this.home(flags),
      flags,
      system: this.system(flags),
      signal: this.signal,
      tellsAll: flags.verbose || process.stdout.isTTY,
      print: (line) => this.printLine(line),
      emit: (value) => this.emit(value),
    })
  }
}
