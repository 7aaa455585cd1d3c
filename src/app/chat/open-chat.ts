/**
 * From a model's name to an open ring: network, local processes where needed, route, session, tokenizer. What a
 * chat needs before the first word.
 * @module
 */
import { availableParallelism } from 'node:os'
import type { Clock, Log, Random } from '../../base/ports.ts'
import type { Tokenizer } from '../../ml/tokenizer.ts'
import { type Client, createClient } from '../client.ts'
import { ensureGroup } from '../devnet/devnet.ts'
import type { Home } from '../home.ts'
import { openModelStore, type StoredModel } from '../model-store.ts'
import { loadTokenizer } from '../model-tokenizer.ts'
import { LOCAL_NETWORK, type Network } from '../networks.ts'
import { openRing, type RingSession } from '../ring/ring-client.ts'

export interface OpenChatOptions {
  readonly home: Home
  readonly network: Network
  readonly model: string
  /** Threads of miners that have to be started; 0: as many as there are cores. */
  readonly threads: number
  /** Positions that the chat may need; clipped to the model's context. */
  readonly capacityFor: (tokenizer: Tokenizer, contextLength: number) => number
  /** Told once when processes of the local network were started. */
  readonly onStarted: (miners: number) => void
  readonly signal: AbortSignal
}

export interface OpenChat {
  readonly model: StoredModel
  readonly tokenizer: Tokenizer
  readonly client: Client
  readonly ring: RingSession
  close(): Promise<void>
}

export interface ChatPorts {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

export async function openChat(options: OpenChatOptions, ports: ChatPorts): Promise<OpenChat> {
  const { home, signal } = options
  const model = openModelStore({ home: home.path }).find(options.model)
  const [tokenizer, network] = await Promise.all([loadTokenizer(model), reachable(options, model, ports)])
  const { contextLength } = model.manifest.config
  const capacity = Math.min(options.capacityFor(tokenizer, contextLength), contextLength)
  const client = await createClient(network, ports)
  try {
    const route = await client.routes.findRoute(model.hash, signal)
    const ring = await openRing({ route, capacity }, { ...ports, wire: client.wire }, signal)
    const close = async () => {
      await ring.close()
      await client.close()
    }
    return { model, tokenizer, client, ring, close }
  } catch (error) {
    await client.close()
    throw error
  }
}

/** The network with addresses to begin with; the local one is started when it does not run. */
async function reachable(options: OpenChatOptions, model: StoredModel, ports: ChatPorts): Promise<Network> {
  if (options.network.id !== LOCAL_NETWORK.id) return options.network
  const threads = options.threads || availableParallelism()
  const { group, started } = await ensureGroup({ home: options.home, model, miners: undefined, threads }, ports)
  if (started) options.onStarted(group.miners.length)
  return { ...options.network, bootstrap: group.miners.flatMap(({ addresses }) => addresses.slice(0, 1)) }
}
