/**
 * `dllm model publish NAME`: a model of this machine goes onto the chain, at once or as a version that waits for a vote.
 * @module
 */
import { Args, Flags } from '@oclif/core'
import { ChainCommand, senderFlags } from '../../app/chain-command.ts'

export default class ModelPublish extends ChainCommand {
  static override summary = 'Register a model of this machine on the network.'
  static override description =
    'Takes a deposit, which comes back when the model is retired. With --supersedes it is a version that takes the place of another ' +
    'model once a vote approves it (`model propose`) and miners serve it; it gets a canary, which miners run before. ' +
    'Anybody who wants to serve the model fetches its files from this machine while it runs `dllm mine` or `dllm node`.'
  static override examples = [
    '<%= config.bin %> model publish story --price 12',
    '<%= config.bin %> model publish story-v2 --supersedes story',
  ]
  static override args = {
    name: Args.string({ ignoreStdin: true, required: true, description: 'Name of a model on this machine.' }),
  }
  static override flags = {
    ...senderFlags,
    price: Flags.string({
      description: 'Grains per compute unit at first; left out, that of the superseded model or the lowest.',
      helpValue: 'GRAINS',
    }),
    supersedes: Flags.string({
      description: 'The model whose place it is to take: a name on this machine, or the 64 digits of its hash.',
      helpValue: 'MODEL',
    }),
    canary: Flags.boolean<boolean | undefined>({
      allowNo: true,
      description: 'Make a canary by running prompts here; with --supersedes that is done unless --no-canary.',
    }),
    threads: Flags.integer({ min: 1, default: 1, description: 'Threads that run the canary.' }),
  }

  async run(): Promise<object> {
    const { args, flags } = await this.parse(ModelPublish)
    const { preparePublication } = await import('../../app/chain/publish-model.ts')
    const { price, supersedes, canary, threads } = flags
    const order = { name: args.name, price, supersedes, canary, threads, note: (line: string) => this.note(line) }
    const ports = { home: await this.home(flags), system: this.system(flags), signal: this.signal }
    const publication = preparePublication(order, ports)
    const sent = await this.send(flags, async ({ chain }) => ({ call: await publication(chain) }))
    if (supersedes !== undefined) {
      this.printLine(`\nNobody serves it before a vote. This asks for one:\n  dllm model propose ${args.name}`)
    }
    return sent
  }
}
