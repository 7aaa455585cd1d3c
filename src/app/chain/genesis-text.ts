/**
 * The genesis of a network as it is written, before anybody reads it: enough to tell one network from another. Spec: docs/spec/home.md §3, §5.
 * @module
 */
import { readFile } from 'node:fs/promises'
import { systemCode } from '../file-errors.ts'
import type { Home } from '../home.ts'
import { LOCAL_NETWORK, type Network } from '../networks.ts'

/** Where the local network's genesis is kept. */
export function localGenesisFile(home: Home): string {
  return home.file('devnet', 'chain', 'genesis.json')
}

/** undefined: the network has no chain, or none yet. */
export async function genesisTextOf(home: Home, network: Network): Promise<string | undefined> {
  if (network.id !== LOCAL_NETWORK.id)
    return network.genesis === undefined ? undefined : JSON.stringify(network.genesis)
  try {
    return await readFile(localGenesisFile(home), 'utf8')
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    throw error
  }
}
