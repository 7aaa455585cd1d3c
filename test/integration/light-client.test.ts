/**
 * A light client with only a checkpoint, between an honest full node and one that lies: it gets the truth and names the liar.
 * The liar is a relay in front of the honest node that changes what passes, so that all but the lie holds.
 * @module
 */
import { hexToBytes } from '@noble/hashes/utils.js'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { networkView } from '../../src/app/chain/network-chain.ts'
import { fetchCheckpoint } from '../../src/app/light/checkpoint.ts'
import { createLightAccess } from '../../src/app/light/light-access.ts'
import { provedBlock, provedTransaction } from '../../src/app/light/light-blocks.ts'
import { createLightService, type LightService } from '../../src/app/light/light-service.ts'
import { genesisTrust, trustOf } from '../../src/app/light/open-light.ts'
import { askChain } from '../../src/app/node/ask.ts'
import { opensslAccepts } from '../../src/app/openssl-verify.ts'
import { createSystem } from '../../src/app/system.ts'
import { type Hash, hash, milliseconds, peerId } from '../../src/base/brand.ts'
import { Reader, Writer } from '../../src/base/codec.ts'
import { encodeHeader, readCommit, readHeader, writeCommit } from '../../src/core/block/block.ts'
import { accountOf, addressOfAccount, writeCount } from '../../src/core/fields.ts'
import type { Trusted } from '../../src/core/light-client.ts'
import { accountKey } from '../../src/core/state/accounts.ts'
import { decodeProof, encodeProof } from '../../src/core/state/tree-proof.ts'
import { signTransaction } from '../../src/core/transaction/transaction.ts'
import { transfer } from '../../src/core/transaction/transfer.ts'
import type { Wire } from '../../src/net/wire.ts'
import { startRelay, type Tamper } from './chain-relay.ts'
import { DLLM, type OneNode, startOneNode } from './one-node.ts'

let one: OneNode

beforeAll(async () => {
  one = await startOneNode({ issuancePerBlock: 0n })
  await one.reached(12)
})
afterAll(() => one.stop())

const system = createSystem({ level: 'silent' })
let peers = 0

/** A light client that knows these peers, in their order. */
async function startLight(
  wires: readonly Wire[],
  begin: Trusted,
  options: { readonly ancestorsMax?: number } = {},
): Promise<{ service: LightService; wire: Wire }> {
  const wire = one.memory.createMemoryWire({ peer: peerId(`light-${peers++}`), listen: false })
  for (const other of wires) await wire.connect(other.addresses()[0]!)
  const { networkId, genesis } = one.network
  const service = createLightService(
    { networkId, begin, ...trustOf(genesis), ...options },
    { wire, clock: system.clock, log: system.log, accepts: opensslAccepts, keep: async () => undefined },
  )
  return { service, wire }
}

/** A block, as a person would have noted it down. */
async function checkpoint(height = 5): Promise<Trusted> {
  const wire = one.memory.createMemoryWire({ peer: peerId(`noter-${peers++}`), listen: false })
  await wire.connect(one.wire.addresses()[0]!)
  const { hash: noted } = await one.chain.block(height)
  const ports = { wire, ...system, networkId: one.network.networkId }
  const trusted = await fetchCheckpoint({ height, hash: noted }, ports)
  await wire.stop()
  return trusted
}

/** The id of a transfer of the owner's that is in a block. */
async function transferInBlock(): Promise<Hash> {
  const keys = one.keys({ role: 'owner', account: 0 })
  const body = new Writer()
  transfer.write(body, { to: owner(), amount: 1n, memo: new Uint8Array(0) })
  const { nonce } = await one.chain.account(owner())
  const draft = { type: transfer.type, nonce: BigInt(nonce), maxFee: 1_000n, tip: 1n, body: body.finish() }
  const id = await one.chain.submit(signTransaction(one.network.networkId, draft, keys))
  await one.chain.waitFor(id)
  return id
}

const owner = () => accountOf(one.keys({ role: 'owner', account: 0 }).publicKey)
const key = () => hexToBytes(accountKey(owner()))

const onState =
  (change: (items: Uint8Array[]) => Uint8Array[]): Tamper =>
  (question, items) =>
    question.type === 'state' ? change(items) : items

