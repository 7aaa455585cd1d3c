/**
 * A light client between an honest full node and a peer that takes questions and never answers.
 * @module
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { provedTransaction } from '../../src/app/light/light-blocks.ts'
import { createLightService, type LightService } from '../../src/app/light/light-service.ts'
import { genesisTrust, trustOf } from '../../src/app/light/open-light.ts'
import { opensslAccepts } from '../../src/app/openssl-verify.ts'
import { createSystem } from '../../src/app/system.ts'
import { hash, milliseconds, peerId } from '../../src/base/brand.ts'
import { LIGHT_LIMITS } from '../../src/base/chain-limits.ts'
import type { Clock } from '../../src/base/ports.ts'
import { CHAIN_PROTOCOL, CHAIN_PROTOCOL_OPTIONS } from '../../src/net/protocols/chain.ts'
import type { Wire } from '../../src/net/wire.ts'
import { type OneNode, startOneNode } from './one-node.ts'

let one: OneNode
let silent: Wire
/** Questions to the silent peer. */
let asked = 0
let laterMs = 0
let deadline = (): void => undefined

const system = createSystem({ level: 'silent' })
/** Its deadlines pass when the silent peer has been asked, and never else. */
const clock: Clock = {
  ...system.clock,
  now: () => milliseconds(system.clock.now() + laterMs),
  schedule: (_delayMs, task) => {
    deadline = task
    return () => undefined
  },
}

beforeAll(async () => {
  one = await startOneNode({ issuancePerBlock: 0n })
  await one.reached(2)
  silent = one.memory.createMemoryWire({ peer: peerId('silent'), listen: true })
  await silent.handle(CHAIN_PROTOCOL, CHAIN_PROTOCOL_OPTIONS, async (channel) => {
    await channel.receive()
    asked++
    deadline()
  })
})
afterAll(() => Promise.all([silent.stop(), one.stop()]))

async function startLight(name: string, wires: readonly Wire[]): Promise<{ service: LightService; wire: Wire }> {
  const wire = one.memory.createMemoryWire({ peer: peerId(name), listen: false })
  for (const other of wires) await wire.connect(other.addresses()[0]!)
  const { networkId, genesis } = one.network
  const service = createLightService(
    { networkId, begin: genesisTrust(genesis), ...trustOf(genesis) },
    { wire, clock, log: system.log, accepts: opensslAccepts, keep: async () => undefined },
  )
  return { service, wire }
}

test('who gave no answer in time is asked again only when a while has passed', async () => {
  const { service, wire } = await startLight('between', [silent, one.wire])
  const unknown = { networkId: one.network.networkId, id: hash('ab'.repeat(32)) }
  const before = asked
  for (let round = 0; round < 3; round++) {
    expect((await service.state(new Uint8Array(1))).header.height).toBeGreaterThan(0)
    expect(await provedTransaction(service, unknown)).toBeUndefined()
    expect(await service.askEach({ type: 'state', key: new Uint8Array(1) })).toHaveLength(1)
  }
  expect(asked).toBe(before + 1)
  laterMs += LIGHT_LIMITS.silentMs
  expect(await provedTransaction(service, unknown)).toBeUndefined()
  expect(asked).toBe(before + 2)
  expect(service.lies).toEqual([])
  await wire.stop()
})

test('where nobody else answers, it is asked each time', async () => {
  const { service, wire } = await startLight('alone', [silent])
  const before = asked
  for (const times of [1, 2]) {
    await expect(service.state(new Uint8Array(1))).rejects.toMatchObject({ code: 'LIGHT_NO_PEER' })
    expect(asked).toBe(before + times)
  }
  await wire.stop()
})
