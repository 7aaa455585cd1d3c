/**
 * `dllm model show`: what one model is, and how it is cut.
 * @module
 */
import { Args } from '@oclif/core'
import { BaseCommand } from '../../app/base-command.ts'
import { extrasWords, windowWords } from '../../app/model-words.ts'
import { formatBytes } from '../../app/table.ts'

export default class ModelShow extends BaseCommand {
  static override summary = 'Show a model: sizes, segments, files.'
  static override examples = ['<%= config.bin %> model show genesis', '<%= config.bin %> model show genesis --json']
  static override args = { name: Args.string({ ignoreStdin: true, required: true, description: 'Name of the model.' }) }

  async run(): Promise<object> {
    const { args, flags } = await this.parse(ModelShow)
    const { openModelStore } = await import('../../app/model-store.ts')
    const { isHere } = await import('../../app/shards/model-files.ts')
    const model = openModelStore({ home: (await this.home(flags)).path }).find(args.name)
    const { manifest, hash, directory, isEmbedded } = model
    const shards = manifest.segments.map(({ shard: { file: name, bytes, root } }) => ({ name, bytes, root }))
    const missingSegments = shards.flatMap((shard, index) => (isHere(model, shard) ? [] : [index + 1]))
    const { config } = manifest
    const facts: [string, string | number][] = [
      ['name', manifest.name],
      ['hash', hash],
      ['folder', isEmbedded ? `${directory} (comes with dllm)` : directory],
      ['numbers', `${manifest.spec}, ${manifest.format}`],
      ['family', config.family],
      ['layers', config.layerCount],
      ['hidden size', config.hiddenSize],
      ['heads', `${config.headCount} of ${config.headSize}, ${config.keyValueHeadCount} for keys and values`],
      ['feed-forward', config.intermediateSize],
      ['vocabulary', config.vocabularySize],
      ['context', config.contextLength],
      ['rope', `${config.ropeScaling.type}, theta ${config.ropeTheta}`],
      ['window', windowWords(config)],
      ...extrasWords(config).map((words): [string, string] => ['', words]),
      ['end tokens', config.endTokens.join(', ') || 'none'],
    ]
    for (const [label, value] of facts) this.printLine(`${label.padEnd(14)}${value}`)
    for (const [index, { firstLayer, lastLayer, hasEmbedding, hasHead, shard }] of manifest.segments.entries()) {
      const ends = [...(hasEmbedding ? ['embedding'] : []), ...(hasHead ? ['head'] : [])]
      const holds = [`layers ${firstLayer}–${lastLayer - 1}`, ...ends].join(', ')
      this.printLine(
        `segment ${String(index + 1).padEnd(6)}${holds.padEnd(32)}  ${formatBytes(shard.bytes)}  ${shard.root.slice(0, 16)}${missingSegments.includes(index + 1) ? '  not here' : ''}`,
      )
    }
    return { ...manifest, hash, directory, isEmbedded, missingSegments }
  }
}