const LIES: readonly (readonly [string, Tamper, RegExp])[] = [
  [
    'a million more in the balance',
    onState(([header, commit, set, proof]) => {
      const { siblings, end } = decodeProof(proof!)
      if (end.type !== 'value') throw new Error('the owner has an account')
      const value = end.value.slice()
      new DataView(value.buffer).setBigUint64(0, 1_000_000n * DLLM, true)
      return [header!, commit!, set!, encodeProof({ siblings, end: { type: 'value', value } })]
    }),
    /^PROOF_WRONG_ROOT$/,
  ],
  [
    'that the account is not there',
    onState(([header, commit, set, proof]) => {
      const { siblings } = decodeProof(proof!)
      return [header!, commit!, set!, encodeProof({ siblings, end: { type: 'empty' } })]
    }),
    /^PROOF_/,
  ],
  [
    'another state root in the header',
    onState(([header, ...rest]) => {
      const forged = { ...readHeader(new Reader(header!)), stateRoot: hash('77'.repeat(32)) }
      return [encodeHeader(forged), ...rest]
    }),
    /^LIGHT_BAD_COMMIT$/,
  ],
  [
    'a commit without signatures',
    onState(([header, commit, ...rest]) => {
      const { signatures, ...others } = readCommit(new Reader(commit!))
      const forged = { ...others, signatures: signatures.map(() => undefined) }
      return [header!, writeCommit(new Writer(), forged).finish(), ...rest]
    }),
    /^LIGHT_BAD_COMMIT$/,
  ],
  [
    'a commit with a signature of nobody',
    onState(([header, commit, ...rest]) => {
      const { signatures, ...others } = readCommit(new Reader(commit!))
      const forged = { ...others, signatures: signatures.map(() => new Uint8Array(64).fill(7)) }
      return [header!, writeCommit(new Writer(), forged).finish(), ...rest]
    }),
    /^LIGHT_BAD_COMMIT$/,
  ],
  [
    'validators of its own',
    onState(([header, commit, set, proof]) => {
      const forged = set!.slice()
      forged[30]! ^= 1
      return [header!, commit!, forged, proof!]
    }),
    /^LIGHT_WRONG_SET$/,
  ],
  ['bytes that are no header', onState(([, ...rest]) => [Uint8Array.of(1, 2, 3), ...rest]), /^CODEC_/],
  [
    'bytes after the header',
    onState(([header, ...rest]) => [Uint8Array.of(...header!, 0), ...rest]),
    /^CODEC_TRAILING$/,
  ],
]

