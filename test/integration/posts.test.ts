/** Posts of a running miner: several at once, moved and given up while sessions run, and nobody is refused who can go elsewhere. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { RingSession } from '../../src/app/ring/ring-session.ts'
import type { Route } from '../../src/app/ring/route.ts'
import { milliseconds } from '../../src/base/brand.ts'
import { DEADLINES, SESSION_LIMITS } from '../../src/base/limits.ts'
import { generator } from '../contract/random-model.ts'
import { until } from '../fake-clock.ts'
import { createPostsWorld, type KeepingMiner, NEVER, ONE, OTHER, type PostsWorld, wishOf } from './posts-world.ts'
import { collect, GREEDY } from './ring-world.ts'

const GENERATION = { generation: { ...GREEDY, maxTokens: 4 } }
const PROMPT = [1, 2, 3]
/** Long enough for all offers to have died, and the looks after it. */
const LATER_MS = DEADLINES.offerMs + 10_000

let world: PostsWorld
beforeEach(() => {
  world = createPostsWorld()
})
afterEach(() => world.close())

type Answer = Awaited<ReturnType<typeof collect>>

async function turn(session: RingSession): Promise<Answer> {
  return collect(session, PROMPT, GENERATION)
}

/** Two turns of one session on miners that never change. */
async function calm(model: typeof ONE): Promise<readonly [Answer, Answer]> {
  const quiet = createPostsWorld()
  await quiet.start([wishOf(model, 0, 3)])
  const session = await quiet.open(await quiet.route(model))
  const answers = [await turn(session), await turn(session)] as const
  await session.close()
  await quiet.close()
  return answers
}

function runsOf({ stages }: Route): string[] {
  return stages.map(({ firstSegment, lastSegment }) => `${firstSegment}-${lastSegment}`)
}

describe('a miner of two models', () => {
  test('offers both, and each gives the bits of a miner that has it alone', async () => {
    const { miner } = await world.start([wishOf(ONE, 0, 3), wishOf(OTHER, 0, 3)])
    const told = (await world.offers()).map(({ modelName, firstSegment, lastSegment }) => {
      return [modelName, firstSegment, lastSegment]
    })
    expect(told).toEqual([
      ['one', 0, 3],
      ['other', 0, 3],
    ])
    const [one, other] = [await world.open(await world.route(ONE)), await world.open(await world.route(OTHER))]
    const answers = await Promise.all([turn(one), turn(other)])
    expect(answers).toEqual([(await calm(ONE))[0], (await calm(OTHER))[0]])
    expect(answers[0]).not.toEqual(answers[1])
    await one.close()
    await other.close()
    await until(() => miner.server.sessionCount === 0, 'both have ended')
  })

  test('keeps places free for the model that nobody asks, and has many for the one that all ask', async () => {
    const { miner } = await world.start([wishOf(ONE, 0, 3), wishOf(OTHER, 0, 3)])
    const route = await world.route(ONE)
    const sessions: RingSession[] = []
    const most = (SESSION_LIMITS.sessionsMax * 3) / 4
    for (let count = 0; count < most; count++) sessions.push(await world.open(route))
    await expect(world.open(route)).rejects.toMatchObject({ details: { stageCode: 'RING_BUSY' } })
    expect(miner.status().offers.map(({ offer }) => offer.sessionsFree)).toEqual([0, SESSION_LIMITS.sessionsMax / 4])
    const other = await world.open(await world.route(OTHER))
    expect(await turn(other)).toEqual((await calm(OTHER))[0])
    for (const session of [...sessions, other]) await session.close()
  })

  test('is not given more than its memory', async () => {
    const bytes = ONE.manifest.segments.reduce((sum, { shard }) => sum + shard.bytes, 0)
    const cache = 1 << 26
    const { keeper, opened } = await world.start([wishOf(ONE, 0, 3)], cache + bytes + 1)
    await expect(keeper.open(wishOf(OTHER, 0, 3), NEVER)).rejects.toMatchObject({ code: 'POST_NO_MEMORY' })
    expect(opened).toEqual(['one 0-3'])
    expect(runsOf(await world.route(ONE))).toEqual(['0-3'])
  })
})

