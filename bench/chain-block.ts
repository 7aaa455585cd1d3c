/**
 * How long a block holds up the event loop, by its number of transfers: its making, its check and its application are one turn
 * each. Against 50 ms, the time in which nothing else of the node runs; with the parts of the check. One core, no disk.
 * @module
 */
import { hexToBytes } from '@noble/hashes/utils.js'
import { opensslAccepts } from '../src/app/openssl-verify.ts'
import { encodeBlock } from '../src/core/block/block.ts'
import { transactionsRoot } from '../src/core/block/transactions-root.ts'
import { checkBlock } from '../src/core/block/validate.ts'
import { treeRoot, updateTree } from '../src/core/state/tree.ts'
import { decodeTransaction } from '../src/core/transaction/transaction.ts'
import type { Measure } from './bench.ts'
import { checkMs, finish, makeWorld, nextBlock, type World } from './chain/one-core.ts'
import { rowOf } from './report.ts'

const SIZES = [0, 100, 500, 2_000]
const TURN_MS = 50
/** Until the code is compiled. */
const WARM_UPS = 6

export const chainBlock: Measure = {
  name: 'chain-block',
  run: async (bench, report) => {
    bench.progress('blocks, keys of 10,000 accounts')
    const world = makeWorld()
    for (let run = 0; run < WARM_UPS; run++) measure(world, 500)
    for (const transfers of SIZES) {
      const samples: Record<string, number>[] = []
      for (let run = 0; run < bench.runs; run++) {
        bench.signal.throwIfAborted()
        bench.progress(`blocks of ${transfers} transfers, run ${run + 1} of ${bench.runs}`)
        samples.push(measure(world, transfers))
        await new Promise((resolve) => setImmediate(resolve))
      }
      const names = Object.keys(samples[0]!)
      report(
        rowOf({
          measure: `check of a block ÷ ${TURN_MS} ms, ${transfers} known transfers`,
          ratios: samples.map((sample) => sample['check ms']! / TURN_MS),
          target: { atMost: 1 },
          values: Object.fromEntries(names.map((name) => [name, samples.map((sample) => sample[name]!)])),
        }),
      )
    }
  },
}

/** Milliseconds of each part; `check` is what a validator does whose pool knows the transfers. */
function measure(world: World, transfers: number): Record<string, number> {
  const { chain } = world
  const made = timed(() => nextBlock(world, transfers))
  const block = made.value
  const isSignatureKnown = (): boolean => true
  const check = timed(() =>
    checkBlock(block, chain.place(), { accepts: opensslAccepts, isSignatureKnown, isCommitted: true }),
  )
  const unknown = checkMs(chain, block, false)
  const decode = timed(() => block.transactions.map((bytes) => decodeTransaction(bytes).id))
  const root = timed(() => transactionsRoot(decode.value))
  const size = timed(() => encodeBlock(block))
  const { changes } = check.value
  const entries = changes.map(([key, value]) => ({ key: hexToBytes(key), value }))
  const tree = timed(() => treeRoot(updateTree(chain.place().tree, entries)))
  const applied = timed(() => finish(world, block))
  const parts = decode.ms + root.ms + size.ms + tree.ms
  return {
    'check ms': check.ms,
    'decode ms': decode.ms,
    'transactions root ms': root.ms,
    'encode ms': size.ms,
    'tree ms': tree.ms,
    'execute ms': check.ms - parts,
    'signatures if unknown ms': unknown - check.ms,
    'apply and pool ms': applied.ms,
    'pool, sign and make ms': made.ms,
  }
}

function timed<Value>(work: () => Value): { readonly value: Value; readonly ms: number } {
  const startedMs = performance.now()
  const value = work()
  return { value, ms: performance.now() - startedMs }
}
