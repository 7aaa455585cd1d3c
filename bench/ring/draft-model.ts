/**
 * A model to draft with: the same one in q4, half of its bytes, whole in the process of stage 1. What it would say next is mostly what the larger one says.
 * @module
 */
import { join } from 'node:path'
import { importModel } from '../../src/app/model-import.ts'
import { openModelStore, type StoredModel } from '../../src/app/model-store.ts'
import { writeHuggingFaceFolder } from '../../src/app/train/safetensors-out.ts'
import type { Bench } from '../bench.ts'

/** Adds it to the models of the bench; gives its name. For a model that fits into memory as f32. */
export async function writeDraftModel(bench: Bench, stored: StoredModel): Promise<string> {
  const { config, segments, name } = stored.manifest
  const { path: home } = bench.home
  const draftName = `${name}-draft`
  const store = openModelStore({ home })
  if (store.list().some(({ manifest }) => manifest.name === draftName)) return draftName
  const { path } = await bench.newHome({ sharesModels: false })
  const folder = join(path, 'floats')
  const weights = store.openWeights(stored, 0, segments.length)
  try {
    await writeHuggingFaceFolder(folder, { config, weights }, stored.directory)
  } finally {
    weights.close()
  }
  await importModel({ folder, home, name: draftName, format: 'q4', segments: 1 }, bench.signal)
  return draftName
}
