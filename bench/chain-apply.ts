/**
 * How many transfers a node applies per second on one core: blocks of 2,000 among 10,000 accounts, executed, put into the state tree and
 * checked against the header's root, with and without the check of each signature. Against 2,000 per second.
 * @module
 */
import { opensslAccepts } from '../src/app/openssl-verify.ts'
import { type AccountId, accountId, grains, milliseconds } from '../src/base/brand.ts'
import { Writer } from '../src/base/codec.ts'
import type { Block } from '../src/core/block/block.ts'
import { checkBlock } from '../src/core/block/validate.ts'
import { blsSign } from '../src/core/bls.ts'
import { type Chain, type ChainStart, createChain, genesisStart } from '../src/core/chain.ts'
import { ballotDigest } from '../src/core/consensus/messages.ts'
import { type KeyPair, keyPairFromSecret, sign } from '../src/core/ed25519.ts'
import { accountOf, ZERO_HASH } from '../src/core/fields.ts'
import { INITIAL_PARAMETERS } from '../src/core/parameters.ts'
import { signTransaction } from '../src/core/transaction/transaction.ts'
import { transfer } from '../src/core/transaction/transfer.ts'
import { proveValidatorKeys } from '../src/core/validator-proofs.ts'
import type { Measure } from './bench.ts'
import { rowOf } from './report.ts'

const ACCOUNTS = 10_000
const TRANSFERS = 2_000
const TARGET_PER_SECOND = 2_000
const BALANCE = 1_000_000_000_000n

export const chainApply: Measure = {
  name: 'chain',
  run: async (bench, report) => {
    bench.progress('chain, keys of 10,000 accounts')
    const world = makeWorld()
    const withSignatures: number[] = []
    const withoutSignatures: number[] = []
    for (let run = -1; run < bench.runs; run++) {
      bench.signal.throwIfAborted()
      bench.progress(`chain, run ${run + 1} of ${bench.runs}`)
      const block = nextBlock(world)
      const all = checkMs(world.chain, block, false)
      const applied = checkMs(world.chain, block, true)
      finish(world, block)
      // The first blocks are run by code that is not compiled yet.
      if (run < 0) continue
      withSignatures.push((TRANSFERS * 1_000) / all)
      withoutSignatures.push((TRANSFERS * 1_000) / applied)
      await new Promise((resolve) => setImmediate(resolve))
    }
    report(
      rowOf({
        measure: 'transfers applied ÷ 2,000 per second, one core',
        ratios: withSignatures.map((perSecond) => perSecond / TARGET_PER_SECOND),
        target: { atLeast: 1 },
        values: { 'with signatures per s': withSignatures, 'signatures known per s': withoutSignatures },
      }),
    )
  },
}

interface World {
  readonly chain: Chain
  readonly keys: readonly KeyPair[]
  readonly ids: readonly AccountId[]
  readonly consensus: KeyPair
  nonce: bigint
}

/** One validator; its seed signature is left out of the figures, since it does not grow with the transfers. */
function makeWorld(): World {
  const keys = Array.from({ length: ACCOUNTS }, (_, index) => keyPairFromSecret(secret(index)))
  const ids = keys.map(({ publicKey }) => accountOf(publicKey))
  const consensus = keyPairFromSecret(secret(ACCOUNTS))
  const seedSecret = secret(ACCOUNTS + 1)
  const chain = createChain(startOf(ids, consensus, seedSecret), {
    accepts: opensslAccepts,
    seedSigner: (message) => blsSign(message, seedSecret),
  })
  return { chain, keys, ids, consensus, nonce: 0n }
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

/** A block of transfers; each sender takes its turn, so that the pool holds one of each. */
function nextBlock(world: World): Block {
  const { chain, keys, ids, nonce } = world
  const turn = Number(nonce) * TRANSFERS
  for (let index = 0; index < TRANSFERS; index++) {
    const sender = (turn + index) % ACCOUNTS
    const writer = new Writer()
    transfer.write(writer, { to: ids[(sender * 7 + 1) % ACCOUNTS]!, amount: 1n, memo: new Uint8Array(0) })
    const draft = { type: transfer.type, nonce: BigInt(Math.floor((turn + index) / ACCOUNTS)), maxFee: 1_000n, tip: 1n }
    chain.mempool.add(signTransaction(chain.networkId, { ...draft, body: writer.finish() }, keys[sender]!))
  }
  world.nonce += 1n
  const { timeMs, commit } = chain.head()
  return chain.propose({ round: 0, timeMs: milliseconds(timeMs + 1_000), lastCommit: commit })
}

/** Milliseconds of the whole check of a block. */
function checkMs(chain: Chain, block: Block, isSignatureKnown: boolean): number {
  const startedMs = performance.now()
  checkBlock(block, chain.place(), {
    accepts: opensslAccepts,
    isCommitted: true,
    isSignatureKnown: () => isSignatureKnown,
  })
  return performance.now() - startedMs
}

function finish({ chain, consensus }: World, block: Block): void {
  const { height } = block.header
  const blockHash = chain.hashOf(block)
  const message = ballotDigest(chain.networkId, { type: 'precommit', height, round: 0, blockHash })
  const signatures = [sign(message, consensus.secretKey)]
  chain.apply(block, { height, round: 0, blockHash, signatures })
}

function secret(number: number): Uint8Array {
  const bytes = new Uint8Array(32).fill(7)
  new DataView(bytes.buffer).setUint32(4, number)
  bytes[0] = 1
  return bytes
}
