/**
 * A network of one validator in this process: a real node over memory store, disk and wire. Its owner has the money.
 */
import type { ChainAccess } from '../../src/app/chain/chain-access.ts'
import type { NetworkChain } from '../../src/app/chain/network-chain.ts'
import { type KeySource, newNetwork } from '../../src/app/chain/new-network.ts'
import { createNode, type FullNode, type NodeOptions } from '../../src/app/node/node.ts'
import { opensslAccepts } from '../../src/app/openssl-verify.ts'
import { createSystem } from '../../src/app/system.ts'
import type { AccountId } from '../../src/base/brand.ts'
import type { Clock } from '../../src/base/ports.ts'
import { keyPairFromSecret } from '../../src/core/ed25519.ts'
import { type GenesisModel, networkIdOf } from '../../src/core/genesis.ts'
import { INITIAL_PARAMETERS, type Parameters } from '../../src/core/parameters.ts'
import { ROLES } from '../../src/core/role.ts'
import { createMemoryNetwork, type MemoryNetwork } from '../../src/net/memory-network.ts'
import type { Wire } from '../../src/net/wire.ts'
import { createSimDisk } from '../sim/disk.ts'
import { createMemoryStore } from '../sim/store.ts'

export const DLLM = 1_000_000_000n

export interface OneNode {
  readonly node: FullNode
  readonly chain: ChainAccess
  readonly network: NetworkChain
  readonly clock: Clock
  /** For further peers. */
  readonly memory: MemoryNetwork
  /** The node's. */
  readonly wire: Wire
  /** Account 0 owns the money and the validator. */
  readonly keys: KeySource
  /** Resolves with the first height of at least `height`. */
  reached(height: number): Promise<number>
  stop(): Promise<void>
}

/** Blocks every 50 ms, short epochs, unless `parameters` say otherwise. 1,000 DLLM free and 100 bonded. */
export async function startOneNode(
  parameters: Partial<Parameters> = {},
  {
    models = [],
    ...options
  }: Pick<NodeOptions, 'snapshotBlocks' | 'keepBlocks'> & {
    readonly models?: readonly GenesisModel[]
  } = {},
): Promise<OneNode> {
  const { clock, log } = createSystem({ level: 'error' })
  const keys = keysOfNumbers
  const { genesis, validators } = newNetwork(
    {
      ...{
        name: 'one',
        kind: 'local',
        timeMs: clock.wallMs(),
        validators: 1,
        balance: 1_000n * DLLM,
        bond: 100n * DLLM,
      },
      parameters: { ...INITIAL_PARAMETERS, commitMs: 50n, epochBlocks: 10n, baseFeeMin: 1n, ...parameters },
      models,
      validatorName: () => 'one-1',
    },
    keys,
  )
  const network: NetworkChain = {
    network: { id: 'one', bootstrap: [], mdns: false, dht: false },
    genesis,
    networkId: networkIdOf(genesis),
  }
  const memory = createMemoryNetwork({ clock, log })
  const wire = memory.createMemoryWire({ listen: true })
  const node = await createNode(
    { network, name: 'one-1', keys: validators[0]!.keys, isNewKey: true, ...options },
    { wire, store: createMemoryStore(), disk: createSimDisk(1).open(), clock, log, accepts: opensslAccepts },
  )
  return {
    ...{ node, chain: node.access, network, clock, keys, memory, wire },
    async reached(height) {
      for await (const head of node.access.watch(new AbortController().signal)) {
        if (head.height >= height) return head.height
      }
      throw new Error('the node stopped')
    },
    async stop() {
      await node.stop()
      await wire.stop()
    },
  }
}

/** A wallet without words: the key of a role and account is a number. */
const keysOfNumbers: KeySource = ({ role, account }) =>
  keyPairFromSecret(new Uint8Array(32).fill(1 + ROLES.indexOf(role)).fill(account, 0, 1))

/** Grains that an account can spend. */
export async function balanceOf(chain: ChainAccess, id: AccountId): Promise<bigint> {
  return BigInt((await chain.account(id)).balance)
}
