/**
 * From a model to an open ring: local processes where needed, route, session. What a chat needs before the first word,
 * and again when its ring is lost.
 * @module
 */
import { availableParallelism } from 'node:os'
import { milliseconds } from '../../base/brand.ts'
import type { Clock, Log, Random } from '../../base/ports.ts'
import { type Client, createClient } from '../client.ts'
import { ensureGroup } from '../devnet/devnet.ts'
import type { Home } from '../home.ts'
import type { StoredModel } from '../model-store.ts'
import { LOCAL_NETWORK, type Network } from '../networks.ts'
import { openRing } from '../ring/ring-client.ts'
import type { RingSession } from '../ring/ring-session.ts'
import { createLastingRing, isLoss } from './lasting-ring.ts'

export interface OpenChatOptions {
  readonly home: Home
  readonly network: Network
  readonly model: StoredModel
  /** Positions to reserve at every stage. */
  readonly capacity: number
  /** Threads of miners that have to be started; 0: as many as there are cores. */
  readonly threads: number
  /** Told before processes of the local network are started, and when they run. */
  readonly onStarting: (miners: number) => void
  readonly onStarted: (miners: number) => void
  /** Told when the ring was lost and another one is looked for. */
  readonly onLost: (why: unknown) => void
  readonly signal: AbortSignal
}

export interface OpenChat {
  readonly model: StoredModel
  /** Of the ring that serves now. */
  readonly client: Client
  readonly ring: RingSession
  close(): Promise<void>
}

export interface ChatPorts {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

interface Connection {
  readonly client: Client
  readonly ring: RingSession
}

const RECONNECT_TRIES = 10
const RECONNECT_PAUSE_MS = milliseconds(500)

export async function openChat(options: OpenChatOptions, ports: ChatPorts): Promise<OpenChat> {
  let connection = await connect(options, ports, options.signal)
  const disconnect = async () => {
    await connection.ring.close()
    await connection.client.close()
  }
  const reopen = async (why: unknown, signal = options.signal): Promise<RingSession> => {
    options.onLost(why)
    await disconnect()
    connection = await reconnect(options, ports, signal)
    return connection.ring
  }
  const ring = createLastingRing({ first: connection.ring, reopen })
  return {
    model: options.model,
    get client() {
      return connection.client
    },
    ring,
    close: disconnect,
  }
}

/** A miner that shuts down says so before it is gone, and others take a moment to notice one that went. */
async function reconnect(options: OpenChatOptions, ports: ChatPorts, signal: AbortSignal): Promise<Connection> {
  for (let tries = 1; ; tries++) {
    try {
      return await connect(options, ports, signal)
    } catch (error) {
      if (tries === RECONNECT_TRIES || signal.aborted || !isLoss(error)) throw error
      await ports.clock.sleep(RECONNECT_PAUSE_MS, signal)
    }
  }
}

async function connect(options: OpenChatOptions, ports: ChatPorts, signal: AbortSignal): Promise<Connection> {
  const { model, capacity, network } = options
  // The client's libraries load while miners start; it reads the addresses when it looks for a route.
  const bootstrap = [...network.bootstrap]
  const [starting, creating] = await Promise.allSettled([
    network.id === LOCAL_NETWORK.id ? startLocal(options, bootstrap, ports) : undefined,
    createClient({ ...network, bootstrap }, ports),
  ])
  if (creating.status === 'rejected') throw creating.reason
  const client = creating.value
  try {
    if (starting.status === 'rejected') throw starting.reason
    const route = await client.routes.findRoute(model.hash, signal)
    const ring = await openRing({ route, capacity }, { ...ports, wire: client.wire }, signal)
    return { client, ring }
  } catch (error) {
    await client.close()
    throw error
  }
}

/** Starts the local network where it does not run, and adds the addresses of its miners to `bootstrap`. */
async function startLocal(options: OpenChatOptions, bootstrap: string[], ports: ChatPorts): Promise<void> {
  const { home, model, onStarting } = options
  const usualThreads = options.threads || availableParallelism()
  const { group, started } = await ensureGroup({ home, model, miners: undefined, usualThreads, onStarting }, ports)
  if (started > 0) options.onStarted(started)
  bootstrap.push(...group.miners.flatMap(({ addresses }) => addresses.slice(0, 1)))
}
