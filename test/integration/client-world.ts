/**
 * A network on which chats pay: one validator in this process, miners that are registered and have placements, each a real one over TCP with a
 * desk that looks leases up on the chain, and a client with money. Knows nothing of what tests assert.
 * @module
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ChainAccess } from '../../src/app/chain/chain-access.ts'
import { type OpenChat, openChat } from '../../src/app/chat/open-chat.ts'
import { createEngineHost } from '../../src/app/engine-host.ts'
import { openHome } from '../../src/app/home.ts'
import { createInlineRunner } from '../../src/app/inline-runner.ts'
import { createChainLeases } from '../../src/app/market/chain-leases.ts'
import { createLeaseBook, type LeaseBook } from '../../src/app/market/client-book.ts'
import { createLeaseOpener } from '../../src/app/market/client-opener.ts'
import { createClientPayments, type PaymentNews, type PaymentOptions } from '../../src/app/market/client-payments.ts'
import { createLeaseDesk } from '../../src/app/market/lease-desk.ts'
import { openLotFolder } from '../../src/app/market/lot-folder.ts'
import { createMiner } from '../../src/app/miner.ts'
import { openModelStore, type StoredModel } from '../../src/app/model-store.ts'
import { peerOfPublicKey } from '../../src/app/node-identity.ts'
import { createSystem } from '../../src/app/system.ts'
import { type AccountId, hash } from '../../src/base/brand.ts'
import { Writer } from '../../src/base/codec.ts'
import { type KeyPair, keyPairFromSecret } from '../../src/core/ed25519.ts'
import { accountOf } from '../../src/core/fields.ts'
import type { Parameters } from '../../src/core/parameters.ts'
import { provePeerKey } from '../../src/core/peer-key-proof.ts'
import { contractOf } from '../../src/core/transaction/contracts.ts'
import { signTransaction } from '../../src/core/transaction/transaction.ts'
import { createReferenceEngine } from '../../src/ml/engine/reference.ts'
import { createLibp2pWire } from '../../src/net/libp2p-wire.ts'
import { randomWeights, smallConfig } from '../contract/random-model.ts'
import { DLLM, type OneNode, startOneNode } from './one-node.ts'
import { silent } from './ring-world.ts'

const NETWORK = 'paying'
export const CONFIG = smallConfig({ contextLength: 1_024 })
const WEIGHTS = randomWeights({ config: CONFIG, format: 'q8', seed: 3 })
export const SEGMENTS = 3
const { clock, random, log } = createSystem({ level: 'silent' })
export const CLIENT = 9

/** A model of three segments that lies nowhere: the manifest of genesis with another shape. */
export const PAID_MODEL: StoredModel = (() => {
  const genesis = openModelStore({ home: '/nowhere' }).find('genesis')
  const segments = [0, 1, 2].map((index) => ({
    ...genesis.manifest.segments[index]!,
    ...{ firstLayer: index, lastLayer: index + 1, hasEmbedding: index === 0, hasHead: index === SEGMENTS - 1 },
  }))
  return { ...genesis, manifest: { ...genesis.manifest, config: CONFIG, segments }, hash: hash('ab'.repeat(32)) }
})()

/** A miner of account 1, 2, …: segments `first` to before `end`. */
export interface MinerWish {
  readonly first: number
  readonly end: number
  /** Grains per unit; 1 if left out. */
  readonly bid?: bigint
}

export interface PayingMiner {
  readonly operator: AccountId
  readonly address: string
  /** As SIGKILL, as far as a process can do that to itself. */
  kill(): Promise<void>
}

export interface PayingWorld {
  readonly one: OneNode
  readonly miners: readonly PayingMiner[]
  /** Of the client's data folder. */
  readonly book: LeaseBook
  readonly news: PaymentNews[]
  keys(account: number): KeyPair
  /** Signs a call, hands it in, and resolves when it is in a block. */
  call(account: number, type: number, body: unknown): Promise<void>
  chat(change?: ChatChange): Promise<OpenChat>
  close(): Promise<void>
}

export interface ChatChange {
  readonly payments?: Partial<PaymentOptions> | 'none'
  readonly need?: { readonly promptRows: number; readonly decodeRows: number }
  /** What the client knows of the chain by. */
  readonly chain?: ChainAccess
  readonly onLost?: (why: unknown) => void
}

export interface WorldOptions {
  readonly miners: readonly MinerWish[]
  /** Grains per unit. */
  readonly price?: bigint
  readonly parameters?: Partial<Parameters>
  /** Whether miners refuse those without a lease. */
  readonly isRequired?: boolean
  /** Of the client; 100 DLLM if left out. */
  readonly balance?: bigint
}

