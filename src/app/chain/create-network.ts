/**
 * `dllm network create`: writes a new network's file and everything that its first nodes need into the data folder.
 * Spec: docs/spec/genesis.md §5.
 * @module
 */
import { stat } from 'node:fs/promises'
import type { PeerId } from '../../base/brand.ts'
import { CHAIN_LIMITS } from '../../base/chain-limits.ts'
import { HouseError } from '../../base/error.ts'
import { type Genesis, networkIdOf } from '../../core/genesis.ts'
import { formatGenesis } from '../../core/genesis-file.ts'
import { type Home, writeFileAtomic } from '../home.ts'
import { LOCAL_NETWORK, networkNames } from '../networks.ts'
import { nodeFolder } from '../node/node-folders.ts'
import { saveValidatorKeys } from '../node/validator-keys.ts'
import { loadNodeIdentity } from '../node-identity.ts'
import { openDisk } from '../store/disk.ts'
import { createSignState } from '../store/sign-state.ts'
import type { System } from '../system.ts'
import type { NewNetwork, NewValidator } from './new-network.ts'

export class CreateNetworkError extends HouseError<
  'NETWORK_EXISTS' | 'NETWORK_TOO_MANY_VALIDATORS' | 'NODE_FOLDER_EXISTS'
> {}

export interface CreateNetworkOptions {
  readonly name: string
  /** Host part of the nodes' addresses, such as `/ip4/127.0.0.1`, and the first of their ports. */
  readonly host: string
  readonly port: number
  /** Only the nodes made here and these may connect; undefined: everybody. */
  readonly allow: readonly PeerId[] | undefined
}

export interface CreatedNetwork {
  readonly file: string
  readonly networkId: string
  readonly nodes: readonly { readonly name: string; readonly peer: PeerId; readonly address: string }[]
}

/** @throws CreateNetworkError NETWORK_EXISTS, before anything is written. */
export async function checkNewNetwork(home: Home, name: string, validators: number): Promise<void> {
  const known = [LOCAL_NETWORK.id, ...(await networkNames(home))]
  if (known.includes(name)) {
    const orDelete = name === LOCAL_NETWORK.id ? '' : `, or delete ${home.file('networks', `${name}.json`)}`
    const message = `There is a network "${name}" already. Choose another name${orDelete}.`
    throw new CreateNetworkError('NETWORK_EXISTS', message, { details: { name } })
  }
  for (let number = 1; number <= Math.min(validators, CHAIN_LIMITS.validatorsMax); number++) {
    await checkNoFolder(nodeFolder(home, validatorName(name, number)).path)
  }
  if (validators <= CHAIN_LIMITS.validatorsMax) return
  const message = `A network begins with at most ${CHAIN_LIMITS.validatorsMax} validators, not ${validators}.`
  throw new CreateNetworkError('NETWORK_TOO_MANY_VALIDATORS', message)
}

/** The name of a new network's validator, from its number (from 1): also of its node. */
export function validatorName(network: string, number: number): string {
  return `${network}-${number}`
}

/** Of a node that is somebody's, or of a network whose making was cut off. */
async function checkNoFolder(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined)
  if (found === undefined) return
  const message = `The folder ${path} is there already: of another node, or of a network that was not finished. Move it away, or choose another name.`
  throw new CreateNetworkError('NODE_FOLDER_EXISTS', message, { details: { path } })
}

/** Keys and sign states first, the network's file last: a network that can be named is whole. */
export async function createNetwork(
  options: CreateNetworkOptions,
  network: NewNetwork,
  { home, system }: { readonly home: Home; readonly system: System },
): Promise<CreatedNetwork> {
  const { name, host, port, allow } = options
  const { genesis, validators } = network
  const nodes: { name: string; peer: PeerId; address: string }[] = []
  for (const [index, validator] of validators.entries()) {
    await writeValidator(home, validator, genesis)
    const { peer } = await loadNodeIdentity(home.file('nodes', `${validator.name}.key`), system.random)
    nodes.push({ name: validator.name, peer, address: `${host}/tcp/${port + index}/p2p/${peer}` })
  }
  const file = home.file('networks', `${name}.json`)
  const content = {
    ...{ id: name, bootstrap: nodes.map(({ address }) => address), mdns: false, dht: true },
    ...(allow === undefined ? {} : { allow: [...nodes.map(({ peer }) => peer), ...allow] }),
    genesis: JSON.parse(formatGenesis(genesis)),
  }
  await writeFileAtomic(file, `${JSON.stringify(content, null, 2)}\n`)
  return { file, networkId: networkIdOf(genesis), nodes }
}

/** What a node needs to vote: its key, and the record that the key never signed. */
export async function writeValidator(home: Home, { name, keys }: NewValidator, genesis: Genesis): Promise<void> {
  const folder = nodeFolder(home, name)
  await saveValidatorKeys(folder.validatorKey, keys)
  const disk = await openDisk(folder.disk)
  try {
    await createSignState(disk, { networkId: networkIdOf(genesis), publicKey: keys.consensus.publicKey })
  } finally {
    await disk.close()
  }
}
