/**
 * The chain of a network, from its file: genesis, identity, kind of addresses. The local network's genesis is made by
 * the first `devnet up`. Spec: docs/spec/home.md §3.
 * @module
 */
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import type { Hash } from '../../base/brand.ts'
import { HouseError } from '../../base/error.ts'
import { type Genesis, networkIdOf } from '../../core/genesis.ts'
import { GenesisError, parseGenesis, readGenesis } from '../../core/genesis-file.ts'
import type { Home } from '../home.ts'
import { LOCAL_NETWORK, type Network } from '../networks.ts'
import type { NetworkView } from './chain-access.ts'
import { genesisTextOf } from './genesis-text.ts'

export class NetworkChainError extends HouseError<'NETWORK_NO_CHAIN'> {}

export interface NetworkChain {
  readonly network: Network
  readonly genesis: Genesis
  readonly networkId: Hash
}

/** @throws NetworkChainError NETWORK_NO_CHAIN for a network without genesis; GenesisError for a bad one. */
export async function chainOf(home: Home, network: Network): Promise<NetworkChain> {
  const genesis = await genesisOf(home, network)
  if (genesis === undefined) throw noChain(network.id)
  const networkId = networkIdOf(genesis)
  await rememberProven(home, networkId)
  return { network, genesis, networkId }
}

export function networkView({ genesis, networkId }: NetworkChain): NetworkView {
  return { networkId, name: genesis.name, kind: genesis.kind }
}

function provenFile(home: Home, networkId: Hash): string {
  return home.file('proven', networkId)
}

/** An empty file says that the proofs of a genesis were checked: every command would check them again, 50 ms per validator. */
async function rememberProven(home: Home, networkId: Hash): Promise<void> {
  const file = provenFile(home, networkId)
  if (existsSync(file)) return
  await home.folder('proven')
  await writeFile(file, '', { mode: 0o600 })
}

async function genesisOf(home: Home, network: Network): Promise<Genesis | undefined> {
  if (network.id !== LOCAL_NETWORK.id) return network.genesis === undefined ? undefined : genesisIn(home, network)
  const text = await genesisTextOf(home, network)
  return text === undefined ? undefined : localGenesis(home, text)
}

/** Its coins are worth nothing, so who updates the program gets a new chain rather than a way to keep the old one. */
function localGenesis(home: Home, text: string): Genesis {
  try {
    return parseGenesis(text, (networkId) => existsSync(provenFile(home, networkId)))
  } catch (error) {
    if (!(error instanceof GenesisError)) throw error
    const message = `The chain of the local network is of another version of this program, or damaged: ${error.message} \`dllm devnet up\` begins a new one.`
    throw new GenesisError(error.code, message, { details: error.details, cause: error })
  }
}

function genesisIn(home: Home, { id, genesis }: Network): Genesis {
  try {
    return readGenesis(genesis, (networkId) => existsSync(provenFile(home, networkId)))
  } catch (error) {
    if (!(error instanceof GenesisError)) throw error
    const path = home.file('networks', `${id}.json`)
    const message = `${error.message} It is in ${path}: get that file again from who runs the network.`
    throw new GenesisError(error.code, message, { details: { ...error.details, path }, cause: error })
  }
}

function noChain(id: string): NetworkChainError {
  const message =
    id === LOCAL_NETWORK.id
      ? 'The local network has no chain yet. Start it with `dllm devnet up`.'
      : `The network ${id} has no chain: its file has no "genesis". Get the file from who runs it, or make a network with \`dllm network create\`.`
  return new NetworkChainError('NETWORK_NO_CHAIN', message, { details: { network: id } })
}
