import { expect, test } from 'vitest'
import { type ServedChain, serveChain } from '../../../../src/app/node/chain-server.ts'
import { hash, peerId } from '../../../../src/base/brand.ts'
import { SYNC_LIMITS } from '../../../../src/base/chain-limits.ts'
import { createMemoryNetwork } from '../../../../src/net/memory-network.ts'
import {
  CHAIN_PROTOCOL,
  CHAIN_PROTOCOL_OPTIONS,
  decodeAnswer,
  encodeQuestion,
} from '../../../../src/net/protocols/chain.ts'

const HASH = hash('ab'.repeat(32))

test('a history is read block by block, and never more of it than one question may cost', async () => {
  let reading = 0
  let mostAtOnce = 0
  const served = {
    head: () => ({ networkId: HASH, height: 9, blockHash: HASH, oldestHeight: 1 }),
    history: async (_account, limit) => new Array(limit).fill(HASH),
    async transaction() {
      mostAtOnce = Math.max(mostAtOnce, ++reading)
      await new Promise((resolve) => setImmediate(resolve))
      reading--
      return [new Uint8Array(8), new Uint8Array(150), new Uint8Array(40)]
    },
  } as Partial<ServedChain> as ServedChain
  const network = createMemoryNetwork()
  const server = network.createMemoryWire({ listen: true })
  const client = network.createMemoryWire({ peer: peerId('client'), listen: false })
  await serveChain(server, served, { log: { write: () => undefined } })
  const to = { peer: server.peer, addresses: server.addresses() }
  const channel = await client.open(to, CHAIN_PROTOCOL, CHAIN_PROTOCOL_OPTIONS)
  channel.send(encodeQuestion({ type: 'history', account: new Uint8Array(20), count: 1_000 }))
  const answer = decodeAnswer((await channel.receive())!)
  expect(answer.type === 'items' && answer.items.length).toBe(3 * SYNC_LIMITS.historyPerQuestionMax)
  expect(mostAtOnce).toBe(1)
  await client.stop()
  await server.stop()
})

test('of models of one name no more are told than a light client looks at', async () => {
  const served = {
    head: () => ({ networkId: HASH, height: 9, blockHash: HASH, oldestHeight: 1 }),
    modelsNamed: (name) => new Array(name.length * 100).fill(HASH),
  } as Partial<ServedChain> as ServedChain
  const network = createMemoryNetwork()
  const server = network.createMemoryWire({ listen: true })
  const client = network.createMemoryWire({ peer: peerId('client'), listen: false })
  await serveChain(server, served, { log: { write: () => undefined } })
  const to = { peer: server.peer, addresses: server.addresses() }
  const channel = await client.open(to, CHAIN_PROTOCOL, CHAIN_PROTOCOL_OPTIONS)
  channel.send(encodeQuestion({ type: 'models', name: 'x' }))
  const answer = decodeAnswer((await channel.receive())!)
  expect(answer.type === 'items' && answer.items.length).toBe(SYNC_LIMITS.namedModelsMax)
  await client.stop()
  await server.stop()
})
