/**
 * A chain of one validator in this process and 10,000 accounts that send to each other, for measures of what a block costs on one
 * core, without disk and network.
 * @module
 */
import { opensslAccepts } from '../../src/app/openssl-verify.ts'
import { type AccountId, accountId, grains, milliseconds } from '../../src/base/brand.ts'
import { Writer } from '../../src/base/codec.ts'
import type { Block, Commit } from '../../src/core/block/block.ts'
import type { BlockRequest } from '../../src/core/block/produce.ts'
import { checkBlock } from '../../src/core/block/validate.ts'
import { type Chain, type ChainPorts, type ChainStart, createChain, genesisStart } from '../../src/core/chain.ts'
import { ballotDigest } from '../../src/core/consensus/messages.ts'
import { type KeyPair, keyPairFromSecret, sign } from '../../src/core/ed25519.ts'
import { accountOf, ZERO_HASH } from '../../src/core/fields.ts'
import { taggedHash } from '../../src/core/hash.ts'
import { INITIAL_PARAMETERS } from '../../src/core/parameters.ts'
import { signTransaction } from '../../src/core/transaction/transaction.ts'
import { transfer } from '../../src/core/transaction/transfer.ts'
import { proveValidatorKeys } from '../../src/core/validator-proofs.ts'

const ACCOUNTS = 10_000
const BALANCE = 1_000_000_000_000n

export interface World {
  readonly chain: Chain
  readonly start: ChainStart
  readonly keys: readonly KeyPair[]
  readonly ids: readonly AccountId[]
  readonly consensus: KeyPair
  /** Transfers so far. */
  sent: number
}

/** A node makes and checks seed signatures in a thread. */
export const PORTS: ChainPorts = { accepts: opensslAccepts, seedVerifier: () => true }

/** One validator, whose seed signatures cost nothing. */
export function makeWorld(): World {
  const keys = Array.from({ length: ACCOUNTS }, (_, index) => keyPairFromSecret(secret(index)))
  const ids = keys.map(({ publicKey }) => accountOf(publicKey))
  const consensus = keyPairFromSecret(secret(ACCOUNTS))
  const seedSecret = secret(ACCOUNTS + 1)
  const start = startOf(ids, consensus, seedSecret)
  const seedSigner = (message: Uint8Array): Uint8Array => {
    const half = taggedHash('bench/seed', message)
    return Uint8Array.from([...half, ...half, ...half])
  }
  return { chain: createChain(start, { ...PORTS, seedSigner }), start, keys, ids, consensus, sent: 0 }
}

function startOf(ids: readonly AccountId[], consensus: KeyPair, seedSecret: Uint8Array): ChainStart {
  const owner = accountId('01'.repeat(20))
  const proofs = proveValidatorKeys({ networkId: ZERO_HASH, owner }, consensus, seedSecret)
  return genesisStart({
    name: 'bench',
    kind: 'local',
    timeMs: milliseconds(1_700_000_000_000),
    parameters: { ...INITIAL_PARAMETERS, baseFeeMin: 1n },
    accounts: [...ids].sort().map((id) => ({ id, balance: grains(BALANCE) })),
    validators: [{ id: owner, name: 'one', bond: 100_000_000_000n, ...proofs }],
    models: [],
  })
}

/** Puts transfers into the pool; each sender takes its turn, so that the pool holds one of each. */
export function fillPool(world: World, transfers: number): void {
  const { chain, keys, ids } = world
  for (let index = 0; index < transfers; index++, world.sent++) {
    const sender = world.sent % ACCOUNTS
    const writer = new Writer()
    transfer.write(writer, { to: ids[(sender * 7 + 1) % ACCOUNTS]!, amount: 1n, memo: new Uint8Array(0) })
    const nonce = BigInt(Math.floor(world.sent / ACCOUNTS))
    const draft = { type: transfer.type, nonce, maxFee: 1_000_000n, tip: 1n }
    chain.mempool.add(signTransaction(chain.networkId, { ...draft, body: writer.finish() }, keys[sender]!))
  }
}

/** For the next block, now. */
export function requestOf(chain: Chain): BlockRequest {
  const { timeMs, commit } = chain.head()
  return { round: 0, timeMs: milliseconds(timeMs + 1_000), lastCommit: commit }
}

/** A block of transfers. */
export function nextBlock(world: World, transfers: number): Block {
  fillPool(world, transfers)
  return world.chain.propose(requestOf(world.chain))
}

/** Milliseconds of the whole check of a block. */
export function checkMs(chain: Chain, block: Block, isSignatureKnown: boolean): number {
  const startedMs = performance.now()
  checkBlock(block, chain.place(), {
    accepts: opensslAccepts,
    isCommitted: true,
    isSignatureKnown: () => isSignatureKnown,
  })
  return performance.now() - startedMs
}

/** The commit of a block by the one validator. */
export function commitOf({ chain, consensus }: World, block: Block): Commit {
  const { height } = block.header
  const blockHash = chain.hashOf(block)
  const message = ballotDigest(chain.networkId, { type: 'precommit', height, round: 0, blockHash })
  return { height, round: 0, blockHash, signatures: [sign(message, consensus.secretKey)] }
}

function secret(number: number): Uint8Array {
  const bytes = new Uint8Array(32).fill(7)
  new DataView(bytes.buffer).setUint32(4, number)
  bytes[0] = 1
  return bytes
}
