/** Sessions of several clients at once, over an engine that answers in any order, with memory for some of them. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { codeOf } from '../../../../src/base/error.ts'
import type { PrefixHost } from '../../../prefix-host.ts'
import { WIDTH } from '../../../prefix-host.ts'
import { BOUNDS, type PlaceName, type Session, type World, worldAt } from '../../../prefix-world.ts'

const CAPACITY = 40

/** Each thing that the engine is asked for comes when the scheduler wants it. */
function inAnyOrder(host: PrefixHost, scheduler: fc.Scheduler): void {
  const { openCache, closeCache, shareCache, run } = host
  const turn = () => scheduler.schedule(Promise.resolve())
  Object.assign(host, {
    openCache: async (...asked: Parameters<typeof openCache>) => turn().then(() => openCache(...asked)),
    closeCache: async (...asked: Parameters<typeof closeCache>) => turn().then(() => closeCache(...asked)),
    shareCache: async (...asked: Parameters<typeof shareCache>) => turn().then(() => shareCache(...asked)),
    run: async (...asked: Parameters<typeof run>) => turn().then(() => run(...asked)),
  } satisfies Partial<PrefixHost>)
}

const act = fc.record({
  type: fc.constantFrom('prompt' as const, 'prompt' as const, 'last' as const, 'decode' as const),
  back: fc.oneof(fc.constant(0), fc.nat(20)),
  rows: fc.array(fc.nat(1), { minLength: 1, maxLength: 8 }),
})
/** The last step is not waited for when the session ends. */
const story = fc.record({
  client: fc.constantFrom('a', 'b'),
  acts: fc.array(act, { maxLength: 6 }),
  endsEarly: fc.boolean(),
})
type Story = typeof story extends fc.Arbitrary<infer Told> ? Told : never

async function live(world: World, { client, acts, endsEarly }: Story): Promise<void> {
  let session: Session
  try {
    session = await world.open(client, CAPACITY)
  } catch (error) {
    // That others take the memory is no failure of this one.
    if (codeOf(error) === 'ENGINE_OUT_OF_MEMORY') return
    throw error
  }
  for (const [index, { type, back, rows }] of acts.entries()) {
    const position = Math.max(0, session.text.length - back)
    if (position + rows.length > CAPACITY) continue
    const run = session.run(type, position, rows)
    if (endsEarly && index === acts.length - 1) {
      await Promise.all([run, session.cache.end()])
      return
    }
    await run
  }
  await session.cache.end()
}

test.each<[PlaceName, 'stays' | 'leaves' | 'closes']>([
  ['first', 'stays'],
  ['middle', 'leaves'],
  ['tail', 'closes'],
])(
  'what comes out is what the engine would give, and nothing stays behind: %s, and the engine %s',
  async (name, how) => {
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.array(fc.array(story, { maxLength: 4 }), { minLength: 2, maxLength: 4 }),
        async (scheduler, lives) => {
          const bounds = { ...BOUNDS, parkedMax: 3, parkedPerClientMax: 2, outputBytesMax: 90 * WIDTH * 4 }
          const world = worldAt(name, bounds)
          world.host.positionsMax = 5 * CAPACITY
          inAnyOrder(world.host, scheduler)
          const all = lives.map(async (stories) => {
            for (const one of stories) await live(world, one)
          })
          if (how === 'leaves')
            all.push(scheduler.schedule(Promise.resolve()).then(() => world.shelf.leave(world.host)))
          if (how === 'closes') all.push(scheduler.schedule(Promise.resolve()).then(() => world.shelf.close()))
          await scheduler.waitFor(Promise.all(all))
          expect(world.host.open.size).toBe(world.shelf.parked)
          expect(world.shelf.parked).toBeLessThanOrEqual(how === 'stays' ? 3 : 0)
          await scheduler.waitFor(world.shelf.close())
          expect(world.host.open.size).toBe(0)
        },
      ),
      { numRuns: 120 },
    )
  },
)
