/**
 * `dllm model import`: a Hugging Face folder, a GGUF file or a repository of a hub becomes a stored model.
 * @module
 */
import { Args, Flags } from '@oclif/core'
import { BaseCommand } from '../../app/base-command.ts'
import { formatBytes } from '../../app/table.ts'

export default class ModelImport extends BaseCommand {
  static override summary =
    'Convert a folder, a GGUF file or a Hugging Face repository into a model that miners can serve.'
  static override description =
    'Takes Llama, Mistral, Qwen2, Qwen3, Gemma, Phi-3 and SmolLM3 models: a folder with config.json, safetensors (F32, F16 or BF16) and tokenizer.json; a GGUF file ' +
    '(F32, F16, BF16, Q8_0, Q6_K, Q5_K, Q5_1, Q5_0, Q4_K, Q4_1, Q4_0); or a repository, which is downloaded first, goes on where it was interrupted, and is ' +
    'removed afterwards. Weights are converted block by block, so memory does not grow with the model. HF_TOKEN in the environment is the token for ' +
    'models that are not open to everybody.'
  static override examples = [
    '<%= config.bin %> model import ./TinyLlama-1.1B-Chat-v1.0',
    '<%= config.bin %> model import ./Qwen3-8B --format q4 --segments 12 --name qwen3-8b',
    '<%= config.bin %> model import ./TinyLlama-1.1B-Chat-v1.0.Q8_0.gguf',
    '<%= config.bin %> model import hf:Qwen/Qwen3-0.6B --format q4',
    '<%= config.bin %> model import hf:Qwen/Qwen3-8B-GGUF@main --file Qwen3-8B-Q4_K_M.gguf',
  ]
  static override args = {
    source: Args.string({
      ignoreStdin: true,
      required: true,
      description: 'Folder with config.json and the weights, GGUF file, or hf:OWNER/NAME[@REVISION].',
    }),
  }
  static override flags = {
    name: Flags.string({ description: 'Name of the model here; default: the name of the folder.', helpValue: 'NAME' }),
    format: Flags.option({
      options: ['f32', 'q8', 'q4'] as const,
      default: 'q8' as const,
      description: 'Number format: q8 keeps the answers, q4 halves memory and time, f32 is for comparison.',
    })(),
    segments: Flags.integer({ min: 1, description: 'Parts that the model is cut into; default: 8 at most.' }),
    context: Flags.integer({ min: 1, description: 'Positions of a session, if fewer than the model has.' }),
    file: Flags.string({ description: 'GGUF file of a repository that has several.', helpValue: 'NAME' }),
    mirror: Flags.string({
      description: 'Address of the hub that repositories come from.',
      default: 'https://huggingface.co',
      env: 'HF_ENDPOINT',
      helpValue: 'URL',
    }),
    keep: Flags.boolean({ description: 'Keep what was downloaded.' }),
    force: Flags.boolean({ description: 'Replace a model of the same name.' }),
  }

  async run(): Promise<object> {
    const { args, flags } = await this.parse(ModelImport)
    const [{ importByName }, { createProgress }, { loadConfig }, { shardQuotaBytes }] = await Promise.all([
      import('../../app/import/import-by-name.ts'),
      import('../../app/progress.ts'),
      import('../../app/config.ts'),
      import('../../app/settings.ts'),
    ])
    const system = this.system(flags)
    const data = await this.home(flags)
    const home = data.path
    const { settings } = await loadConfig({ home: data, env: process.env })
    const downloading = createProgress('Downloading', process.stderr, system)
    // Its time runs from when it is made.
    let converting: typeof downloading | undefined
    const { name, format, segments, context, force, file, keep } = flags
    const result = await importByName(
      {
        ...{ source: args.source, home, name, format, segments, context, force, file, keep },
        endpoint: flags.mirror,
        token: process.env['HF_TOKEN'] || undefined,
        quotaBytes: shardQuotaBytes(settings),
        onDownload: ({ doneBytes, totalBytes, keptBytes }) => downloading.update(doneBytes, totalBytes, { keptBytes }),
        onProgress: ({ doneBytes, totalBytes }) => {
          converting ??= createProgress('Converting', process.stderr, system)
          converting.update(doneBytes, totalBytes)
        },
      },
      system,
      this.signal,
    ).finally(() => {
      downloading.end()
      converting?.end()
    })
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
