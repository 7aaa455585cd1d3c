/**
 * Which addresses a named network has: those of its genesis. The three kinds can be named without a file, so that a wallet
 * can show its addresses before there is a network. Spec: docs/spec/keys.md §4.
 * @module
 */
import { codeOf } from '../../base/error.ts'
import { NETWORK_KINDS, type NetworkKind } from '../../core/network-kind.ts'
import type { Home } from '../home.ts'
import { LOCAL_NETWORK, loadNetwork, type Network } from '../networks.ts'

/**
 * A network without a chain has local addresses: what is made on it later by `network create` is local.
 * @throws NetworkError NETWORK_UNKNOWN, NETWORK_BAD_FILE.
 */
export async function addressKindOf(home: Home, name: string): Promise<NetworkKind> {
  if (name === LOCAL_NETWORK.id) return 'local'
  const named = NETWORK_KINDS.find((kind) => kind === name)
  const network = await loadNetwork(home, name).catch((error: unknown) => {
    if (named !== undefined && codeOf(error) === 'NETWORK_UNKNOWN') return undefined
    throw error
  })
  return (network && genesisKind(network)) ?? named ?? 'local'
}

/** As it stands in the file: whoever opens the chain checks the rest, which takes longer. */
function genesisKind({ genesis }: Network): NetworkKind | undefined {
  if (typeof genesis !== 'object' || genesis === null || !('kind' in genesis)) return undefined
  return NETWORK_KINDS.find((kind) => kind === genesis.kind)
}
