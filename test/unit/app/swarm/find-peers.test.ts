import { bytesToHex } from '@noble/hashes/utils.js'
import { expect, test } from 'vitest'
import type { ChainAccess } from '../../../../src/app/chain/chain-access.ts'
import { peerOfPublicKey } from '../../../../src/app/node-identity.ts'
import { createOfferBook } from '../../../../src/app/offers.ts'
import type { PeerDirectory } from '../../../../src/app/ring/offer-routes.ts'
import { createFetchThread } from '../../../../src/app/shards/fetch-thread.ts'
import { createNetworkPeers, type PlacedPeers, placedPeersOf } from '../../../../src/app/swarm/find-peers.ts'
import { createSystem } from '../../../../src/app/system.ts'
import { hash, type PeerId, peerId } from '../../../../src/base/brand.ts'
import { HouseError } from '../../../../src/base/error.ts'
import { keyPairFromSecret } from '../../../../src/core/ed25519.ts'
import { accountOf, addressOfAccount } from '../../../../src/core/fields.ts'
import { createMemoryNetwork } from '../../../../src/net/memory-network.ts'
import type { Wire } from '../../../../src/net/wire.ts'

const system = createSystem({ level: 'silent' })
const MODEL = hash('ab'.repeat(32))
const never = new AbortController().signal

/** Whose peers tell of nobody. */
const alone: PeerDirectory = { refresh: async () => [], search: async () => [] }

async function found(wire: Wire, bootstrap: readonly string[], placed?: PlacedPeers): Promise<PeerId[]> {
  const book = createOfferBook('testnet', system)
  const thread = createFetchThread()
  const peers = createNetworkPeers(MODEL, { bootstrap, directory: alone, book, placed, thread }, { ...system, wire })
  const list: PeerId[] = []
  for await (const { peer } of peers.search(never)) list.push(peer)
  await thread.close()
  return list
}

test('bootstrap peers, those whom the chain has placed and those who are connected are found, each once, and not oneself', async () => {
  const network = createMemoryNetwork(system)
  const own = network.createMemoryWire({ listen: false })
  const connected = network.createMemoryWire({ listen: true })
  await own.connect(connected.addresses()[0]!)
  const first = network.createMemoryWire({ listen: true })
  const dead = network.createMemoryWire({ listen: true })
  const bootstrap = [dead, first].map((wire) => wire.addresses()[0]!)
  await dead.stop()
  const placed = peerId('placed')
  const list = await found(own, bootstrap, async () => [placed, connected.peer, own.peer])
  expect(list).toEqual([first.peer, placed, connected.peer])
})

test('a chain that does not answer keeps nobody else from being found', async () => {
  const network = createMemoryNetwork(system)
  const own = network.createMemoryWire({ listen: false })
  const connected = network.createMemoryWire({ listen: true })
  await own.connect(connected.addresses()[0]!)
  const failing: PlacedPeers = () => Promise.reject(new HouseError('CONTROL_UNREACHABLE', 'The node is gone.'))
  expect(await found(own, [], failing)).toEqual([connected.peer])
})

test('the peers of the miners that are placed follow from the keys that the chain has', async () => {
  const keys = [1, 2, 3].map((byte) => keyPairFromSecret(new Uint8Array(32).fill(byte)))
  const operators = keys.map(({ publicKey }) => addressOfAccount(accountOf(publicKey), 'local'))
  const market = {
    placements: async () => [...operators, operators[0]!].map((operator) => ({ operator })),
    miner: async (id: string) => {
      const at = keys.findIndex(({ publicKey }) => accountOf(publicKey) === id)
      // One has left meanwhile.
      if (at === 2) throw new HouseError('NO_SUCH_MINER', 'There is no such miner.')
      return { peerKey: bytesToHex(keys[at]!.publicKey) }
    },
  }
  const placed = placedPeersOf({ market, network: { kind: 'local' } } as unknown as ChainAccess)
  expect(await placed(MODEL, never)).toEqual(keys.slice(0, 2).map(({ publicKey }) => peerOfPublicKey(publicKey)))
})
