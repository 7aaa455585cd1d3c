/**
 * Serves bulk links in the thread that it runs in: reads chunks from files and writes them to sockets, and nothing else. Who shows a ticket that was given
 * over a channel may ask; a ticket opens one link. Content is public and compared by whoever gets it, so nothing is encrypted.
 * Spec: docs/spec/shards.md §5.
 * @module
 */
import { createServer, type Server, type Socket } from 'node:net'
import { milliseconds, type PeerId } from '../../base/brand.ts'
import { DEADLINES } from '../../base/limits.ts'
import type { Clock } from '../../base/ports.ts'
import { SHARD_LIMITS } from '../../base/swarm-limits.ts'
import { LINK_TICKET_BYTES } from '../../net/protocols/shards.ts'
import { createLocator, type Locator } from './file-locator.ts'
import { LINK_GREETING } from './link-frames.ts'
import { serveLink } from './link-session.ts'
import { createServedCheck } from './served-check.ts'
import type { ServedFiles } from './served-files.ts'

export interface LinkServerOptions {
  /** Where to listen: an IP address. */
  readonly host: string
  /** 0: any that is free. */
  readonly port: number
}

export interface LinkServerPorts extends Pick<ServedFiles, 'locate' | 'confirm'> {
  readonly clock: Clock
  /** Resolves when so many bytes may go out. */
  take(bytes: number): Promise<void>
  /** One number: 0 while `take` need not be asked (app/shards/upload-budget.ts). */
  readonly isCapped: Int32Array
}

export interface LinkServer {
  readonly port: number
  /** The ticket opens one link of this peer, for a while. */
  allow(ticket: Uint8Array, peer: PeerId): void
  close(): Promise<void>
}

/** @throws the system's error when it cannot listen there. */
export async function startLinkServer(options: LinkServerOptions, ports: LinkServerPorts): Promise<LinkServer> {
  const tickets = createTickets(ports.clock)
  const links = createLinks(ports, tickets)
  const server = createServer({ noDelay: true }, links.accept)
  server.maxConnections = SHARD_LIMITS.linksMax + SHARD_LIMITS.linkTicketsMax
  const port = await listen(server, options)
  return {
    port,
    allow: tickets.allow,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve))
      links.close()
      await closed
    },
  }
}

function listen(server: Server, { host, port }: LinkServerOptions): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host, port }, () => {
      server.off('error', reject)
      // Such as running out of descriptors: the next connection may have one.
      server.on('error', () => undefined)
      const address = server.address()
      resolve(typeof address === 'object' && address !== null ? address.port : 0)
    })
  })
}

interface Tickets {
  allow(ticket: Uint8Array, peer: PeerId): void
  /** Whose it is; no second time. */
  redeem(ticket: Uint8Array): PeerId | undefined
}

function createTickets(clock: Clock): Tickets {
  const open = new Map<string, { readonly peer: PeerId; readonly untilMs: number }>()
  const keyOf = (ticket: Uint8Array): string => Buffer.from(ticket).toString('hex')
  return {
    allow(ticket, peer) {
      open.set(keyOf(ticket), { peer, untilMs: clock.now() + 2 * DEADLINES.linkOpenMs })
      if (open.size > SHARD_LIMITS.linkTicketsMax) open.delete(open.keys().next().value!)
    },
    redeem(ticket) {
      const key = keyOf(ticket)
      const entry = open.get(key)
      open.delete(key)
      return entry !== undefined && entry.untilMs >= clock.now() ? entry.peer : undefined
    },
  }
}

function createLinks(ports: LinkServerPorts, tickets: Tickets): { accept(socket: Socket): void; close(): void } {
  const sockets = new Set<Socket>()
  /** Sockets that have shown their ticket, oldest first. */
  const served = new Map<Socket, PeerId>()
  const locator: Locator = createLocator(ports)
  const check = createServedCheck(ports)

  const begin = (socket: Socket, peer: PeerId): void => {
    const own = [...served].filter(([, other]) => other === peer)
    // An old link of the same peer may be one whose other end is gone.
    if (own.length >= SHARD_LIMITS.linksPerPeerMax) own[0]![0].destroy()
    else if (served.size >= SHARD_LIMITS.linksMax) return void socket.destroy()
    served.set(socket, peer)
    socket.write(LINK_GREETING)
    serveLink(socket, { ...ports, locator, check })
  }
  const accept = (socket: Socket): void => {
    sockets.add(socket)
    const cancel = ports.clock.schedule(milliseconds(DEADLINES.linkOpenMs), () => socket.destroy())
    socket.on('error', () => undefined)
    socket.on('close', () => {
      cancel()
      sockets.delete(socket)
      served.delete(socket)
    })
    socket.write(LINK_GREETING)
    const onReadable = (): void => {
      const ticket: Uint8Array | null = socket.read(LINK_TICKET_BYTES)
      if (ticket === null) return
      socket.off('readable', onReadable)
      cancel()
      const peer = ticket.length === LINK_TICKET_BYTES ? tickets.redeem(ticket) : undefined
      if (peer === undefined) socket.destroy()
      else begin(socket, peer)
    }
    socket.on('readable', onReadable)
  }
  return {
    accept,
    close() {
      for (const socket of sockets) socket.destroy()
    },
  }
}
