/**
 * The engine ÷ llama.cpp: the processor build that node-llama-cpp publishes on npm (which picks its kernels for this processor when it runs), fetched for the run.
 * @module
 */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Measure } from './bench.ts'
import { measurePeer, type Peer } from './peer-turns.ts'
import { fetchPeer } from './peers/install.ts'
import type { LlamaLoad } from './peers/llama.ts'
import { type LlamaFormat, writeLlamaFile } from './peers/llama-file.ts'
import type { RandomFormat } from './random-model.ts'

const VERSION = '3.22.1'
/** As node-llama-cpp names its builds for processors alone, by platform and architecture. */
const BUILDS: Readonly<Record<string, string>> = {
  'linux-x64': 'linux-x64',
  'linux-arm64': 'linux-arm64',
  'darwin-x64': 'mac-x64',
  'darwin-arm64': 'mac-arm64-metal',
  'win32-x64': 'win-x64',
  'win32-arm64': 'win-arm64',
}
const PROGRAM = fileURLToPath(import.meta.resolve('./peers/llama.ts'))
const FORMATS: Readonly<Record<RandomFormat, LlamaFormat>> = { q8: 'Q8_0', q4: 'Q4_0' }
const DECODE_TARGETS = { q8: { atLeast: 1.1 }, q4: { atLeast: 1.05 } } as const
const PREFILL_TARGET = { atLeast: 1.2 }

export const llamaPeer: Measure = {
  name: 'llama',
  async run(bench, report) {
    const build = BUILDS[`${process.platform}-${process.arch}`]
    if (build === undefined) return console.error('\nllama: left out, there is no build for this platform')
    const fetched = await fetchPeer(bench, { name: `@node-llama-cpp/${build}`, version: VERSION })
    if (fetched === undefined) return
    await bench.forEachModel(
      async (model) => {
        if (model.stored.isEmbedded) return
        const { format: ours, config } = model.stored.manifest
        const format = FORMATS[ours as RandomFormat]
        const file = join(fetched.home, `${format}.gguf`)
        bench.progress(`llama, ${model.label}: writing ${format}`)
        await writeLlamaFile(file, config, format)
        const load: Omit<LlamaLoad, 'threads' | 'context'> = { type: 'load', folder: fetched.folder, file }
        const targets = { decode: DECODE_TARGETS[ours as RandomFormat], prefill: PREFILL_TARGET }
        const peer: Peer = { name: 'llama.cpp', format, program: PROGRAM, load, targets, canBeBare: true }
        try {
          for (const row of await measurePeer(bench, model, peer)) report(row)
        } finally {
          await rm(file)
        }
      },
      { formats: bench.quick ? ['q4'] : ['q8', 'q4'], isNeeded: true },
    )
  },
}