export async function startPayingWorld(options: WorldOptions): Promise<PayingWorld> {
  const { price = 12n, isRequired = true } = options
  const one = await startOneNode({ priceBlocks: 10_000n, commitMs: 250n, ...options.parameters })
  const root = await mkdtemp(join(tmpdir(), 'dllm-paying-'))
  const keys = (account: number): KeyPair => one.keys({ role: 'owner', account })
  const idOf = (account: number): AccountId => accountOf(keys(account).publicKey)
  const call = async (account: number, type: number, body: unknown): Promise<void> => {
    const { nonce } = await one.chain.account(idOf(account))
    const writer = new Writer()
    contractOf(type)!.write(writer, body)
    const draft = { type, nonce: BigInt(nonce), maxFee: 10_000n, tip: 1n, body: writer.finish() }
    await one.chain.waitFor(await one.chain.submit(signTransaction(one.network.networkId, draft, keys(account))))
  }
  const segments = Array.from({ length: SEGMENTS }, () => ({ linear: 2_000_000n, attention: 1_000n }))
  await call(0, 8, { model: PAID_MODEL.hash, name: 'paid', context: 1_024, price, segments })
  await call(0, 1, { to: idOf(CLIENT), amount: options.balance ?? 100n * DLLM, memo: new Uint8Array(0) })
  const bootstrap: string[] = []
  const miners: PayingMiner[] = []
  for (const [index, wish] of options.miners.entries()) {
    const account = index + 1
    await call(0, 1, { to: idOf(account), amount: 10n * DLLM, memo: new Uint8Array(0) })
    const peerKeys = keyPairFromSecret(new Uint8Array(32).fill(0x40 + index))
    await register({ one, call, account, keys: peerKeys }, wish)
    const started = await startMiner({ one, root, index, keys: peerKeys, bootstrap: [...bootstrap], isRequired }, wish)
    bootstrap.push(started.address)
    miners.push({ operator: idOf(account), ...started })
  }
  const book = createLeaseBook(join(root, 'leases'), { clock })
  const news: PaymentNews[] = []
  const home = await openHome({ path: join(root, 'home') })
  return {
    ...{ one, miners, book, news, keys, call },
    chat({ payments, need = { promptRows: 40, decodeRows: 100 }, chain = one.chain, onLost = () => undefined } = {}) {
      const paying: PaymentOptions = {
        ...{ model: PAID_MODEL.hash, cap: undefined, book, isPayer: () => true, mayBeFree: false },
        opener: async () =>
          createLeaseOpener(
            {
              chain: unclosed(chain),
              book,
              account: idOf(CLIENT),
              keys: async () => keys(CLIENT),
              onSlow: () => undefined,
            },
            { clock, log },
          ),
        say: (told) => void news.push(told),
        ...(payments === 'none' ? {} : payments),
      }
      return openChat(
        {
          ...{ home, model: PAID_MODEL, capacity: CONFIG.contextLength, need, threads: 1, onLost, advice: 'Pay.' },
          network: { id: NETWORK, bootstrap, mdns: false, dht: false },
          payments: payments === 'none' ? undefined : createClientPayments(paying, { clock, log }),
          ...{ onStarting: () => undefined, onStarted: () => undefined, signal: new AbortController().signal },
        },
        { clock, random, log },
      )
    },
    async close() {
      for (const miner of miners) await miner.kill()
      await one.stop()
      await rm(root, { recursive: true, force: true })
    },
  }
}

interface Registration extends Pick<PayingWorld, 'one' | 'call'> {
  readonly account: number
  readonly keys: KeyPair
}

async function register(
  { one, call, account, keys }: Registration,
  { first, end, bid = 1n }: MinerWish,
): Promise<void> {
  const operator = accountOf(one.keys({ role: 'owner', account }).publicKey)
  const claim = provePeerKey({ networkId: one.network.networkId, operator }, keys)
  await call(account, 10, { payout: operator, device: 'cpu', deposit: 5n * DLLM, ...claim })
  const until = (await one.chain.head()).height + 290
  await call(account, 12, { model: PAID_MODEL.hash, first, end, slots: 4, bid, until, incarnation: 1n })
}

interface Place {
  readonly one: OneNode
  readonly root: string
  readonly index: number
  readonly keys: KeyPair
  readonly bootstrap: readonly string[]
  readonly isRequired: boolean
}

async function startMiner(
  { one, root, index, keys, bootstrap, isRequired }: Place,
  { first, end }: MinerWish,
): Promise<Pick<PayingMiner, 'address' | 'kill'>> {
  const { secretKey, publicKey } = keys
  const privateKey = Uint8Array.of(0x08, 0x01, 0x12, 0x40, ...secretKey, ...publicKey)
  const wire = await createLibp2pWire(
    { networkId: NETWORK, listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false, dht: false, privateKey },
    { clock, log: silent },
  )
  const range = { firstLayer: first, lastLayer: end, hasEmbedding: first === 0, hasHead: end === SEGMENTS }
  const stage = createReferenceEngine().createStage({
    ...{ config: CONFIG, range, weights: WEIGHTS, cacheBytesMax: 1 << 27 },
  })
  const host = createEngineHost(createInlineRunner('reference', stage, { clock }), { clock })
  const lots = await openLotFolder(join(root, `miner-${index}`), 1e9)
  const source = createChainLeases(one.chain)
  const market = createLeaseDesk(
    { source, lots, peerSecret: secretKey, isRequired: () => isRequired },
    { clock, log: silent, random },
  )
  const identity = { peer: peerOfPublicKey(publicKey), privateKey, secretKey }
  const miner = await createMiner(
    {
      ...{ identity, networkId: NETWORK, bootstrap, market },
      posts: [{ model: PAID_MODEL, firstSegment: first, lastSegment: end, host, device: 'reference' }],
    },
    { wire, clock, log: silent },
  )
  let isGone = false
  return {
    address: wire.addresses()[0]!,
    async kill() {
      if (isGone) return
      isGone = true
      await wire.stop()
      await miner.close()
      await host.close()
    },
  }
}

/** The chain outlives the chats of a test. */
function unclosed(chain: ChainAccess): ChainAccess {
  return { ...chain, close: async () => undefined }
}
