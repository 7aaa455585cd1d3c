/**
 * Multiaddrs as libp2p objects. The parser is loaded on first use, like the rest of libp2p.
 * @module
 */
import type { Multiaddr } from '@multiformats/multiaddr'
import type { PeerId } from '../base/brand.ts'
import { WIRE_LIMITS } from '../base/limits.ts'

/**
 * An address, with `/p2p/PEER` appended if a peer is given; undefined if the text is no multiaddr, too long, without TCP,
 * or of another peer.
 */
export type AddressParser = (text: string, peer?: PeerId) => Multiaddr | undefined

export async function loadAddressParser(): Promise<AddressParser> {
  const { multiaddr } = await import('@multiformats/multiaddr')
  return (text, peer) => {
    if (text.length > WIRE_LIMITS.addressCharactersMax) return undefined
    try {
      const address = multiaddr(text)
      const components = address.getComponents()
      if (!components.some(({ name }) => name === 'tcp' || name === 'dnsaddr')) return undefined
      const named = components.findLast(({ name }) => name === 'p2p')?.value
      if (!peer || named === peer) return address
      return named === undefined ? address.encapsulate(`/p2p/${peer}`) : undefined
    } catch {
      return undefined
    }
  }
}
