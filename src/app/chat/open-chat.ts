/**
 * From a model to an open ring: local processes where needed, what pays, route, session. What a chat needs before the first word,
 * and again when its ring is lost.
 * @module
 */
import { availableParallelism } from 'node:os'
import { milliseconds, type PeerId } from '../../base/brand.ts'
import { codeOf } from '../../base/error.ts'
import type { Clock, Log, Random } from '../../base/ports.ts'
import { type Client, createClient } from '../client.ts'
import { ensureGroup } from '../devnet/devnet.ts'
import type { Home } from '../home.ts'
import type { ChatNeed } from '../market/client-cap.ts'
import type { ClientPayments, PaidRing } from '../market/client-payments.ts'
import { LeaseError } from '../market/lease-error.ts'
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
  /** What the first answer has to compute. */
  readonly need: ChatNeed
  /** undefined: only miners that serve for nothing are asked. */
  readonly payments: ClientPayments | undefined
  /** What to do where there are no such miners. */
  readonly advice: string
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
  readonly payments: ClientPayments | undefined
  close(): Promise<void>
}

export interface ChatPorts {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

/** A session, and what pays for it. */
interface Opened {
  readonly ring: RingSession
  readonly paid: PaidRing | undefined
}

interface Connection extends Opened {
  readonly client: Client
}

/** What to connect for. */
interface Wanted {
  readonly need: ChatNeed
  readonly signal: AbortSignal
}

const RECONNECT_TRIES = 10
const RECONNECT_PAUSE_MS = milliseconds(500)
/** Miners that ask for a lease, one after the other, before a ring without one is given up. */
const LEASED_MINERS_MAX = 8

export async function openChat(options: OpenChatOptions, ports: ChatPorts): Promise<OpenChat> {
  const { payments } = options
  let connection = await connect(options, ports, options)
  const disconnect = async (): Promise<void> => {
    await connection.ring.close()
    await connection.paid?.release()
    await connection.client.close()
  }
  const reopen = async (why: unknown, need: ChatNeed, signal = options.signal): Promise<RingSession> => {
    const { ring, paid, client } = connection
    await ring.close()
    await paid?.release()
    if (paid !== undefined && !(await payments!.failed(why, { paid, client, atOnce: false }))) throw why
    if (codeOf(why) !== 'LEASE_SPENT') options.onLost(why)
    await client.close()
    connection = await reconnect(options, ports, { need, signal })
    return connection.ring
  }
  const ring = createLastingRing({ first: connection.ring, reopen })
  return {
    model: options.model,
    get client() {
      return connection.client
    },
    ring,
    payments,
    close: async () => {
      await disconnect()
      await payments?.close()
    },
  }
}

/** A miner that shuts down says so before it is gone, and others take a moment to notice one that went. */
async function reconnect(options: OpenChatOptions, ports: ChatPorts, wanted: Wanted): Promise<Connection> {
  for (let tries = 1; ; tries++) {
    try {
      return await connect(options, ports, wanted)
    } catch (error) {
      const isOver = tries === RECONNECT_TRIES || codeOf(error) === 'LEASE_SPENT'
      if (isOver || wanted.signal.aborted || !isLoss(error)) throw error
      await ports.clock.sleep(RECONNECT_PAUSE_MS, wanted.signal)
    }
  }
}

async function connect(options: OpenChatOptions, ports: ChatPorts, wanted: Wanted): Promise<Connection> {
  const { network } = options
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
    return { client, ...(await openWith(client, options, ports, wanted)) }
  } catch (error) {
    await client.close()
    throw error
  }
}

/** A paid ring where the chat pays, else a free one. */
async function openWith(client: Client, options: OpenChatOptions, ports: ChatPorts, wanted: Wanted): Promise<Opened> {
  const { payments } = options
  const paid = await openPaid(client, options, ports, wanted)
  if (paid !== undefined) return paid
  try {
    return { paid: undefined, ring: await openFree(client, options, ports, wanted.signal) }
  } catch (error) {
    if (payments === undefined || codeOf(error) !== 'LEASE_REQUIRED') throw error
    const why = payments.require()
    if (why !== undefined) throw why
    const opened = await openPaid(client, options, ports, wanted)
    if (opened === undefined) throw error
    return opened
  }
}

/** undefined: the chat is free. A lease with which no ring can be opened makes way for another, as long as that may help. */
async function openPaid(
  client: Client,
  { payments, capacity }: OpenChatOptions,
  ports: ChatPorts,
  { need, signal }: Wanted,
): Promise<Opened | undefined> {
  for (;;) {
    const paid = await payments?.ring(client, need, signal)
    if (paid === undefined) return undefined
    const { route, payer } = paid
    try {
      return { paid, ring: await openRing({ route, capacity, payer }, { ...ports, wire: client.wire }, signal) }
    } catch (error) {
      await paid.release()
      if (signal.aborted || !(await payments!.failed(error, { paid, client, atOnce: true }))) throw error
    }
  }
}

/** A ring of miners that ask for no lease. @throws LeaseError LEASE_REQUIRED when others are needed. */
async function openFree(
  client: Client,
  { model, capacity, advice }: OpenChatOptions,
  ports: ChatPorts,
  signal: AbortSignal,
): Promise<RingSession> {
  const without = new Set<PeerId>()
  const required = (cause: unknown): LeaseError =>
    new LeaseError('LEASE_REQUIRED', `The miners of this model work for pay, not for nothing. ${advice}`, { cause })
  for (;;) {
    const route = await client.routes.findRoute(model.hash, signal, without).catch((error: unknown) => {
      throw without.size === 0 ? error : required(error)
    })
    try {
      return await openRing({ route, capacity }, { ...ports, wire: client.wire }, signal)
    } catch (error) {
      const { requiresLease } = await import('../market/client-faults.ts')
      const stage = requiresLease(error)
      if (stage === undefined) throw error
      if (without.size >= LEASED_MINERS_MAX) throw required(error)
      without.add(route.stages[stage - 1]!.peer)
    }
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
