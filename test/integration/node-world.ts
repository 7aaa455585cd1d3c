/**
 * Full nodes in this process, as in production save for what is around them: wires, disks and stores in memory, and seed
 * signatures that cost nothing where a test starts many nodes.
 */
import { createPrivateKey, type KeyObject, sign } from 'node:crypto'
import type { NetworkChain } from '../../src/app/chain/network-chain.ts'
import { createNode, type FullNode, type NodePorts, type SeedScheme } from '../../src/app/node/node.ts'
import type { ValidatorKeys } from '../../src/app/node/validator-keys.ts'
import { opensslAccepts } from '../../src/app/openssl-verify.ts'
import { createSystem } from '../../src/app/system.ts'
import type { Clock } from '../../src/base/ports.ts'
import { blsPublicKey } from '../../src/core/bls.ts'
import { type Genesis, networkIdOf } from '../../src/core/genesis.ts'
import { taggedHash } from '../../src/core/hash.ts'
import type { Person } from '../chain-accounts.ts'

/** The real clock, without a log. */
export const SYSTEM = createSystem({ level: 'silent' })

const SEED_SIGNATURE_BYTES = 96

/** Anybody can make these; what matters here is only that they hang on message and key. */
export const QUICK_SEEDS: SeedScheme = {
  sign: (message, { seedKey }) => quickSignature(message, seedKey),
  verify: ({ message, publicKey, signature }) =>
    Buffer.compare(quickSignature(message, publicKey), Buffer.from(signature)) === 0,
}

function quickSignature(message: Uint8Array, seedKey: Uint8Array): Uint8Array {
  const signature = new Uint8Array(SEED_SIGNATURE_BYTES)
  signature.set(taggedHash('dllm/test-seed', seedKey, message))
  return signature
}

const PKCS8_HEADER = Buffer.from('302e020100300506032b657004220420', 'hex')
const privateKeys = new Map<string, KeyObject>()

/** The same signatures as core's, from OpenSSL. */
export function quickSign(message: Uint8Array, secretKey: Uint8Array): Uint8Array {
  const name = Buffer.from(secretKey).toString('hex')
  const known = privateKeys.get(name)
  const key = known ?? createPrivateKey({ key: Buffer.concat([PKCS8_HEADER, secretKey]), format: 'der', type: 'pkcs8' })
  privateKeys.set(name, key)
  return new Uint8Array(sign(null, message, key))
}

export function networkOf(genesis: Genesis): NetworkChain {
  const network = { id: genesis.name, bootstrap: [], mdns: false, dht: false }
  return { network, genesis, networkId: networkIdOf(genesis) }
}

export function validatorKeys({ consensus, seedSecret }: Person): ValidatorKeys {
  return { consensus, seedSecret, seedKey: blsPublicKey(seedSecret) }
}

export interface NodeToStart extends Pick<NodePorts, 'wire' | 'store' | 'disk' | 'seedScheme' | 'sign'> {
  /** The real one if left out. */
  readonly clock?: Clock
  readonly genesis: Genesis
  /** undefined: it follows. */
  readonly keys: ValidatorKeys | undefined
  readonly isNewKey: boolean
}

export function startMemoryNode({ genesis, keys, isNewKey, ...ports }: NodeToStart): Promise<FullNode> {
  return createNode(
    { network: networkOf(genesis), name: 'test', keys, isNewKey },
    { ...SYSTEM, ...ports, accepts: opensslAccepts },
  )
}
