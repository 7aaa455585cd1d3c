/**
 * A client of a network: a wire that only dials, the offers it hears of, and routes over them. On the local network
 * the bootstrap addresses are those of the processes of the wanted model.
 * @module
 */
import type { Clock, Log } from '../base/ports.ts'
import type { Wire } from '../net/wire.ts'
import type { Network } from './networks.ts'
import { createOfferBook, type OfferBook } from './offers.ts'
import { createOfferRoutes, createPeerDirectory, type PeerDirectory } from './ring/offer-routes.ts'
import type { RouteSource } from './ring/route.ts'

export interface Client {
  readonly wire: Wire
  readonly book: OfferBook
  readonly directory: PeerDirectory
  readonly routes: RouteSource
  close(): Promise<void>
}

/** `network` with the addresses to begin with. */
export async function createClient(network: Network, ports: { clock: Clock; log: Log }): Promise<Client> {
  const { createLibp2pWire } = await import('../net/libp2p-wire.ts')
  const { id: networkId, bootstrap, mdns, dht } = network
  const wire = await createLibp2pWire({ networkId, listen: [], mdns, dht }, ports)
  const book = createOfferBook(networkId, ports)
  const directory = createPeerDirectory({ networkId, bootstrap }, { ...ports, wire, book })
  return {
    wire,
    book,
    directory,
    routes: createOfferRoutes(directory, { wire, book }),
    close: () => wire.stop(),
  }
}
