/**
 * `dllm model probe`: logits of a model, for comparison with another program.
 * @module
 */
import { Args, Flags } from '@oclif/core'
import { BaseCommand, UsageError } from '../../app/base-command.ts'
import { PROBE_ENGINES } from '../../app/probe-engine.ts'
import { TFJS_BACKENDS } from '../../app/tfjs/backends.ts'

export default class ModelProbe extends BaseCommand {
  static override summary = 'Feed token ids to a model and show the logits after each of them.'
  static override description =
    'Runs the whole model in this process. The digest is the SHA-256 of all logits as little-endian f32; it is the same for ' +
    'every engine, number of threads, chunk and split, but for the engine tfjs, which computes near those numbers. With --json every logit is printed unless --top-k is given.'
  static override examples = [
    '<%= config.bin %> model probe genesis --tokens 0,82,113',
    '<%= config.bin %> model probe genesis --tokens 0,82,113 --engine reference --chunk 2 --split 1,3 --top-k 10 --json',
    '<%= config.bin %> model probe genesis --tokens 0,82,113 --engine tfjs --backend webgpu',
  ]
  static override args = { name: Args.string({ ignoreStdin: true, required: true, description: 'Name of the model.' }) }
  static override flags = {
    tokens: Flags.string({ required: true, description: 'Token ids, separated by commas.', helpValue: 'IDS' }),
    engine: Flags.option({
      options: PROBE_ENGINES,
      default: 'auto',
      description: 'Program part that computes; auto: native, or wasm where that does not run.',
    })(),
    backend: Flags.option({
      options: TFJS_BACKENDS,
      default: 'wasm',
      description: 'What the engine tfjs runs on; webgpu takes any GPU, also one that is software.',
    })(),
    threads: Flags.integer({ min: 1, description: 'Threads of the engines native and wasm.' }),
    'top-k': Flags.integer({ min: 1, description: 'Show only this many of the largest logits.' }),
    chunk: Flags.integer({ min: 1, default: 1, description: 'Tokens per step.' }),
    split: Flags.string({ description: 'Segments at which a new stage starts, such as 1,3.', helpValue: 'SEGMENTS' }),
  }

  async run(): Promise<object> {
    const { args, flags } = await this.parse(ModelProbe)
    const tokens = integers(flags.tokens, '--tokens')
    const split = flags.split === undefined ? undefined : integers(flags.split, '--split')
    const [{ openModelStore }, { openProbeEngine }, { probeModel }] = await Promise.all([
      import('../../app/model-store.ts'),
      import('../../app/probe-engine.ts'),
      import('../../app/model-probe.ts'),
    ])
    const model = openModelStore({ home: (await this.home(flags)).path }).find(args.name)
    const { engine, close } = await openProbeEngine(flags)
    const topK = flags['top-k'] ?? (this.jsonEnabled() ? undefined : 5)
    const options = { model, engine, tokens, chunk: flags.chunk, split, topK }
    const probed = await probeModel(options, this.signal).finally(close)
    for (const { position, token, digest, top } of probed) {
      const best = top.map((entry) => `${entry.token}: ${entry.logit.toPrecision(7)}`).join('  ')
      this.printLine(`${String(position).padStart(5)} ${String(token).padStart(7)}  ${digest.slice(0, 16)}  ${best}`)
    }
    const { spec, format, config } = model.manifest
    const { vocabularySize } = config
    return { model: args.name, hash: model.hash, spec, format, engine: engine.name, vocabularySize, tokens: probed }
  }
}

function integers(text: string, flag: string): number[] {
  const parts = text.split(',').map((part) => part.trim())
  if (parts.every((part) => /^\d{1,9}$/.test(part))) return parts.map(Number)
  throw new UsageError('USAGE', `${flag} takes whole numbers separated by commas, such as 1,2,3.`)
}
