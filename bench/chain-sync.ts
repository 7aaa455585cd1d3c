/**
 * How fast a new node catches up: a node that holds a chain of four validators serves it over TCP on loopback, and a node without
 * keys and with an empty folder takes block after block, checks and keeps each. Once with empty blocks and once with fifty
 * transfers in each. Both are the processes that users run.
 * @module
 */
import type { Bench, Measure } from './bench.ts'
import {
  type BenchNetwork,
  createBenchNetwork,
  type NodeProcess,
  nodeName,
  startNode,
  type Usage,
} from './chain/bench-network.ts'
import { writeChain } from './chain/written-chain.ts'
import { rowOf } from './report.ts'

const VALIDATORS = 4
const BLOCKS = 600
const BLOCKS_QUICK = 300
const SENDERS = 1_000
const TRANSFERS = [0, 50]
/** The first blocks wait for connections and are taken by code that is not compiled yet. */
const FIRST_BLOCKS = 100
const SYNC_MS = 180_000

export const chainSync: Measure = {
  name: 'chain-sync',
  run: async (bench, report) => {
    const blocks = bench.quick ? BLOCKS_QUICK : BLOCKS
    for (const transfersPerBlock of TRANSFERS) {
      bench.progress(`sync, ${blocks} blocks of ${transfersPerBlock} transfers are made`)
      const home = await bench.newHome({ sharesModels: false })
      const network = await createBenchNetwork(
        { validators: VALIDATORS, accounts: SENDERS },
        { home, system: bench.system },
      )
      const plan = { blocks, transfersPerBlock, validators: VALIDATORS, senders: SENDERS }
      const bytes = await writeChain(network, plan)
      const synced = await syncFrom(bench, network, blocks)
      const { ms, newcomer, server, rssMiB } = synced
      const counted = blocks - synced.firstBlocks
      report(
        rowOf({
          measure: `a new node catches up, ${transfersPerBlock} transfers per block`,
          values: {
            'blocks per s': [(1_000 * counted) / ms],
            'transfers per s': [(1_000 * counted * transfersPerBlock) / ms],
            'bytes per block': [bytes / blocks],
            'ms per block': [ms / counted],
            'CPU ms per block, newcomer': [newcomer / counted],
            'CPU ms per block, server': [server / counted],
            'newcomer RSS MiB': [rssMiB],
            blocks: [counted],
          },
        }),
      )
    }
  },
}

interface Synced {
  /** From the first counted block to the last. */
  readonly ms: number
  /** CPU time in the same while. */
  readonly newcomer: number
  readonly server: number
  readonly rssMiB: number
  readonly firstBlocks: number
}

async function syncFrom(bench: Bench, network: BenchNetwork, blocks: number): Promise<Synced> {
  const nodes: NodeProcess[] = []
  try {
    const server = await startNode(network, { name: nodeName(0), index: 0 })
    nodes.push(server)
    bench.progress('sync, a new node starts')
    const newcomer = await startNode(network, {
      name: 'newcomer',
      index: 1,
      args: ['--listen', '/ip4/127.0.0.1/tcp/0'],
    })
    nodes.push(newcomer)
    const marks: Mark[] = []
    const mark = (height: number): void => {
      marks.push({ height, ms: performance.now(), newcomer: newcomer.usage(), server: server.usage() })
    }
    await new Promise<void>((resolve, reject) => {
      const late = setTimeout(() => reject(new Error('the new node does not catch up')), SYNC_MS)
      newcomer.onEvent(({ type, height = 0 }) => {
        if (type !== 'block') return
        if (marks.length === 0 && height >= FIRST_BLOCKS) mark(height)
        if (height < blocks) return
        mark(height)
        clearTimeout(late)
        resolve()
      })
    })
    const [first, last] = marks as [Mark, Mark]
    return {
      ms: last.ms - first.ms,
      newcomer: last.newcomer.cpuMs - first.newcomer.cpuMs,
      server: last.server.cpuMs - first.server.cpuMs,
      rssMiB: last.newcomer.rssMiB,
      firstBlocks: first.height,
    }
  } finally {
    await Promise.all(nodes.map((node) => node.stop()))
  }
}

interface Mark {
  readonly height: number
  readonly ms: number
  readonly newcomer: Usage
  readonly server: Usage
}
