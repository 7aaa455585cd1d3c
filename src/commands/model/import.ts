/**
 * `dllm model import`: a Hugging Face folder becomes a stored model.
 * @module
 */
import { Args, Flags } from '@oclif/core'
import { BaseCommand } from '../../app/base-command.ts'
import { formatBytes } from '../../app/table.ts'

export default class ModelImport extends BaseCommand {
  static override summary = 'Convert a Hugging Face folder into a model that miners can serve.'
  static override description =
    'Takes Llama, Mistral, Qwen2 and Qwen3 models: config.json, safetensors (F32, F16 or BF16), tokenizer.json. ' +
    'Weights are converted block by block, so memory does not grow with the model.'
  static override examples = [
    '<%= config.bin %> model import ./TinyLlama-1.1B-Chat-v1.0',
    '<%= config.bin %> model import ./Qwen3-8B --format q4 --segments 12 --name qwen3-8b',
  ]
  static override args = {
    folder: Args.string({ ignoreStdin: true, required: true, description: 'Folder with config.json and the weights.' }),
  }
  static override flags = {
    name: Flags.string({ description: 'Name of the model here; default: the name of the folder.', helpValue: 'NAME' }),
    format: Flags.option({
      options: ['f32', 'q8', 'q4'] as const,
      default: 'q8' as const,
      description: 'Number format: q8 keeps the answers, q4 halves memory and time, f32 is for comparison.',
    })(),
    segments: Flags.integer({ min: 1, description: 'Parts that the model is cut into; default: 8 at most.' }),
    force: Flags.boolean({ description: 'Replace a model of the same name.' }),
  }

  async run(): Promise<object> {
    const { args, flags } = await this.parse(ModelImport)
    const [{ importModel }, { createProgress }] = await Promise.all([
      import('../../app/model-import.ts'),
      import('../../app/progress.ts'),
    ])
    const progress = createProgress('Converting', process.stderr, this.system(flags))
    const { name, format, segments, force } = flags
    const result = await importModel(
      {
        folder: args.folder,
        home: (await this.home(flags)).path,
        name,
        format,
        segments,
        force,
        onProgress: ({ doneBytes, totalBytes }) => progress.update(doneBytes, totalBytes),
      },
      this.signal,
    ).finally(() => progress.end())
    const { manifest, hash, directory } = result.model
    const bytes = manifest.segments.reduce((sum, segment) => sum + segment.shard.bytes, 0)
    for (const warning of result.warnings) this.note(`Note: ${warning}`)
    this.printLine(`${manifest.name}: ${format}, ${manifest.segments.length} segments, ${formatBytes(bytes)}`)
    this.printLine(`hash ${hash}`)
    return {
      name: manifest.name,
      hash,
      format,
      bytes,
      segments: manifest.segments,
      directory,
      warnings: result.warnings,
    }
  }
}
