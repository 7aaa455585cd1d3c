/**
 * Opens a light client of a network: a wire that only dials, what was trusted the last time or the genesis, and the peers to
 * ask. Spec: docs/spec/light-client.md §5.
 * @module
 */
import { readFile } from 'node:fs/promises'
import { type Milliseconds, milliseconds } from '../../base/brand.ts'
import { LIGHT_LIMITS } from '../../base/chain-limits.ts'
import { CodecError } from '../../base/codec.ts'
import type { Clock, Log } from '../../base/ports.ts'
import { createChain, genesisStart } from '../../core/chain.ts'
import type { Genesis } from '../../core/genesis.ts'
import { type Trusted, trustGenesis } from '../../core/light-client.ts'
import { decodeTrusted, encodeTrusted } from '../../core/light-client-proofs.ts'
import type { Wire } from '../../net/wire.ts'
import type { ChainAccess } from '../chain/chain-access.ts'
import { type NetworkChain, networkView } from '../chain/network-chain.ts'
import { localAddresses } from '../devnet/local-chain-state.ts'
import { type Home, writeFileAtomic } from '../home.ts'
import { LOCAL_NETWORK } from '../networks.ts'
import { opensslAccepts } from '../openssl-verify.ts'
import type { System } from '../system.ts'
import { type Checkpoint, fetchCheckpoint } from './checkpoint.ts'
import { createLightAccess } from './light-access.ts'
import { createLightService, type LightService } from './light-service.ts'

export interface LightToOpen {
  readonly home: Home
  readonly system: System
  readonly signal: AbortSignal
  /** To begin with instead of what is kept. */
  readonly checkpoint?: Checkpoint | undefined
}

export interface LightOverWire extends Omit<LightToOpen, 'system'> {
  readonly system: { readonly clock: Clock; readonly log: Log }
  readonly wire: Wire
}

/** The access to the chain; undefined when nobody can be reached. */
export async function openLight(chain: NetworkChain, toOpen: LightToOpen): Promise<ChainAccess | undefined> {
  const { home, system, signal } = toOpen
  const isLocal = chain.network.id === LOCAL_NETWORK.id
  const addresses = [...chain.network.bootstrap, ...(isLocal ? await localAddresses(home) : [])]
  if (addresses.length === 0) return undefined
  const { createLibp2pWire } = await import('../../net/libp2p-wire.ts')
  const { id: networkId, mdns, dht, allow } = chain.network
  const allowing = allow === undefined ? {} : { allow }
  const wire = await createLibp2pWire({ networkId, listen: [], mdns, dht, ...allowing }, system)
  const close = (): Promise<void> => wire.stop()
  try {
    if (!(await connectSome(wire, addresses, signal))) {
      await close()
      return undefined
    }
    const service = await openLightService(chain, { ...toOpen, wire })
    return createLightAccess({ service, network: networkView(chain), clock: system.clock, close })
  } catch (error) {
    await close()
    throw error
  }
}

/** With what is kept in the data folder, or the genesis. `wire`: asks whoever it is connected to. */
export async function openLightService(
  { genesis, networkId }: NetworkChain,
  { home, system, signal, checkpoint, wire }: LightOverWire,
): Promise<LightService> {
  const file = home.file('light', `${networkId.slice(0, NAME_DIGITS)}.trusted`)
  const begin =
    checkpoint === undefined
      ? ((await readTrusted(file, networkId)) ?? genesisTrust(genesis))
      : await fetchCheckpoint(checkpoint, { ...system, wire, networkId, signal })
  const options = { networkId, begin, ...trustOf(genesis) }
  return createLightService(options, {
    ...{ wire, clock: system.clock, log: system.log, accepts: opensslAccepts },
    keep: (trusted) => writeFileAtomic(file, encodeTrusted(trusted)),
  })
}

/** Digits of the network id in a file's name. */
const NAME_DIGITS = 16
/** Two thirds of the time that unbonding takes. */
const TRUST_SHARE = 2 / 3
const TEN_YEARS_MS = 10 * 365 * 86_400_000

/**
 * How long a header is trusted, and how far clocks may differ. Blocks take at least `commitMs`, so unbonding takes no less
 * than that many. A local network's validators are the user's own, and it may rest for months.
 */
export function trustOf({ kind, parameters }: Pick<Genesis, 'kind' | 'parameters'>): {
  readonly trustingPeriodMs: Milliseconds
  readonly clockSkewMs: Milliseconds
} {
  const unbondingMs = Number(parameters.unbondingBlocks) * Math.max(Number(parameters.commitMs), 1)
  const periodMs = kind === 'local' ? TEN_YEARS_MS : unbondingMs * TRUST_SHARE
  return { trustingPeriodMs: milliseconds(periodMs), clockSkewMs: milliseconds(Number(parameters.clockSkewMs)) }
}

/** The genesis block as every node makes it. */
export function genesisTrust(genesis: Genesis): Trusted {
  const chain = createChain(genesisStart(genesis))
  return trustGenesis(chain.networkId, chain.header, chain.place().set)
}

/** A file that cannot be read is as good as none: the genesis leads there too. */
async function readTrusted(file: string, networkId: NetworkChain['networkId']): Promise<Trusted | undefined> {
  const bytes = await readFile(file).catch(() => undefined)
  if (bytes === undefined || bytes.length > LIGHT_LIMITS.trustFileBytesMax) return undefined
  try {
    return decodeTrusted(new Uint8Array(bytes), networkId)
  } catch (error) {
    if (error instanceof CodecError) return undefined
    throw error
  }
}

/** Whether at least one answers. All are tried, so that a lie of one can be seen by another. */
async function connectSome(wire: Wire, addresses: readonly string[], signal: AbortSignal): Promise<boolean> {
  const tried = await Promise.allSettled(addresses.map((address) => wire.connect(address, signal)))
  signal.throwIfAborted()
  return tried.some(({ status }) => status === 'fulfilled')
}