describe('a miner that moves', () => {
  test('ends no session: it goes on where it began, bit for bit, and new ones go to the new post', async () => {
    const [moving] = [await world.start([wishOf(ONE, 0, 3)]), await world.start([wishOf(ONE, 0, 1)])]
    const before = await world.open(await world.route(ONE))
    const first = await turn(before)
    await moving.move(wishOf(ONE, 1, 3))
    expect(runsOf(await world.route(ONE))).toEqual(['0-1', '1-3'])
    const after = await world.open(await world.route(ONE))
    const moved = await turn(after)
    // Its offers have died, and it still serves whom it has.
    world.clock.advance(LATER_MS)
    const second = await turn(before)
    expect([first, second, moved]).toEqual([...(await calm(ONE)), first])
    expect(moving.closed).toEqual([])
    await before.close()
    await until(() => moving.closed.length === 1, 'the old engine is closed')
    expect({ opened: moving.opened, closed: moving.closed }).toEqual({
      opened: ['one 0-3', 'one 1-3'],
      closed: ['one 0-3'],
    })
    await after.close()
  })

  test('serves who heard its offer before, until that offer has died', async () => {
    const moving = await world.start([wishOf(ONE, 0, 3)])
    await world.start([wishOf(ONE, 0, 3)])
    const heard: Route = {
      ...(await world.route(ONE)),
      stages: [{ peer: moving.wire.peer, addresses: moving.wire.addresses(), firstSegment: 0, lastSegment: 3 }],
    }
    await moving.move(wishOf(ONE, 1, 2))
    world.clock.advance(DEADLINES.offerMs - 1_000)
    const late = await world.open(heard)
    expect(await turn(late)).toEqual((await calm(ONE))[0])
    await late.close()
    world.clock.advance(LATER_MS)
    await until(() => moving.closed.length === 1, 'the old post is gone')
    await expect(world.open(heard)).rejects.toMatchObject({ details: { stageCode: 'RING_MODEL_NOT_SERVED' } })
  })

  test('goes back to a post that is not gone yet without loading it again', async () => {
    const moving = await world.start([wishOf(ONE, 0, 3)])
    await moving.move(wishOf(ONE, 1, 3))
    await moving.move(wishOf(ONE, 0, 3))
    expect(moving.opened).toEqual(['one 0-3', 'one 1-3'])
    expect(moving.keeper.find(ONE.hash)).toMatchObject({ firstSegment: 0, lastSegment: 3 })
    world.clock.advance(LATER_MS)
    await until(() => moving.closed.length === 1, 'the other one is gone')
    expect(moving.closed).toEqual(['one 1-3'])
    expect(runsOf(await world.route(ONE))).toEqual(['0-3'])
  })

  test('gives up a post that nobody can come to without waiting for its offers', async () => {
    const { keeper, closed } = await world.start([wishOf(ONE, 0, 3), wishOf(OTHER, 0, 3)])
    const [one, other] = [keeper.find(ONE.hash)!, keeper.find(OTHER.hash)!]
    keeper.leave(one, async () => false)
    keeper.leave(other, async () => false, { isClosed: true })
    await keeper.gone(other, NEVER)
    expect(closed).toEqual(['other 0-3'])
  })

  test('keeps an old post for as long as it is needed', async () => {
    const { keeper, closed } = await world.start([wishOf(ONE, 0, 3), wishOf(OTHER, 0, 3)])
    let isNeeded = true
    keeper.leave(keeper.find(OTHER.hash)!, async () => isNeeded)
    for (let look = 0; look < 30; look++) {
      world.clock.advance(LATER_MS)
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(closed).toEqual([])
    isNeeded = false
    await until(() => {
      world.clock.advance(1_000)
      return closed.length === 1
    }, 'it is gone')
    expect(closed).toEqual(['other 0-3'])
  })
})

test('a session that never ends is ended when a post has been withdrawn for long', async () => {
  const { miner, keeper, closed } = await world.start([wishOf(ONE, 0, 3)])
  const session = await world.open(await world.route(ONE))
  await turn(session)
  const withdrawn = miner.withdraw(keeper.find(ONE.hash)!)
  await turn(session)
  expect(closed).toEqual([])
  world.clock.advance(milliseconds(SESSION_LIMITS.idleMsMax))
  await withdrawn
  expect(closed).toEqual(['one 0-3'])
  await expect(turn(session)).rejects.toThrow()
})

test.each([1, 2])(
  'three miners move at random, and who opens sessions all the time is never refused (seed %i)',
  async (seed) => {
    const choose = generator(seed)
    const [expected] = await calm(ONE)
    // One of each kind stays, so that there is a ring whatever the other two do.
    await world.start([wishOf(ONE, 0, 1), wishOf(OTHER, 0, 3)])
    await world.start([wishOf(ONE, 1, 3)])
    const moving: KeepingMiner[] = [await world.start([wishOf(ONE, 0, 3)]), await world.start([wishOf(ONE, 0, 2)])]
    const lasting: { readonly session: RingSession; turns: number }[] = []
    for (let round = 0; round < 14; round++) {
      const first = choose.integer(3)
      const last = first + 1 + choose.integer(3 - first)
      const going = moving[choose.integer(2)]!.move(wishOf(ONE, first, last))
      const session = await world.open(await world.route(ONE))
      expect(await turn(session)).toEqual(expected)
      if (choose.integer(3) === 0) lasting.push({ session, turns: 1 })
      else await session.close()
      await going
      world.clock.advance(choose.integer(25_000))
      const [oldest] = lasting.length > 3 ? lasting.splice(0, 1) : []
      if (oldest === undefined) continue
      expect((await turn(oldest.session)).tokens).toHaveLength(4)
      await oldest.session.close()
    }
    for (const { session } of lasting) await session.close()
    world.clock.advance(LATER_MS)
    await until(
      () => moving.every(({ opened, closed }) => opened.length - closed.length === 1),
      'one post is left each',
    )
  },
)
