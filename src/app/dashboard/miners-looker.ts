/**
 * Looks at the miners of one model: asks those that can be reached what they offer and how their work goes.
 * @module
 */
import { readdir } from 'node:fs/promises'
import { HouseError } from '../../base/error.ts'
import { type Client, createClient } from '../client.ts'
import { readGroup } from '../devnet/devnet-state.ts'
import { isRunning } from '../devnet/process.ts'
import type { Home } from '../home.ts'
import type { StoredModel } from '../model-store.ts'
import { LOCAL_NETWORK, type Network } from '../networks.ts'
import { loadNodeIdentity } from '../node-identity.ts'
import type { Asked } from '../status-service.ts'
import type { System } from '../system.ts'
import type { Looker, MinersLook, OfferLook, PeerLook } from './looks.ts'

export interface MinersToWatch {
  readonly home: Home
  readonly network: Network
  readonly model: StoredModel
}

interface Open {
  readonly client: Client
  /** Of the network to begin with; other ones need another client. */
  readonly bootstrap: string
}

export function createMinersLooker(watched: MinersToWatch, system: System): Looker<MinersLook> {
  const ownPeers = createOwnPeers(watched.home, system)
  let open: Open | undefined
  const close = async (): Promise<void> => {
    const closing = open
    open = undefined
    await closing?.client.close()
  }
  const reopen = async (network: Network): Promise<Open> => {
    const bootstrap = network.bootstrap.join(' ')
    if (open?.bootstrap === bootstrap) return open
    await close()
    open = { client: await createClient(network, system), bootstrap }
    return open
  }
  return {
    close,
    look: async (signal) => {
      try {
        const network = await withLocalMiners(watched)
        if (network === undefined) return await nothing(watched, close)
        const { client } = await reopen(network)
        return seen({ client, watched, own: await ownPeers(), asked: await askAll(client, watched, signal) })
      } catch (error) {
        signal.throwIfAborted()
        if (!(error instanceof HouseError)) throw error
        return { type: 'none', code: error.code, message: error.message }
      }
    },
  }
}

/** Those that are known; without any of this model, those whom the DHT names. */
async function askAll(client: Client, { model }: MinersToWatch, signal: AbortSignal): Promise<Asked[]> {
  const asked = await client.directory.refresh(signal)
  if (client.book.ofModel(model.hash).length > 0) return asked
  return [...asked, ...(await client.directory.search(model.hash, signal))]
}

async function nothing({ network, model }: MinersToWatch, close: () => Promise<void>): Promise<MinersLook> {
  await close()
  const { name } = model.manifest
  const message =
    network.id === LOCAL_NETWORK.id
      ? `No miner of the local network runs for ${name}. \`dllm devnet up\` starts some.`
      : `The network ${network.id} names no peer to begin with.`
  return { type: 'none', code: network.id === LOCAL_NETWORK.id ? 'DEVNET_NOT_RUNNING' : 'RING_NO_ROUTE', message }
}

interface Sight {
  readonly client: Client
  readonly watched: MinersToWatch
  readonly own: ReadonlySet<string>
  readonly asked: readonly Asked[]
}

function seen({ client, watched, own, asked }: Sight): MinersLook {
  const offers = client.book.ofModel(watched.model.hash).map(
    ({ peer, firstSegment, lastSegment, device }): OfferLook => ({
      ...{ peer, firstSegment, lastSegment, device },
      isOwn: own.has(peer),
    }),
  )
  const peers = asked.map(({ peer, status: { sessions, total } }): PeerLook => {
    const { steps, rows, computeMs } = total
    return { peer, sessions, steps, rows, computeMs }
  })
  return { type: 'seen', peers, offers }
}

/** The network with the addresses to begin with; undefined when there is no way to find anybody. */
async function withLocalMiners({ home, network, model }: MinersToWatch): Promise<Network | undefined> {
  if (network.id !== LOCAL_NETWORK.id) {
    return network.bootstrap.length > 0 || network.mdns || network.dht ? network : undefined
  }
  const group = await readGroup(home, model.manifest.name)
  const miners = group?.miners ?? []
  const running = await Promise.all(miners.map(({ pid, name }) => isRunning(pid, name)))
  const bootstrap = miners.flatMap(({ addresses }, index) => (running[index] ? addresses.slice(0, 1) : []))
  return bootstrap.length === 0 ? undefined : { ...network, bootstrap }
}

const KEY_SUFFIX = '.key'

/** Peers whose keys are in the data folder; each key is read once. */
function createOwnPeers(home: Home, { random }: System): () => Promise<ReadonlySet<string>> {
  const known = new Map<string, string>()
  return async () => {
    const files = await readdir(home.file('nodes')).catch((): string[] => [])
    for (const file of files) {
      if (!file.endsWith(KEY_SUFFIX) || known.has(file)) continue
      const identity = await loadNodeIdentity(home.file('nodes', file), random).catch(() => undefined)
      if (identity !== undefined) known.set(file, identity.peer)
    }
    return new Set(known.values())
  }
}
