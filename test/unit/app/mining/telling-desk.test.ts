/** What a miner says of sessions that it refuses, and of those that do not pay. */
import { beforeEach, describe, expect, test } from 'vitest'
import type { LeaseDesk, LeaseHolder } from '../../../../src/app/market/lease-desk.ts'
import { leaseError } from '../../../../src/app/market/lease-error.ts'
import type { MiningEvent } from '../../../../src/app/mining/duty.ts'
import type { MiningMode } from '../../../../src/app/mining/mode.ts'
import { createTellingDesk } from '../../../../src/app/mining/telling-desk.ts'
import { hash, sessionId } from '../../../../src/base/brand.ts'
import type { StageMessageOf } from '../../../../src/net/protocols/stage.ts'
import { createFakeClock, type FakeClock } from '../../../fake-clock.ts'

const LEASE = hash('22'.repeat(32))
const FREE = {
  ...{ type: 'open', session: sessionId('0'.repeat(32)), stageIndex: 0, stages: [], model: hash('ab'.repeat(32)) },
  ...{ capacity: 8, lease: undefined },
} as unknown as StageMessageOf<'open'>
const PAID = { ...FREE, lease: { id: LEASE, proof: new Uint8Array(64), voucher: undefined } }

let events: MiningEvent[]
let clock: FakeClock
let mode: MiningMode
let failures: unknown[]
/** What the desk gave the session. */
let held: LeaseHolder | undefined
let refusal: Error | undefined
const holder: LeaseHolder = { fail: async (error) => void failures.push(error), toPrevious: () => undefined }

function desk(): LeaseDesk {
  const inner: Partial<LeaseDesk> = {
    async open(_open, given) {
      if (refusal !== undefined) throw refusal
      held = given
      return undefined
    },
  }
  const notes = { say: (event: MiningEvent) => void events.push(event) }
  return createTellingDesk(inner as LeaseDesk, { notes, clock, mode: () => mode })
}

beforeEach(() => {
  events = []
  clock = createFakeClock()
  mode = 'run'
  failures = []
  held = undefined
  refusal = undefined
})

test('a refusal is told with its code, each code once in ten seconds', async () => {
  const telling = desk()
  refusal = leaseError('LEASE_REQUIRED')
  for (const advance of [0, 9_999, 1]) {
    clock.advance(advance)
    await expect(telling.open(FREE, holder)).rejects.toBe(refusal)
  }
  refusal = leaseError('LEASE_NO_ROOM')
  await expect(telling.open(PAID, holder)).rejects.toBe(refusal)
  expect(events.map(({ type, details }) => [type, details])).toEqual([
    ['job-refused', { code: 'LEASE_REQUIRED' }],
    ['job-refused', { code: 'LEASE_REQUIRED' }],
    ['job-refused', { code: 'LEASE_NO_ROOM', lease: LEASE }],
  ])
})

describe.each<MiningMode>(['pause', 'drain'])('in mode %s', (held) => {
  test('sessions without a lease are refused, those of a lease are not', async () => {
    mode = held
    await expect(desk().open(FREE, holder)).rejects.toMatchObject({ code: 'RING_BUSY' })
    await expect(desk().open(PAID, holder)).resolves.toBeUndefined()
    expect(events.map(({ details }) => details)).toEqual([{ code: 'RING_BUSY' }])
  })
})

test.each([
  ['LEASE_UNPAID', 1],
  ['VOUCHER_REPLAYED', 1],
  ['LEASE_TAKEN_OVER', 0],
  ['LEASE_SPENT', 0],
  ['LEASE_EXPIRED', 0],
] as const)('a session that ends with %s is told %i times as unpaid, and ended in any case', async (code, times) => {
  await desk().open(PAID, holder)
  await held?.fail(leaseError(code))
  await held?.fail(new Error('the engine broke'))
  expect(failures).toHaveLength(2)
  expect(events.map(({ type, details }) => [type, details])).toEqual(
    Array.from({ length: times }, () => ['job-unpaid', { lease: LEASE, code }]),
  )
})
