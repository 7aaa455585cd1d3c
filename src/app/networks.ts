/**
 * Networks by name: `local` is built in, the others are files `networks/NAME.json` in the data folder, each with
 * the peers to start from and the means of discovery. Only reads; files are made by hand or received from a friend.
 * Spec: docs/spec/home.md §3.
 * @module
 */
import { readdir, readFile, stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { type PeerId, peerId } from '../base/brand.ts'
import { HouseError } from '../base/error.ts'
import { INPUT_LIMITS } from '../base/limits.ts'
import type { Home } from './home.ts'
import { isName, isTcpAddress } from './settings.ts'

export class NetworkError extends HouseError<'NETWORK_UNKNOWN' | 'NETWORK_BAD_FILE' | 'NETWORK_TOO_MANY'> {}

export interface Network {
  readonly id: string
  /** Multiaddrs of peers to meet first, `/ip4/…/tcp/PORT` with or without `/p2p/ID`. */
  readonly bootstrap: readonly string[]
  /** Find peers in the local network by multicast. */
  readonly mdns: boolean
  /** Find peers through the distributed hash table. */
  readonly dht: boolean
  /** Only these peers may connect: a home lab. Everybody if left out. */
  readonly allow?: readonly PeerId[]
  /** The first state of its chain, as JSON; `core/genesis.ts` reads it. Without it the network has no chain. */
  readonly genesis?: unknown
}

/** Processes on this machine, started by `dllm devnet up` or by the first `dllm chat`; nothing leaves loopback. */
export const LOCAL_NETWORK: Network = { id: 'local', bootstrap: [], mdns: false, dht: false }

const SUFFIX = '.json'

/** A file in the folder of networks that is none that can be used. */
export interface DamagedNetwork {
  readonly name: string
  readonly code: string
  /** A sentence that names the file. */
  readonly message: string
}

export interface KnownNetworks {
  /** `local` first, then by name. */
  readonly networks: readonly Network[]
  /** By name. */
  readonly damaged: readonly DamagedNetwork[]
}

/** All networks; one that cannot be used hides no other. @throws NetworkError NETWORK_TOO_MANY. */
export async function listNetworks(home: Home): Promise<KnownNetworks> {
  const names = await networkNames(home)
  const read = await Promise.allSettled(names.map((name) => readNetwork(home, name)))
  const networks = [LOCAL_NETWORK]
  const damaged: DamagedNetwork[] = []
  for (const [index, result] of read.entries()) {
    if (result.status === 'fulfilled') networks.push(result.value)
    else if (!(result.reason instanceof NetworkError)) throw result.reason
    else damaged.push({ name: names[index]!, code: result.reason.code, message: result.reason.message })
  }
  return { networks, damaged }
}

/** The network called `name`. @throws NetworkError NETWORK_UNKNOWN, NETWORK_BAD_FILE. */
export async function loadNetwork(home: Home, name: string): Promise<Network> {
  if (name === LOCAL_NETWORK.id) return LOCAL_NETWORK
  const names = await networkNames(home)
  if (!names.includes(name)) {
    const known = [LOCAL_NETWORK.id, ...names].join(', ')
    const folder = home.file('networks')
    const message = `There is no network "${name}". Known: ${known}. Name one of those, put its file into ${folder}, or make it with \`dllm network create\`.`
    throw new NetworkError('NETWORK_UNKNOWN', message, { details: { name } })
  }
  return readNetwork(home, name)
}

/** Checks a parsed network file; `name` is the id that it must have, `path` stands in error messages. */
export function parseNetwork(value: unknown, name: string, path: string): Network {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw badFile(path, 'is not a JSON object')
  const { id, bootstrap = [], mdns = false, dht = false, allow, genesis, ...others } = value as Record<string, unknown>
  const unknown = Object.keys(others)[0]
  if (unknown !== undefined) throw badFile(path, `has an unknown field "${unknown}"`)
  if (id !== name || !isName(id)) throw badFile(path, `must have the id "${name}", the name of the file`)
  if (typeof mdns !== 'boolean') throw badFile(path, 'must have true or false in "mdns"')
  if (typeof dht !== 'boolean') throw badFile(path, 'must have true or false in "dht"')
  return {
    ...{ id, bootstrap: parseBootstrap(bootstrap, path), mdns, dht },
    ...(allow === undefined ? {} : { allow: parseAllow(allow, path) }),
    ...(genesis === undefined ? {} : { genesis }),
  }
}

function parseAllow(value: unknown, path: string): PeerId[] {
  const max = INPUT_LIMITS.allowedPeersMax
  if (!Array.isArray(value) || value.length > max) {
    throw badFile(path, `must have a list of at most ${max} peer ids in "allow"`)
  }
  const wrong = value.findIndex((peer) => !isPeerId(peer))
  if (wrong >= 0) throw badFile(path, `has something in "allow" (number ${wrong + 1}) that is not a peer id`)
  return value.map((peer) => peerId(peer as string))
}

/** The text form of an Ed25519 peer, as `dllm network create` and `dllm node` print it. */
export function isPeerId(value: unknown): boolean {
  return typeof value === 'string' && /^12D3KooW[1-9A-HJ-NP-Za-km-z]{44}$/.test(value)
}

function parseBootstrap(value: unknown, path: string): string[] {
  const max = INPUT_LIMITS.bootstrapAddressesMax
  if (!Array.isArray(value) || value.length > max) {
    throw badFile(path, `must have a list of at most ${max} addresses in "bootstrap"`)
  }
  const wrong = value.findIndex((address) => !isTcpAddress(address))
  if (wrong >= 0) {
    throw badFile(path, `has an address in "bootstrap" (number ${wrong + 1}) that is not like /ip4/192.0.2.1/tcp/4001`)
  }
  return value as string[]
}

/** Of the networks that have a file, whatever is in it; `local` is not among them. @throws NetworkError NETWORK_TOO_MANY. */
export async function networkNames(home: Home): Promise<string[]> {
  const entries = await readdir(home.file('networks')).catch((): string[] => [])
  const names = entries.filter((entry) => entry.endsWith(SUFFIX)).map((entry) => basename(entry, SUFFIX))
  if (names.length > INPUT_LIMITS.networksMax) {
    const message = `There are more than ${INPUT_LIMITS.networksMax} files in ${home.file('networks')}. Remove some.`
    throw new NetworkError('NETWORK_TOO_MANY', message, { details: { count: names.length } })
  }
  return names.filter((name) => isName(name) && name !== LOCAL_NETWORK.id).sort()
}

async function readNetwork(home: Home, name: string): Promise<Network> {
  const path = home.file('networks', name + SUFFIX)
  const text = await readText(path).catch((error: unknown) => {
    throw error instanceof NetworkError ? error : badFile(path, 'cannot be read', error)
  })
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch (cause) {
    throw badFile(path, 'is not valid JSON', cause)
  }
  return parseNetwork(parsed, name, path)
}

async function readText(path: string): Promise<string> {
  if ((await stat(path)).size > INPUT_LIMITS.networkFileBytesMax) throw badFile(path, 'is too large')
  return readFile(path, 'utf8')
}

function badFile(path: string, what: string, cause?: unknown): NetworkError {
  const message = `The network file ${path} ${what}. Repair it or delete it.`
  return new NetworkError('NETWORK_BAD_FILE', message, { details: { path }, cause })
}
