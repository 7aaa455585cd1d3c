/** A client without a full node: it hears who serves, opens a lease through a light client, and pays with what was proved to it. */
import { afterEach, expect, test } from 'vitest'
import type { ChainAccess } from '../../src/app/chain/chain-access.ts'
import { networkView } from '../../src/app/chain/network-chain.ts'
import { createLightAccess } from '../../src/app/light/light-access.ts'
import { createLightService } from '../../src/app/light/light-service.ts'
import { genesisTrust, trustOf } from '../../src/app/light/open-light.ts'
import { opensslAccepts } from '../../src/app/openssl-verify.ts'
import { createSystem } from '../../src/app/system.ts'
import { peerId } from '../../src/base/brand.ts'
import { CONFIG, type PayingWorld, startPayingWorld } from './client-world.ts'
import { collect, GREEDY } from './ring-world.ts'

const { clock, log } = createSystem({ level: 'silent' })
const PROMPT = Array.from({ length: 20 }, (_, index) => (index * 3) % CONFIG.vocabularySize)

let world: PayingWorld
afterEach(() => world?.close())

async function startLight({ one }: PayingWorld): Promise<ChainAccess> {
  const wire = one.memory.createMemoryWire({ peer: peerId('asker'), listen: false })
  await wire.connect(one.wire.addresses()[0]!)
  const { networkId, genesis } = one.network
  const service = createLightService(
    { networkId, begin: genesisTrust(genesis), ...trustOf(genesis) },
    { wire, clock, log, accepts: opensslAccepts, keep: async () => undefined },
  )
  return createLightAccess({ service, network: networkView(one.network), clock, close: () => wire.stop() })
}

test('a light client is enough to open a lease, to avoid who is gone, and to be served', async () => {
  world = await startPayingWorld({ miners: [0, 1, 2, 2].map((first) => ({ first, end: first + 1 })) })
  const light = await startLight(world)
  expect(light.source).toBe('light')
  const generation = { ...GREEDY, maxTokens: 60 }
  const chat = await world.chat({ chain: light })
  const { tokens } = await collect(chat.ring, PROMPT, { generation })
  expect(tokens).toHaveLength(60)
  const { lots } = chat.payments!.lease!
  expect(lots.map(({ firstSegment }) => firstSegment)).toEqual([0, 1, 2])
  await chat.close()
  const tail = world.miners.find(({ operator }) => operator === lots[2]!.operator)!
  await tail.kill()
  const next = await world.chat({ chain: light })
  expect((await collect(next.ring, PROMPT, { generation })).tokens).toEqual(tokens)
  expect(next.payments!.lease!.lots[2]!.operator).not.toBe(tail.operator)
  await next.close()
  await light.close()
})
