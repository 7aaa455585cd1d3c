/** What a node that only follows is given while others of the same sender wait reaches who makes the blocks, proofs in bodies or not. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createNode, type FullNode } from '../../src/app/node/node.ts'
import { opensslAccepts } from '../../src/app/openssl-verify.ts'
import { peerId } from '../../src/base/brand.ts'
import { accountOf } from '../../src/core/fields.ts'
import { registerValidator } from '../../src/core/transaction/register-validator.ts'
import { transfer } from '../../src/core/transaction/transfer.ts'
import { proveValidatorKeys } from '../../src/core/validator-proofs.ts'
import type { Wire } from '../../src/net/wire.ts'
import { type Person, person, signCall } from '../chain-accounts.ts'
import { createSimDisk } from '../sim/disk.ts'
import { createMemoryStore } from '../sim/store.ts'
import { SYSTEM } from './node-world.ts'
import { DLLM, type OneNode, startOneNode } from './one-node.ts'

const sender = person(7)
/** There are twenty in a second; nodes ask each other every few seconds. */
const BLOCKS = 15
let one: OneNode
let follower: FullNode
let wire: Wire

beforeEach(async () => {
  one = await startOneNode()
  wire = one.memory.createMemoryWire({ peer: peerId('follower'), listen: false })
  const ports = { wire, store: createMemoryStore(), disk: createSimDisk(2).open(), accepts: opensslAccepts }
  follower = await createNode(
    { network: one.network, name: 'follower', keys: undefined, isNewKey: false },
    { ...SYSTEM, ...ports },
  )
  await wire.connect(one.wire.addresses()[0]!)
})

afterEach(async () => {
  await follower.stop()
  await wire.stop()
  await one.stop()
})

const pay = (from: Pick<Person, 'owner'>, to: Person, nonce: bigint, amount = DLLM): Uint8Array => {
  const body = { to: to.id, amount, memo: new Uint8Array(0) }
  return signCall(one.network.networkId, from as Person, { type: transfer.type, body, nonce })
}
const register = (nonce: bigint): Uint8Array => {
  const { networkId } = one.network
  const keys = proveValidatorKeys({ networkId, owner: sender.id }, sender.consensus, sender.seedSecret)
  return signCall(networkId, sender, { type: registerValidator.type, body: { ...keys, name: 'late' }, nonce })
}

test('several of one sender, the second with a proof that is looked at when its turn comes', async () => {
  const { access } = follower
  const rich = one.keys({ role: 'owner', account: 0 })
  expect(accountOf(rich.publicKey)).not.toBe(sender.id)
  await access.waitFor(await access.submit(pay({ owner: rich }, sender, 0n, 100n * DLLM)))
  const ids = []
  for (const bytes of [pay(sender, person(8), 0n), register(1n), pay(sender, person(8), 2n)]) {
    ids.push(await access.submit(bytes))
  }
  const heights: number[] = []
  for (const id of ids) heights.push((await access.waitFor(id)).height!)
  expect(heights).toEqual(heights.toSorted((a, b) => a - b))
  // Soon, and not when nodes next ask each other what they may have missed.
  expect(heights[2]! - heights[0]!).toBeLessThan(BLOCKS)
  expect((await one.chain.account(sender.id)).nonce).toBe('3')
})
