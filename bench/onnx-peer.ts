/**
 * The engine ÷ onnxruntime, as npm has it for processors: a graph of the same shape with blocks of 4 or 8 bits, fetched and written for the run.
 * @module
 */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Measure } from './bench.ts'
import { measurePeer } from './peer-turns.ts'
import { fetchPeer } from './peers/install.ts'
import type { OnnxLoad } from './peers/onnx.ts'
import { type OnnxBits, writeOnnxFile } from './peers/onnx-file.ts'
import type { RandomFormat } from './random-model.ts'

const VERSION = '1.30.0'
const PROGRAM = fileURLToPath(import.meta.resolve('./peers/onnx.ts'))
const BITS: Readonly<Record<RandomFormat, OnnxBits>> = { q8: 8, q4: 4 }
/** Longer than any prompt here and what is decoded behind it. */
const POSITIONS = 1_024

export const onnxPeer: Measure = {
  name: 'onnx',
  async run(bench, report) {
    const fetched = await fetchPeer(bench, { name: 'onnxruntime-node', version: VERSION })
    if (fetched === undefined) return
    const { folder, home } = fetched
    await bench.forEachModel(
      async (model) => {
        if (model.stored.isEmbedded) return
        const { format, config } = model.stored.manifest
        const bits = BITS[format as RandomFormat]
        const file = join(home, 'model.onnx')
        bench.progress(`onnx, ${model.label}: writing ${bits} bits`)
        const bytes = await writeOnnxFile({ path: file, bits, positions: POSITIONS }, config)
        const load: Omit<OnnxLoad, 'threads' | 'context'> = { type: 'load', folder, file, config }
        const name = `onnxruntime`
        const targets = { decode: undefined, prefill: undefined }
        const peer = { name, format: `${bits} bits`, program: PROGRAM, load, targets, canBeBare: false }
        console.log(`\n${name}: ${(bytes / 1e6).toFixed(0)} MB`)
        for (const row of await measurePeer(bench, model, peer)) report(row)
        await rm(file)
      },
      { formats: bench.quick ? ['q4'] : ['q8', 'q4'], isNeeded: true },
    )
  },
}
