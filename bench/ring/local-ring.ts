/**
 * A ring of miner processes as the local network starts them, and the product's client. Each ring has a data folder of its own, so that rings do
 * not hear of each other.
 * @module
 */
import { readdir, readFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { type Client, createClient } from '../../src/app/client.ts'
import { ensureGroup, stopAll } from '../../src/app/devnet/devnet.ts'
import type { DevnetMiner } from '../../src/app/devnet/devnet-state.ts'
import type { Home } from '../../src/app/home.ts'
import { LOCAL_NETWORK } from '../../src/app/networks.ts'
import { openRing } from '../../src/app/ring/ring-client.ts'
import type { RingSession } from '../../src/app/ring/ring-session.ts'
import type { Bench, BenchModel } from '../bench.ts'
import { GREEDY } from '../greedy.ts'

export interface LocalRing {
  readonly home: Home
  readonly miners: readonly DevnetMiner[]
  open(capacity: number): Promise<RingSession>
  close(): Promise<void>
}

const LOG_LINES = 20

export async function startLocalRing(bench: Bench, { stored }: BenchModel, miners: number): Promise<LocalRing> {
  const home = await bench.newHome({ sharesModels: true })
  const threads = availableParallelism()
  const { group } = await ensureGroup({ home, model: stored, miners, threads }, bench.system)
  const bootstrap = group.miners.flatMap(({ addresses }) => addresses.slice(0, 1))
  const client: Client = await createClient({ ...LOCAL_NETWORK, bootstrap }, bench.system)
  return {
    ...{ home, miners: group.miners },
    async open(capacity) {
      const route = await client.routes.findRoute(stored.hash, bench.signal)
      return openRing({ route, capacity }, { ...bench.system, wire: client.wire }, bench.signal)
    },
    async close() {
      await client.close()
      await stopAll(home, bench.system)
    },
  }
}

/** When each token of a turn came, each of which costs a step. */
export async function arrivals(
  bench: Bench,
  session: RingSession,
  { prompt, maxTokens }: { readonly prompt: readonly number[]; readonly maxTokens: number },
): Promise<number[]> {
  const times: number[] = []
  const generation = { ...GREEDY, maxTokens }
  for await (const event of session.generate(prompt, { generation, draftsMax: 0, signal: bench.signal })) {
    if (event.type === 'token') times.push(performance.now())
  }
  return times
}

/** The data folder goes away with the run, and with it what the miners wrote. */
export async function printLogs({ home }: LocalRing): Promise<void> {
  for (const file of await readdir(home.file('devnet', 'logs'))) {
    const text = await readFile(home.file('devnet', 'logs', file), 'utf8')
    console.error(`\n${file}:\n${text.split('\n').slice(-LOG_LINES).join('\n')}`)
  }
}
