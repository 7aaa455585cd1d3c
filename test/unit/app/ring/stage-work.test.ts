import { expect, test } from 'vitest'
import type { StageLease } from '../../../../src/app/market/stage-lease.ts'
import { placeIn } from '../../../../src/app/ring/ring-place.ts'
import type { SessionCache } from '../../../../src/app/ring/session-cache.ts'
import { createSessionTimers } from '../../../../src/app/ring/session-timers.ts'
import { createSessionTurns } from '../../../../src/app/ring/session-turns.ts'
import { createStageWork, type StageWork } from '../../../../src/app/ring/stage-work.ts'
import { accountId, hash, peerId, sessionId } from '../../../../src/base/brand.ts'
import type { StageMessageOf } from '../../../../src/net/protocols/stage.ts'
import { createFakeClock } from '../../../fake-clock.ts'
import { WIDTH } from '../../../prefix-host.ts'
import { stepOf, TEXT, worldAt } from '../../../prefix-world.ts'

const OPEN: StageMessageOf<'open'> = {
  ...{ type: 'open', session: sessionId('ab'.repeat(16)), model: hash('ab'.repeat(32)), capacity: 100, stageIndex: 1 },
  stages: [0, 1].map((index) => {
    return { peer: peerId(`12D3KooW${index}`), addresses: [], firstSegment: index, lastSegment: index + 1 }
  }),
}

/** A lease that pays for all at once. */
const PAYING: StageLease = {
  ...{ payer: accountId('ee'.repeat(20)), receiptRows: 256 },
  begin: async () => () => undefined,
  ...{ forget: () => undefined, rowsAt: (_position, wanted) => wanted, recheck: () => undefined },
  ...{ onVoucher: () => undefined, onCountersignature: () => undefined, close: async () => undefined },
}

interface Tail {
  readonly work: StageWork
  /** Of each run of the cache, what it was told of the runs before. */
  readonly earlier: Promise<unknown>[]
  isClosed: boolean
}

async function tailWith(lease: StageLease | undefined): Promise<Tail> {
  const { cache } = await worldAt('tail').open('a')
  const clock = createFakeClock()
  const run: SessionCache['run'] = (step, logits, before) => {
    tail.earlier.push(before)
    return cache.run(step, logits, before)
  }
  const work = createStageWork(
    {
      ...{ open: OPEN, place: placeIn(OPEN), cache: { ...cache, run }, lease },
      ...{ hiddenSize: WIDTH, vocabularySize: WIDTH, endTokens: [] },
      ...{ turns: createSessionTurns(lease !== undefined), timers: createSessionTimers(clock, () => undefined) },
      ...{ isClosed: () => tail.isClosed, next: () => undefined, toClient: () => undefined },
      start: () => undefined,
    },
    { clock },
  )
  const tail: Tail = { work, earlier: [], isClosed: false }
  return tail
}

const step = (position: number) => ({ ...stepOf(true, position, TEXT), sample: false })

test('a step that is paid when its session has just ended does not begin', async () => {
  const tail = await tailWith(PAYING)
  const run = tail.work.run(step(0))
  tail.isClosed = true
  await run
  expect(tail.earlier).toHaveLength(0)
})

test('a session keeps nothing of the steps that it has passed on', async () => {
  const tail = await tailWith(undefined)
  for (let count = 0; count < 3; count++) await tail.work.run(step(count * TEXT.length))
  expect(await Promise.all(tail.earlier)).toEqual([undefined, undefined, undefined])
})
