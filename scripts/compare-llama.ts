/**
 * What llama.cpp computes for the tiny models of test/unit/app/families.ts: writes the logits of some tokens to
 * test/unit/app/families-llama.json, which families.test.ts compares with ours. node-llama-cpp is no dependency of this
 * program: install it anywhere (`npm i --prefix /tmp/llama node-llama-cpp`) and name the folder.
 *
 *   node scripts/compare-llama.ts /tmp/llama
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { FAMILY_TOKENS, TINY_FAMILIES } from '../test/unit/app/families.ts'
import { tinyFamilyGguf } from '../test/unit/app/families-gguf.ts'

const TARGET = fileURLToPath(new URL('../test/unit/app/families-llama.json', import.meta.url))
const BIOME = fileURLToPath(new URL('../node_modules/.bin/biome', import.meta.url))
/** Positions whose logits are kept, and every which logit. */
const POSITIONS: readonly number[] = [0, 7, FAMILY_TOKENS.length - 1]
const EVERY = 7

/** The part of node-llama-cpp that is used here. */
interface LlamaModule {
  readonly GgmlType: { readonly F32: number }
  getLlama(options: object): Promise<{ loadModel(options: object): Promise<LlamaModel> }>
}

interface LlamaModel {
  createContext(options: object): Promise<{ getSequence(): LlamaSequence; dispose(): Promise<void> }>
  dispose(): Promise<void>
}

interface LlamaSequence {
  controlledEvaluate(input: readonly unknown[]): Promise<({ next: { logits: Map<number, number> } } | undefined)[]>
}

async function main(folder: string): Promise<void> {
  const entry = join(resolve(folder), 'node_modules/node-llama-cpp/dist/index.js')
  const library = (await import(pathToFileURL(entry).href)) as LlamaModule
  const llama = await library.getLlama({ gpu: false, build: 'never', logLevel: 'warn' })
  const scratch = mkdtempSync(join(tmpdir(), 'families-'))
  const models: Record<string, unknown> = {}
  try {
    for (const family of TINY_FAMILIES) {
      const path = join(scratch, `${family.name}.gguf`)
      writeFileSync(path, tinyFamilyGguf(family))
      const model = await llama.loadModel({ modelPath: path, gpuLayers: 0, useMmap: false })
      const context = await model.createContext({
        ...{ contextSize: family.config['max_position_embeddings'], batchSize: 64, flashAttention: false, threads: 1 },
        ...{ experimentalKvCacheKeyType: 'F32', experimentalKvCacheValueType: 'F32' },
      })
      // Each token asks for logits as they are: no temperature, no candidates left out.
      const options = { generateNext: { logits: true, options: { temperature: 1, topK: 0, topP: 1, minP: 0 } } }
      const results = await context.getSequence().controlledEvaluate(FAMILY_TOKENS.map((token) => [token, options]))
      models[family.name] = POSITIONS.map((position) => {
        const logits = results[position]!.next.logits
        const ordered = [...logits].sort(([a], [b]) => a - b).map(([, logit]) => logit)
        return { position, logits: ordered.filter((_, token) => token % EVERY === 0).map(Math.fround) }
      })
      await context.dispose()
      await model.dispose()
      console.log(family.name)
    }
  } finally {
    rmSync(scratch, { recursive: true })
  }
  writeFileSync(TARGET, JSON.stringify({ every: EVERY, models }))
  execFileSync(BIOME, ['check', '--write', TARGET])
}

await main(process.argv[2] ?? '/tmp/llama')
