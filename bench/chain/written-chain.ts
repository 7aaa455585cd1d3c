/**
 * A chain that four validators could have made, written into the folder of the first by the product's own code, so that a measure
 * of catching up need not wait for its blocks.
 * @module
 */

import { chainOf } from '../../src/app/chain/network-chain.ts'
import { loadNetwork } from '../../src/app/networks.ts'
import { nodeFolder } from '../../src/app/node/node-folders.ts'
import { createNodeStore } from '../../src/app/node/node-store.ts'
import { openStart } from '../../src/app/node/start.ts'
import { validatorKeysOf } from '../../src/app/node/validator-keys.ts'
import { opensslAccepts } from '../../src/app/openssl-verify.ts'
import { openLevelStore } from '../../src/app/store/level-store.ts'
import { type AccountId, milliseconds } from '../../src/base/brand.ts'
import { encodeBlock } from '../../src/core/block/block.ts'
import { blsSign } from '../../src/core/bls.ts'
import { type Chain, createChain } from '../../src/core/chain.ts'
import { ballotDigest } from '../../src/core/consensus/messages.ts'
import { sign } from '../../src/core/ed25519.ts'
import { accountOf } from '../../src/core/fields.ts'
import { type BenchNetwork, NETWORK, nodeName } from './bench-network.ts'
import { sender, transferBytes, validatorKeys } from './senders.ts'

export interface WrittenChain {
  readonly blocks: number
  readonly transfersPerBlock: number
  readonly validators: number
  /** That send in turn. */
  readonly senders: number
}

const BLOCK_MS = 1_000

/** Resolves with the bytes of all blocks. No node runs meanwhile. */
export async function writeChain({ home }: BenchNetwork, plan: WrittenChain): Promise<number> {
  const network = await chainOf(home, await loadNetwork(home, NETWORK))
  const level = await openLevelStore(nodeFolder(home, nodeName(0)).store)
  const store = createNodeStore(level)
  try {
    const start = await openStart(store, network.genesis)
    const keys = keysOf(plan.validators)
    const chain: Chain = createChain(start, {
      accepts: opensslAccepts,
      seedSigner: (message) => {
        const { set, proposerOf } = chain.place()
        return blsSign(message, keys.get(set.members[proposerOf(0)]!.id)!.seedSecret)
      },
    })
    const senders = Array.from({ length: plan.senders }, (_, number) => sender(number))
    let [bytes, sent] = [0, 0]
    for (let height = 1; height <= plan.blocks; height++) {
      for (let index = 0; index < plan.transfersPerBlock; index++, sent++) {
        const [from, to] = [senders[sent % senders.length]!, senders[(sent + 1) % senders.length]!]
        const nonce = Math.floor(sent / senders.length)
        chain.mempool.add(transferBytes(chain.networkId, from, { to: to.id, nonce }))
      }
      bytes += makeFinal(chain, keys)
      const applied = chain.lastApplied()!
      await store.save({ ...applied, timeMs: applied.block.header.timeMs, block: encodeBlock(applied.block) })
    }
    return bytes
  } finally {
    await level.close()
  }
}

type Keys = ReadonlyMap<AccountId, ReturnType<typeof validatorKeysOf>>

function keysOf(validators: number): Keys {
  return new Map(
    Array.from({ length: validators }, (_, account) => [
      accountOf(validatorKeys('owner', account).publicKey),
      validatorKeysOf(validatorKeys('operator', account).secretKey),
    ]),
  )
}

/** One block with everybody's signature; its bytes. */
function makeFinal(chain: Chain, keys: Keys): number {
  const { timeMs, commit, validators } = chain.head()
  const block = chain.propose({ round: 0, timeMs: milliseconds(timeMs + BLOCK_MS), lastCommit: commit })
  const { height } = block.header
  const blockHash = chain.hashOf(block)
  const digest = ballotDigest(chain.networkId, { type: 'precommit', height, round: 0, blockHash })
  const signatures = validators.members.map(({ id }) => sign(digest, keys.get(id)!.consensus.secretKey))
  chain.apply(block, { height, round: 0, blockHash, signatures })
  return encodeBlock(block).length
}