describe('a light client with only a checkpoint', () => {
  test.each(LIES)('is told %s, believes the honest node and names the liar', async (_lie, tamper, code) => {
    const liar = await startRelay(one, tamper)
    // A relay too: peers are asked in the order in which they came.
    const honest = await startRelay(one, (_question, items) => items)
    const { service, wire } = await startLight([liar, honest], await checkpoint())
    const access = createLightAccess({
      service,
      network: networkView(one.network),
      clock: system.clock,
      close: async () => undefined,
    })
    const account = await access.account(owner())
    const { proposals: _, ...provable } = await one.chain.parameters()
    expect(await access.parameters()).toEqual(provable)
    expect(account.balance).toBe(String(1_000n * DLLM))
    expect(account.address).toBe(addressOfAccount(owner(), 'local'))
    expect(service.lies).toEqual([expect.objectContaining({ peer: liar.peer, code: expect.stringMatching(code) })])
    await Promise.all([wire.stop(), liar.stop(), honest.stop()])
  })

  test.each(LIES)('is told %s by everybody, and says so', async (_lie, tamper, code) => {
    const liar = await startRelay(one, tamper)
    const { service, wire } = await startLight([liar], await checkpoint())
    await expect(service.state(key())).rejects.toMatchObject({
      code: 'LIGHT_ALL_LIE',
      message: expect.stringContaining(liar.peer),
    })
    expect(service.lies.map((lie) => lie.code)).toEqual([expect.stringMatching(code)])
    await Promise.all([wire.stop(), liar.stop()])
  })

  test('follows from the genesis as well, and goes on from what it trusts', async () => {
    const { service, wire } = await startLight([one.wire], genesisTrust(one.network.genesis))
    const first = await service.state(key())
    expect(first.header.height).toBeGreaterThanOrEqual(12)
    await one.reached(first.header.height + 3)
    expect((await service.state(key())).header.height).toBeGreaterThanOrEqual(first.header.height + 3)
    expect(service.lies).toEqual([])
    await wire.stop()
  })

  const tomorrow = onState(([header, ...rest]) => {
    const dated = { ...readHeader(new Reader(header!)), timeMs: milliseconds(system.clock.wallMs() + 86_400_000) }
    return [encodeHeader(dated), ...rest]
  })

  test('is not held up by a peer whose block is of tomorrow', async () => {
    const early = await startRelay(one, tomorrow)
    const { service, wire } = await startLight([early, one.wire], await checkpoint())
    expect((await service.state(key())).value).toBeDefined()
    await Promise.all([wire.stop(), early.stop()])
  })

  test('tells of the clock when everybody is ahead of it', async () => {
    const early = await startRelay(one, tomorrow)
    const { service, wire } = await startLight([early], await checkpoint())
    await expect(service.state(key())).rejects.toMatchObject({ code: 'LIGHT_FROM_FUTURE' })
    expect(service.lies).toEqual([])
    await Promise.all([wire.stop(), early.stop()])
  })

  test('does not take the next block for the one that it asked for', async () => {
    const { networkId } = one.network
    const asker = one.memory.createMemoryWire({ peer: peerId('asker'), listen: false })
    await asker.connect(one.wire.addresses()[0]!)
    const next = async (type: 'blocks' | 'headers'): Promise<Uint8Array[]> => {
      const question = { type, from: 10, count: 1 } as const
      return [
        ...(await askChain({ peer: one.wire.peer, addresses: [] }, question, { wire: asker, ...system, networkId }))
          .items,
      ]
    }
    const shown = { blocks: await next('blocks'), headers: await next('headers') }
    const shifted = await startRelay(one, ({ type }, items) =>
      type === 'blocks' || type === 'headers' ? shown[type] : items,
    )
    const { service, wire } = await startLight([shifted], genesisTrust(one.network.genesis))
    await expect(provedBlock(service, { networkId, height: 9 })).rejects.toMatchObject({ code: 'LIGHT_ALL_LIE' })
    expect(service.lies).toEqual([expect.objectContaining({ code: 'LIGHT_NOT_BEFORE' })])
    await Promise.all([wire.stop(), shifted.stop(), asker.stop()])
  })

  test('refuses a checkpoint that nobody has, and says whom it asked', async () => {
    const wire = one.memory.createMemoryWire({ peer: peerId('doubter'), listen: false })
    await wire.connect(one.wire.addresses()[0]!)
    const ports = { wire, ...system, networkId: one.network.networkId }
    await expect(fetchCheckpoint({ height: 5, hash: hash('ab'.repeat(32)) }, ports)).rejects.toMatchObject({
      code: 'CHECKPOINT_NOT_FOUND',
      message: expect.stringContaining(one.wire.peer),
    })
    await wire.stop()
  })

  test('proves blocks and transactions below what it trusts', async () => {
    const { service, wire } = await startLight([one.wire], genesisTrust(one.network.genesis))
    const access = createLightAccess({
      service,
      network: networkView(one.network),
      clock: system.clock,
      close: async () => undefined,
    })
    await access.head()
    const { hash: expected } = await one.chain.block(3)
    expect((await access.block(3)).hash).toBe(expected)
    expect(await access.history(owner(), 10)).toEqual([])
    await expect(access.block(1_000_000)).rejects.toMatchObject({ code: 'CHAIN_BLOCK_UNKNOWN' })
    await wire.stop()
  })

  test('asks the next peer when one names a block too old to look at, and knows the liar by the proof of the other', async () => {
    const id = await transferInBlock()
    const { height } = await one.chain.transaction(id)
    await one.reached(height! + 2)
    const begin = await checkpoint(height! + 2)
    const long = writeCount(new Writer(), 1).finish()
    const liar = await startRelay(one, ({ type }, items) =>
      type === 'transaction' ? [long, ...items.slice(1)] : items,
    )
    const ask = async (peers: readonly Wire[]) => {
      const { service, wire } = await startLight(peers, begin, { ancestorsMax: 2 })
      const found = await provedTransaction(service, { networkId: one.network.networkId, id }).catch((error) => error)
      await wire.stop()
      return { found, lies: service.lies }
    }
    const alone = await ask([liar])
    expect(alone.found).toMatchObject({ code: 'LIGHT_NEEDS_NODE' })
    expect(alone.lies).toEqual([])
    // A relay too: peers are asked in the order in which they came.
    const honest = await startRelay(one, (_question, items) => items)
    const both = await ask([liar, honest])
    expect(both.found).toMatchObject({ header: { height } })
    expect(both.lies).toEqual([expect.objectContaining({ peer: liar.peer, code: 'LIGHT_NOT_INCLUDED' })])
    await Promise.all([liar.stop(), honest.stop()])
  })

  test('asks nobody in vain for ever', async () => {
    const { service, wire } = await startLight([], genesisTrust(one.network.genesis))
    await expect(service.state(key())).rejects.toMatchObject({ code: 'LIGHT_NO_PEER' })
    await wire.stop()
  })
})
