/**
 * Seconds from the call of `dllm chat` to its first text: cold, with an empty data folder, no compiled code and no
 * network; and a call when the network runs, its chain too.
 * @module
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Bench, Measure } from './bench.ts'
import { PROGRAM } from './program.ts'
import { rowOf } from './report.ts'

export const firstText: Measure = {
  name: 'first-text',
  run: async (bench, report) => {
    const cold: number[] = []
    const warm: number[] = []
    for (let run = 0; run < bench.runs; run++) {
      bench.progress(`first text, run ${run + 1} of ${bench.runs}`)
      const { path } = await bench.newHome({ sharesModels: false })
      cold.push(await secondsToText(bench, path))
      // Waits for the chain, which the first chat starts in the background: it is no part of the second one.
      await dllm(['chain', 'head'], path).ended
      warm.push(await secondsToText(bench, path))
      await dllm(['devnet', 'down'], path).ended
    }
    report(rowOf({ measure: 'first text of `dllm chat`, empty home', values: { 'first text s': cold } }))
    report(rowOf({ measure: 'first text of `dllm chat`, network running', values: { 'first text s': warm } }))
  },
}

async function secondsToText(bench: Bench, home: string): Promise<number> {
  bench.signal.throwIfAborted()
  const startedMs = performance.now()
  const { child, ended } = dllm(['chat', '--temperature', '0', '--max-tokens', '8', 'Once upon a time'], home)
  await Promise.race([once(child.stdout, 'data'), ended])
  const seconds = (performance.now() - startedMs) / 1_000
  await ended
  return seconds
}

/** A call with the data folder `home`; `ended` rejects when it fails. */
function dllm(args: readonly string[], home: string) {
  const env = { ...process.env, DLLM_HOME: home, NODE_COMPILE_CACHE: `${home}-compiled` }
  const child = spawn(process.execPath, [PROGRAM, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  child.stdout.resume()
  // What it tells people belongs in no table, unless it fails.
  let told = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    told += text
  })
  const ended = once(child, 'exit').then(([code]) => {
    if (code !== 0) throw new Error(`dllm ${args.join(' ')} ended with ${code}: ${told}`)
  })
  return { child, ended }
}
