/** What failures of a ring say of its lease and its miners. */
import { expect, test } from 'vitest'
import { faultOf, requiresLease } from '../../../../src/app/market/client-faults.ts'
import { leaseError } from '../../../../src/app/market/lease-error.ts'
import type { OpenLease } from '../../../../src/app/market/lease-source.ts'
import { peerOfPublicKey } from '../../../../src/app/node-identity.ts'
import { badMessage, linkLost, RingError, stageFailed, stageLost } from '../../../../src/app/ring/ring-error.ts'
import { accountId } from '../../../../src/base/brand.ts'
import { keyPairFromSecret } from '../../../../src/core/ed25519.ts'
import { createMemoryNetwork } from '../../../../src/net/memory-network.ts'
import { WireError } from '../../../../src/net/wire.ts'
import { createFakeClock } from '../../../fake-clock.ts'
import { keptLease } from '../../../kept-lease.ts'

const KEYS = [1, 2, 3].map((number) => keyPairFromSecret(new Uint8Array(32).fill(number)).publicKey)
const PEERS = KEYS.map(peerOfPublicKey)
const [anyLot] = keptLease().opened!.lots
const lease = {
  ...keptLease(),
  ...keptLease().opened!,
  lots: KEYS.map((peerKey, index) => ({ ...anyLot!, peerKey, operator: accountId(`0${index}`.repeat(20)) })),
} as OpenLease

/** The third miner is gone; the others answer. */
async function world() {
  const network = createMemoryNetwork()
  const wire = network.createMemoryWire({ listen: false })
  for (const peer of PEERS) await wire.connect(network.createMemoryWire({ listen: true, peer }).addresses()[0]!)
  network.kill(PEERS[2]!)
  return { wire, clock: createFakeClock() }
}

const told = (code: string, stage = 1) => stageFailed(stage, { code, message: 'No.' })
const unreachable = (peer: string) => new WireError('WIRE_PEER_UNREACHABLE', 'Gone.', { details: { peer } })

test.each<[what: string, failure: unknown, kind: string | undefined, culprits: number[]]>([
  ['a lease that is over', told('LEASE_EXPIRED'), 'over', []],
  ['a lease that somebody else uses', told('LEASE_TAKEN_OVER'), 'over', []],
  ['a lease of another route', told('LEASE_OTHER_ROUTE'), 'over', []],
  ['a miner that knows no such lease', told('LEASE_UNKNOWN', 2), 'unknown', [2]],
  ['a miner that has lost its records', told('LEASE_BEHIND', 0), 'miner', [0]],
  ['a miner without room', told('LEASE_NO_ROOM'), 'miner', [1]],
  ['a miner that does not serve it', told('RING_MODEL_NOT_SERVED'), 'miner', [1]],
  ['a full miner', told('RING_BUSY'), 'miner', [1]],
  ['a peer that nobody reaches', unreachable(PEERS[1]!), 'ring', [1]],
  ['a peer that closed the session', stageLost(0, PEERS[0]!, 'went away'), 'ring', [0]],
  ['a link that broke, as the client sees it', linkLost({ number: 2, peer: PEERS[1]! }), 'ring', [1]],
  ['a link that broke, as a stage tells it', told('RING_LINK_LOST', 0), 'ring', [2]],
  ['a ring that is silent', new RingError('RING_STEP_DEADLINE', 'Silent.'), 'ring', [2]],
  ['an unpaid stage', told('LEASE_UNPAID'), 'ring', [2]],
  ['a wire that stopped', new WireError('WIRE_STOPPED', 'Stopped.'), 'ring', [2]],
  ['rows that a stage was sent and that are no numbers', told('ENGINE_NOT_FINITE'), 'miner', [0, 1]],
  ['what stage 1 was sent against the rules', told('RING_BAD_MESSAGE', 0), 'miner', [2, 0]],
  ['a tail that lies', badMessage('Out of order.'), undefined, []],
  ['a voucher that a stage cannot read', told('CODEC_TRUNCATED'), undefined, []],
  ['no session without a lease', told('LEASE_REQUIRED'), undefined, []],
  ['a lease that pays for no more', leaseError('LEASE_SPENT'), 'over', []],
  ['a bug', new Error('bug'), undefined, []],
])('%s', async (_what, failure, kind, culprits) => {
  const fault = await faultOf(failure, lease, await world())
  expect(fault?.kind).toBe(kind)
  expect((fault?.culprits ?? []).map((lot) => lease.lots.indexOf(lot))).toEqual(culprits)
})

test('only a stage that asks for a lease is told from others', () => {
  expect(requiresLease(told('LEASE_REQUIRED', 2))).toBe(3)
  expect(requiresLease(told('LEASE_EXPIRED', 2))).toBeUndefined()
  expect(requiresLease(leaseError('LEASE_REQUIRED'))).toBeUndefined()
  expect(requiresLease(new Error('LEASE_REQUIRED'))).toBeUndefined()
})
