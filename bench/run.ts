/**
 * `npm run bench`: measures on this machine, now, and prints one table of ratios. See bench/README.md.
 * @module
 */
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { messageOf } from '../src/base/error.ts'
import { type Bench, type Measure, withBench } from './bench.ts'
import { chainApply } from './chain-apply.ts'
import { chainBlock } from './chain-block.ts'
import { chainFinality } from './chain-finality.ts'
import { chainRounds } from './chain-rounds.ts'
import { chainScale } from './chain-scale.ts'
import { chainSync } from './chain-sync.ts'
import { chainThroughput } from './chain-throughput.ts'
import { decodeBandwidth } from './decode-bandwidth.ts'
import { economy } from './economy.ts'
import { firstText } from './first-text.ts'
import { gpuCalls } from './gpu-calls.ts'
import { helpTime } from './help-time.ts'
import { llamaPeer } from './llama-peer.ts'
import { describeMachine, isQuiet, type Machine, machineText } from './machine.ts'
import { onnxPeer } from './onnx-peer.ts'
import { placement } from './placement.ts'
import { prefillDecode } from './prefill-decode.ts'
import { receipts } from './receipts.ts'
import { type Row, tableOf } from './report.ts'
import { ringChats } from './ring-chats.ts'
import { ringDelay } from './ring-delay.ts'
import { ringPrefill } from './ring-prefill.ts'
import { ringPrefix } from './ring-prefix.ts'
import { ringSplit } from './ring-split.ts'
import { ringTransport } from './ring-transport.ts'
import { shardSteps, shards } from './shards.ts'
import { speculation } from './speculation.ts'
import { stageLoad } from './stage-load.ts'
import { plotTargets } from './targets-plot.ts'

const MEASURES: readonly Measure[] = [
  decodeBandwidth,
  prefillDecode,
  llamaPeer,
  onnxPeer,
  ringSplit,
  ringDelay,
  speculation,
  ringChats,
  ringTransport,
  ringPrefill,
  ringPrefix,
  stageLoad,
  receipts,
  shards,
  shardSteps,
  helpTime,
  firstText,
  gpuCalls,
  chainApply,
  chainBlock,
  chainFinality,
  chainSync,
  chainRounds,
  ...chainScale,
  chainThroughput,
  economy,
  placement,
]

const USAGE =
  'npm run bench -- [--only NAME] [--model TEXT] [--engine NAME] [--lines namespaces|proxies] [--json FILE] [--svg FILE] [--quick]'
const OPTIONS = {
  only: { type: 'string', multiple: true },
  model: { type: 'string', default: '' },
  engine: { type: 'string' },
  lines: { type: 'string' },
  json: { type: 'string' },
  svg: { type: 'string' },
  quick: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const

const names = MEASURES.map(({ name }) => name)
const flags = flagsOf()
if (flags.help) console.log(`${USAGE}\nMeasures: ${names.join(', ')}.`)
else await main()

/** Ends the process where they are none. */
function flagsOf() {
  try {
    const { values } = parseArgs({ options: OPTIONS })
    const unknown = values.only?.find((name) => !names.includes(name))
    if (unknown === undefined) return values
    console.error(`There is no measure "${unknown}". There are: ${names.join(', ')}.`)
  } catch (error) {
    console.error(`${messageOf(error)}\n${USAGE}`)
  }
  process.exit(2)
}

async function main(): Promise<void> {
  const machine = await describeMachine()
  console.log(machineText(machine))
  const stopping = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort(new Error('stopped')))
  const rows: Row[] = []
  const means = (['namespaces', 'proxies'] as const).find((name) => name === flags.lines)
  const { quick, model: modelFilter, engine } = flags
  const options = { quick, modelFilter, engine, means, signal: stopping.signal, progress }
  try {
    await withBench(options, async (bench) => {
      console.log(`engines: ${bench.engines.join(', ')}`)
      await runMeasures(bench, rows, () => writeFiles(machine, rows))
    })
  } catch (error) {
    if (!stopping.signal.aborted) throw error
    console.error('\nStopped; this is what was measured until then.')
    process.exitCode = 130
  }
  progress('')
  console.log(`\n${tableOf(rows)}`)
  writeFiles(machine, rows)
}

function writeFiles(machine: Machine, rows: readonly Row[]): void {
  if (flags.json !== undefined) {
    const json = { machine: { ...machine, quiet: isQuiet(machine) }, quick: flags.quick, rows }
    writeFileSync(flags.json, `${JSON.stringify(json, undefined, 2)}\n`)
  }
  if (flags.svg !== undefined) writeFileSync(flags.svg, plotTargets(rows, machineText(machine).split('\n')[0]!))
}

/** `keep`: called after each measure, so that a run that somebody ends loses none. */
async function runMeasures(bench: Bench, rows: Row[], keep: () => void): Promise<void> {
  const isWanted = ({ name, isLong = false }: Measure) => flags.only?.includes(name) ?? !(flags.quick && isLong)
  const measures = MEASURES.filter(isWanted)
  for (const [index, measure] of measures.entries()) {
    const startedMs = performance.now()
    const before = rows.length
    try {
      await measure.run(bench, (row) => rows.push(row))
    } catch (error) {
      bench.signal.throwIfAborted()
      // One broken measure does not cost the figures of the others.
      console.error(`\n${measure.name} failed:`, error)
      process.exitCode = 1
    }
    progress('')
    const seconds = ((performance.now() - startedMs) / 1_000).toFixed(0)
    console.error(`${index + 1} of ${measures.length}, ${measure.name}: ${rows.length - before} lines, ${seconds} s`)
    keep()
  }
}

/** One line that is written over; nothing where nobody watches. */
function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`)
}
