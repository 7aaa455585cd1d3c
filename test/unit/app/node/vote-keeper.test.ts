import { expect, test } from 'vitest'
import { openVoteKeeper } from '../../../../src/app/node/vote-keeper.ts'
import { hash } from '../../../../src/base/brand.ts'
import type { SignRecord } from '../../../../src/core/consensus/replica-port.ts'
import type { SignIdentity } from '../../../../src/core/consensus/sign-guard.ts'
import { decodeSignState } from '../../../../src/core/consensus/sign-record.ts'
import { createSimDisk } from '../../../sim/disk.ts'

const IDENTITY: SignIdentity = { networkId: hash('ab'.repeat(32)), publicKey: new Uint8Array(32).fill(7) }

function recordAt(round: number): SignRecord {
  return {
    request: { height: 4, round, step: 'prevote', digest: new Uint8Array(32).fill(round) },
    signature: new Uint8Array(64).fill(round),
    ...{ blockHash: undefined, locked: undefined, valid: undefined },
  }
}

test('a vote whose record was cut off before the sign state stands there before it is said again', async () => {
  const disk = createSimDisk(1)
  const keeper = await openVoteKeeper(disk.open(), IDENTITY, { isNewKey: true })
  await keeper.record(recordAt(0))
  // The vote file first, then the sign state.
  disk.plan(2, 'crash')
  await expect(keeper.record(recordAt(1))).rejects.toThrow('the power was cut')
  expect(decodeSignState(disk.peek('sign-state')!, IDENTITY).last).toMatchObject({ round: 0 })
  const { recovered } = await openVoteKeeper(disk.open(), IDENTITY, { isNewKey: false })
  expect(recovered.record?.request.round).toBe(1)
  expect(recovered.floor).toMatchObject({ height: 4, round: 1, step: 'prevote' })
  expect(decodeSignState(disk.peek('sign-state')!, IDENTITY).last).toMatchObject({ round: 1 })
})
