/** The market through a light client: single records are proved and are as the node has them; lists are refused; lies are found out. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ChainAccess } from '../../src/app/chain/chain-access.ts'
import { networkView } from '../../src/app/chain/network-chain.ts'
import { openHome } from '../../src/app/home.ts'
import { createLightAccess } from '../../src/app/light/light-access.ts'
import { createLightService, type LightService } from '../../src/app/light/light-service.ts'
import { modelsNamed } from '../../src/app/light/named-models.ts'
import { genesisTrust, trustOf } from '../../src/app/light/open-light.ts'
import { openModelStore } from '../../src/app/model-store.ts'
import { opensslAccepts } from '../../src/app/openssl-verify.ts'
import { createChainRegistry } from '../../src/app/swarm/chain-registry.ts'
import { findModel } from '../../src/app/swarm/find-model.ts'
import type { NamedModel } from '../../src/app/swarm/same-name.ts'
import { createSystem } from '../../src/app/system.ts'
import { type Hash, hash, peerId } from '../../src/base/brand.ts'
import { Writer } from '../../src/base/codec.ts'
import { type KeyPair, keyPairFromSecret } from '../../src/core/ed25519.ts'
import { accountOf } from '../../src/core/fields.ts'
import { formatGenesis } from '../../src/core/genesis-file.ts'
import { provePeerKey } from '../../src/core/peer-key-proof.ts'
import { leaseIdOf } from '../../src/core/state/leases.ts'
import { decodeProof, encodeProof } from '../../src/core/state/tree-proof.ts'
import { contractOf } from '../../src/core/transaction/contracts.ts'
import { signTransaction } from '../../src/core/transaction/transaction.ts'
import type { Wire } from '../../src/net/wire.ts'
import { startRelay } from './chain-relay.ts'
import { DLLM, type OneNode, startOneNode } from './one-node.ts'

const MODEL = hash('a1'.repeat(32))
const NOBODY = hash('0f'.repeat(32))
const NEVER = new AbortController().signal
const system = createSystem({ level: 'silent' })
const keys = (): KeyPair => one.keys({ role: 'owner', account: 0 })
const owner = () => accountOf(keys().publicKey)

let one: OneNode
let lease: Hash
let lights = 0

async function call(type: number, body: unknown): Promise<bigint> {
  const { nonce } = await one.chain.account(owner())
  const writer = new Writer()
  contractOf(type)!.write(writer, body)
  const draft = { type, nonce: BigInt(nonce), maxFee: 10_000n, tip: 1n, body: writer.finish() }
  await one.chain.waitFor(await one.chain.submit(signTransaction(one.network.networkId, draft, keys())))
  return BigInt(nonce)
}

beforeAll(async () => {
  one = await startOneNode()
  const { networkId } = one.network
  const segments = [1, 2].map(() => ({ linear: 2_000_000n, attention: 100n }))
  await call(8, { model: MODEL, name: 'example', context: 1_024, price: 12n, segments })
  const claim = provePeerKey({ networkId, operator: owner() }, keyPairFromSecret(new Uint8Array(32).fill(9)))
  await call(10, { payout: owner(), device: 'cpu', deposit: 2n * DLLM, ...claim })
  const until = (await one.chain.head()).height + 290
  await call(12, { model: MODEL, first: 0, end: 2, slots: 3, bid: 1n, until, incarnation: 1n })
  const terms = { cuts: [], avoid: [], rows: 100, cap: DLLM, priceMax: 1_000n, expiryHeight: until + 10_000 }
  lease = leaseIdOf(networkId, owner(), await call(13, { model: MODEL, voucherKey: claim.peerKey, ...terms }))
})
afterAll(() => one.stop())

async function startLight(wires: readonly Wire[]): Promise<{ light: ChainAccess; service: LightService }> {
  const wire = one.memory.createMemoryWire({ peer: peerId(`asker-${lights++}`), listen: false })
  for (const other of wires) await wire.connect(other.addresses()[0]!)
  const { networkId, genesis } = one.network
  const service = createLightService(
    { networkId, begin: genesisTrust(genesis), ...trustOf(genesis) },
    { wire, clock: system.clock, log: system.log, accepts: opensslAccepts, keep: async () => undefined },
  )
  const close = () => wire.stop()
  return {
    light: createLightAccess({ service, network: networkView(one.network), clock: system.clock, close }),
    service,
  }
}

describe('a light client of the market', () => {
  test('proves a model, a miner and a lease: each is as the node has it', async () => {
    const { light, service } = await startLight([one.wire])
    const [market, own] = [light.market, one.chain.market]
    expect(await market.lease(lease)).toEqual(await own.lease(lease))
    expect(await market.lease(lease)).toMatchObject({ id: lease, status: 'open', lots: [{ first: 0, end: 2 }] })
    expect(await market.miner(owner())).toEqual(await own.miner(owner()))
    expect(await market.model(MODEL)).toMatchObject({ model: MODEL, name: 'example', context: 1_024 })
    expect(service.lies).toEqual([])
    await light.close()
  })

  test('proves models by their name, whoever makes some up or keeps silent about one', async () => {
    const namer = (change: (hashes: Uint8Array[]) => Uint8Array[]) =>
      startRelay(one, ({ type }, items) => (type === 'models' ? change(items) : items))
    const inventor = await namer((hashes) => [new Uint8Array(32).fill(7), new Uint8Array(5), ...hashes])
    const silent = await namer(() => [])
    const { light, service } = await startLight([inventor, silent])
    const named = (name: string) => modelsNamed({ service, kind: 'local' }, name)
    expect(await named('example')).toEqual([expect.objectContaining({ model: MODEL, status: 'active' })])
    expect(await named('exampl')).toEqual([])
    expect(service.lies).toEqual([])
    await Promise.all([light.close(), inventor.stop(), silent.stop()])
  })

  test('finds for a download what a name means, by the address of a node alone', async () => {
    const home = await openHome({ path: await mkdtemp(join(tmpdir(), 'dllm-named-')) })
    const genesis: unknown = JSON.parse(formatGenesis(one.network.genesis))
    const wire = one.memory.createMemoryWire({ peer: peerId('downloader'), listen: false })
    const network = { id: 'one', bootstrap: [one.wire.addresses()[0]!], mdns: false, dht: false, genesis }
    const registry = createChainRegistry(home, network, { ...system, wire })
    const models = () => registry.models('example', NEVER)
    const standing = (named: readonly NamedModel[]) => registry.standing(named, NEVER)
    const store = openModelStore({ home: home.path })
    expect(await findModel('example', store, { models, standing, offers: async () => [] })).toEqual({
      type: 'there',
      hash: MODEL,
    })
    // It has no lists of placements.
    expect(await standing(await models())).toMatchObject([{ model: MODEL, behind: undefined }])
    await wire.stop()
    await rm(home.path, { recursive: true })
  })

  test('proves that there is none', async () => {
    const { light } = await startLight([one.wire])
    const nobody = accountOf(new Uint8Array(32).fill(3))
    await expect(light.market.lease(NOBODY)).rejects.toMatchObject({ code: 'NO_SUCH_LEASE' })
    await expect(light.market.model(NOBODY)).rejects.toMatchObject({ code: 'NO_SUCH_MODEL' })
    await expect(light.market.miner(nobody)).rejects.toMatchObject({ code: 'NO_SUCH_MINER' })
    await light.close()
  })

  test.each<[string, (light: ChainAccess) => Promise<unknown>]>([
    ['all models', ({ market }) => market.models()],
    ['all miners', ({ market }) => market.miners({ limit: 1 })],
    ['who serves a model', ({ market }) => market.placements(MODEL)],
    ['leases', ({ market }) => market.leases({ payer: owner(), limit: 1 })],
    ['audits', ({ market }) => market.audits({ limit: 1 })],
    ['earnings', ({ market }) => market.earnings({ accounts: [owner()], limit: 1 })],
    ['how a lease was settled', ({ market }) => market.settlement(NOBODY)],
    ['a quote', ({ market }) => market.quote({ model: MODEL, cuts: [], rows: 1 })],
  ])('says that it needs a full node for %s', async (_what, ask) => {
    const { light } = await startLight([one.wire])
    await expect(ask(light)).rejects.toMatchObject({
      code: 'LIGHT_NEEDS_NODE',
      message: expect.stringContaining('`dllm node`'),
    })
    await light.close()
  })

  test('believes no lease that a peer made up, and names the peer', async () => {
    const liar = await startRelay(one, ({ type }, items) => {
      if (type !== 'state') return items
      const { siblings, end } = decodeProof(items[3]!)
      if (end.type !== 'value') return items
      const value = end.value.slice()
      value[60]! ^= 1
      return [...items.slice(0, 3), encodeProof({ siblings, end: { type: 'value', value } })]
    })
    const { light, service } = await startLight([liar])
    await expect(light.market.lease(lease)).rejects.toMatchObject({ code: 'LIGHT_ALL_LIE' })
    expect(service.lies).toEqual([expect.objectContaining({ peer: liar.peer, code: 'PROOF_WRONG_ROOT' })])
    await Promise.all([light.close(), liar.stop()])
  })
})

describe('a full node', () => {
  test('pages through leases of a payer and of an operator, and finds none of others', async () => {
    const { market } = one.chain
    const nobody = accountOf(new Uint8Array(32).fill(3))
    const ids = async (wish: { payer?: ReturnType<typeof owner>; operator?: ReturnType<typeof owner> }) =>
      (await market.leases({ ...wish, limit: 128 })).entries.map(({ id }) => id)
    expect(await ids({})).toEqual([lease])
    expect(await ids({ payer: owner() })).toEqual([lease])
    expect(await ids({ operator: owner() })).toEqual([lease])
    expect(await ids({ payer: nobody })).toEqual([])
    expect(await ids({ operator: nobody })).toEqual([])
    await expect(market.audits({ lease: NOBODY, limit: 1 })).rejects.toMatchObject({ code: 'NO_SUCH_LEASE' })
  })

  test('lists who serves a model, and how much of that is taken', async () => {
    expect(await one.chain.market.placements(MODEL)).toMatchObject([
      { first: 0, end: 2, slots: 3, used: 1, live: true },
    ])
    await expect(one.chain.market.placements(NOBODY)).rejects.toMatchObject({ code: 'NO_SUCH_MODEL' })
  })
})
