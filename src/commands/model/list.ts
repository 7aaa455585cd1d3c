/**
 * `dllm model list`: the models on this machine.
 * @module
 */
import { BaseCommand } from '../../app/base-command.ts'
import { formatBytes, table } from '../../app/table.ts'
import { messageOf } from '../../base/error.ts'

export default class ModelList extends BaseCommand {
  static override summary = 'List the models on this machine.'
  static override examples = ['<%= config.bin %> model list', '<%= config.bin %> model list --json']

  async run(): Promise<object> {
    const { flags } = await this.parse(ModelList)
    const { openModelStore } = await import('../../app/model-store.ts')
    const { segmentsHere } = await import('../../app/shards/model-files.ts')
    const store = openModelStore({ home: (await this.home(flags)).path })
    const models = store.list().map(({ manifest, hash, isEmbedded, ...place }) => ({
      name: manifest.name,
      family: manifest.config.family,
      format: manifest.format,
      layers: manifest.config.layerCount,
      segments: manifest.segments.length,
      segmentsHere: segmentsHere({ ...place, manifest }),
      contextLength: manifest.config.contextLength,
      bytes: manifest.segments.reduce((sum, segment) => sum + segment.shard.bytes, 0),
      canChat: manifest.files.length > 0,
      isEmbedded,
      hash,
    }))
    this.print(
      table(
        models.map(({ name, family, format, segments: count, segmentsHere: here, contextLength, bytes }) => {
          const segments = here === count ? count : `${here} of ${count}`
          return { name, family, format, segments, context: contextLength, size: formatBytes(bytes) }
        }),
      ),
    )
    const broken = store.broken().map(({ name, error }) => ({ name, problem: messageOf(error) }))
    for (const { name, problem } of broken) this.note(`${name} cannot be used: ${problem}`)
    return { models, broken }
  }
}
