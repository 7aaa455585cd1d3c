/**
 * Versions of the model that comes with the program, each with other bytes in some of its shards, as stored models of a data folder; and what one says,
 * computed without a network.
 * @module
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createEngine } from '../src/app/engines.ts'
import { modelsFolder, openModelStore, type StoredModel } from '../src/app/model-store.ts'
import { loadTokenizer } from '../src/app/model-tokenizer.ts'
import { openWeights } from '../src/app/shard-reader.ts'
import { rootOfBytes } from '../src/app/shards/chunk-hash.ts'
import { filesOf, pathOfFile } from '../src/app/shards/model-files.ts'
import { encodeManifest, rangeOf, type SegmentEntry } from '../src/ml/manifest.ts'
import { shardLayout } from '../src/ml/shard-file.ts'

export interface Version {
  readonly name: string
  /** What it is made of. */
  readonly from: StoredModel
  /** Segments in which one weight is another: `factor` times what it was. */
  readonly changed: readonly number[]
  readonly factor: number
}

/** Adds it to the data folder `home`, with shards in the folder of the model. */
export async function writeVersion(home: string, { name, from, changed, factor }: Version): Promise<StoredModel> {
  const { manifest } = from
  const folder = join(modelsFolder(home), name)
  await mkdir(folder, { recursive: true })
  const segments: SegmentEntry[] = []
  for (const { segment, ...file } of filesOf(manifest)) {
    const bytes = await readFile(pathOfFile(from, file))
    if (segment !== undefined) {
      const entry = manifest.segments[segment]!
      if (changed.includes(segment)) scaleFirst(bytes, { ...from, entry, factor })
      segments.push({ ...entry, shard: { ...entry.shard, root: rootOfBytes(bytes) } })
    }
    await writeFile(join(folder, file.name), bytes)
  }
  await writeFile(join(folder, 'manifest.json'), encodeManifest({ ...manifest, name, segments }))
  return openModelStore({ home }).find(name)
}

/** The first weight of the first norm: four bytes. */
function scaleFirst(
  bytes: Buffer,
  { manifest, entry, factor }: Pick<StoredModel, 'manifest'> & { entry: SegmentEntry; factor: number },
): void {
  const { tensors } = shardLayout(manifest.config, entry, manifest.format)
  const { offset } = tensors.find(({ plan }) => plan.kind === 'vector')!.parts[0]!
  bytes.writeFloatLE(bytes.readFloatLE(offset) * factor, offset)
}

/** What it goes on with after a text, always with the likeliest token. */
export async function greedyText(model: StoredModel, prompt: string, tokens: number): Promise<string> {
  const { manifest } = model
  const tokenizer = await loadTokenizer(model)
  const ids = tokenizer.encode(prompt)
  const stream = tokenizer.createTextStream(ids)
  const run = { firstSegment: 0, lastSegmentExclusive: manifest.segments.length }
  const range = rangeOf(manifest, run.firstSegment, run.lastSegmentExclusive)
  const weights = openWeights(model, run)
  const engine = await createEngine('wasm', { threads: 1 })
  const stage = engine.createStage({ config: manifest.config, range, weights, cacheBytesMax: 1 << 26 })
  try {
    const cache = stage.openCache(ids.length + tokens)
    let position = 0
    let text = ''
    let fed = ids
    for (let count = 0; count < tokens; count++) {
      const input = { type: 'tokens', tokens: Int32Array.from(fed) } as const
      const [output] = stage.run([{ cache, position, input, logits: 'last' }])
      if (output?.type !== 'logits') throw new Error('a step failed')
      position += fed.length
      const next = output.values.indexOf(Math.max(...output.values))
      if (tokenizer.endTokens.includes(next)) break
      text += stream.push(next)
      fed = [next]
    }
    return text + stream.flush()
  } finally {
    stage.close()
    weights.close()
  }
}
