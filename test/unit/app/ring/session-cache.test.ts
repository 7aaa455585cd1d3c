import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { keysOf } from '../../../../src/app/ring/prefix-keys.ts'
import { milliseconds } from '../../../../src/base/brand.ts'
import { floatBytes } from '../../../../src/ml/digest.ts'
import { WIDTH } from '../../../prefix-host.ts'
import { BOUNDS, DONE, PLACES, type PlaceName, type Session, stepOf, TEXT, worldAt } from '../../../prefix-world.ts'

describe.each<PlaceName>(['first', 'middle', 'tail', 'alone'])('at a stage that is %s', (name) => {
  /** Of a prompt's last step the tail computes its last row at least. */
  const least = PLACES[name].isTail ? 1 : 0

  test('a prompt is computed once for a client, however it is cut, and its answer too', async () => {
    const { open, host } = worldAt(name)
    const first = await open('a')
    await first.run('prompt', 0, TEXT.slice(0, 12))
    await first.run('last', 12, TEXT.slice(12, 20))
    await first.run('decode', 20, [4])
    await first.run('decode', 21, [5, 6])
    await first.cache.end()
    const second = await open('a')
    host.computed = 0
    expect(await second.run('prompt', 0, TEXT.slice(0, 5))).toBe(5)
    expect(await second.run('prompt', 5, TEXT.slice(5, 20))).toBe(15)
    expect(await second.run('last', 20, [4, 5, 6])).toBe(3 - least)
    expect(host.computed).toBe(least)
    expect(await second.run('decode', 23, [1])).toBe(0)
    await second.cache.end()
  })

  test('an answer is remembered token by token, also where one is drawn again', async () => {
    const { open, host } = worldAt(name)
    const first = await open('a')
    await first.run('last', 0, [7, 8])
    const text = Array.from({ length: 40 }, (_, index) => index + 1)
    for (const [index, token] of text.entries()) {
      await first.run('decode', 2 + index, [token])
      // Some were drafts that were wrong.
      if (index % 7 === 3) await first.run('decode', index, [text[index - 2]!, text[index - 1]!, token])
    }
    await first.cache.end()
    const second = await open('a')
    host.computed = 0
    expect(await second.run('last', 0, [7, 8, ...text])).toBe(42 - least)
    expect(host.computed).toBe(least)
  })

  test('another client computes all of it', async () => {
    const { open } = worldAt(name)
    const first = await open('a')
    await first.run('last', 0, TEXT)
    await first.cache.end()
    expect(await (await open('b')).run('last', 0, TEXT)).toBe(0)
    expect(await (await open('a')).run('last', 0, TEXT)).toBe(TEXT.length - least)
  })

  test('what differs is computed, and all behind it', async () => {
    const { open } = worldAt(name)
    const first = await open('a')
    await first.run('last', 0, TEXT)
    await first.cache.end()
    const second = await open('a')
    const other = TEXT.map((one, index) => (index === 9 ? one + 1 : one))
    expect(await second.run('last', 0, other)).toBe(9)
    expect(await second.run('last', 0, other)).toBe(TEXT.length - least)
    // The first one is still kept.
    expect(await second.run('last', 8, TEXT.slice(8))).toBe(TEXT.length - 8 - least)
  })

  test('of several conversations the one goes on that agrees longest, also where that shows late', async () => {
    const { open, host } = worldAt(name)
    for (const last of [1, 2, 3]) {
      const session = await open('a')
      await session.run('last', 0, [...TEXT.slice(0, 10), last, 9, 9])
      await session.cache.end()
    }
    const again = await open('a')
    expect(await again.run('prompt', 0, TEXT.slice(0, 6))).toBe(6)
    expect(await again.run('last', 6, [...TEXT.slice(6, 10), 2, 9, 9, 9])).toBe(7)
    await again.cache.end()
    // The one that went on has taken the place of the one that it began with.
    expect(host.open.size).toBe(3)
  })
})

test('a row that differs in one bit is another row', () => {
  const rows = floatBytes(Float32Array.of(1, 2, 3, 4))
  const known = keysOf({ tokens: new Int32Array(2), rows }, false)
  for (let bit = 0; bit < rows.length * 8; bit++) {
    const changed = rows.slice()
    changed[bit >> 3]! ^= 1 << (bit & 7)
    const keys = keysOf({ tokens: new Int32Array(2), rows: changed }, false)
    const row = bit < rows.length * 4 ? 0 : 8
    expect(keys.subarray(row, row + 8)).not.toEqual(known.subarray(row, row + 8))
    expect(keys.subarray(8 - row, 16 - row)).toEqual(known.subarray(8 - row, 16 - row))
  }
})

test('a session goes on only where it was itself, although its cache has more', async () => {
  const { open } = worldAt('middle')
  const first = await open('a')
  await first.run('prompt', 0, TEXT)
  await first.cache.end()
  const second = await open('a')
  expect(await second.run('prompt', 0, TEXT.slice(0, 4))).toBe(4)
  await expect(second.run('prompt', 5, TEXT.slice(5))).rejects.toMatchObject({ code: 'ENGINE_BAD_POSITION' })
})

test('a smaller cache takes over what it has room for', async () => {
  const { open } = worldAt('middle')
  const first = await open('a')
  await first.run('prompt', 0, TEXT)
  await first.cache.end()
  const small = await open('a', 10)
  expect(await small.run('prompt', 0, TEXT.slice(0, 10))).toBe(10)
  expect(await small.run('prompt', 3, [1, 2, 3])).toBe(0)
})

test('what fails is forgotten', async () => {
  const { open, host, shelf } = worldAt('middle')
  const session = await open('a')
  await session.run('prompt', 0, TEXT)
  host.fails = true
  await expect(session.run('prompt', 30, [1])).rejects.toMatchObject({ code: 'ENGINE_NOT_FINITE' })
  await session.cache.end()
  expect([shelf.parked, host.open.size]).toEqual([0, 0])
})

test('what is recalled waits for what was run before', async () => {
  const { open } = worldAt('first')
  const first = await open('a')
  await first.run('prompt', 0, TEXT)
  await first.cache.end()
  const { cache } = await open('a')
  const gate = Promise.withResolvers<void>()
  const order: string[] = []
  const run = cache.run(stepOf(true, 0, TEXT), { logits: 'none' }, gate.promise).then(() => order.push('recalled'))
  await new Promise((resolve) => setImmediate(resolve))
  order.push('passed on')
  gate.resolve()
  await run
  expect(order).toEqual(['passed on', 'recalled'])
})

const rows = fc.array(fc.nat(1), { minLength: 1, maxLength: 8 })
const act = fc.oneof(
  { weight: 1, arbitrary: fc.record({ type: fc.constant('open' as const), client: fc.constantFrom('a', 'b') }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('end' as const), which: fc.nat(3) }) },
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constantFrom('prompt' as const, 'last' as const, 'decode' as const),
      ...{ which: fc.nat(3), back: fc.oneof(fc.constant(0), fc.nat(20)), rows },
    }),
  },
)

test.each<PlaceName>(['first', 'middle', 'tail'])(
  'whatever sessions say, take back and leave, what comes out is what the engine would give: %s',
  async (name) => {
    await fc.assert(
      fc.asyncProperty(fc.array(act, { maxLength: 60 }), async (acts) => {
        const bounds = { ...BOUNDS, parkedMax: 4, parkedPerClientMax: 3, outputBytesMax: 90 * WIDTH * 4 }
        const world = worldAt(name, bounds)
        world.host.positionsMax = 7 * 40
        const open: Session[] = []
        for (const step of acts) {
          if (step.type === 'open') {
            if (open.length < 4) open.push(await world.open(step.client, 40))
          } else if (step.type === 'end') await open.splice(step.which, 1)[0]?.cache.end()
          else {
            const session = open[step.which]
            const position = Math.max(0, (session?.text.length ?? 0) - step.back)
            if (session && position + step.rows.length <= 40) await session.run(step.type, position, step.rows)
          }
        }
        for (const { cache } of open) await cache.end()
        expect(world.host.open.size).toBe(world.shelf.parked)
        await world.shelf.close()
        expect(world.host.open.size).toBe(0)
      }),
      { numRuns: 150 },
    )
  },
)

test('times are those that the rows took when they were computed', async () => {
  const { open, host } = worldAt('middle')
  const { run } = host
  host.run = async (step) => ({ ...(await run(step)), computeMs: milliseconds(60) })
  const first = (await open('a')).cache
  await first.run(stepOf(true, 0, TEXT), { logits: 'none' }, DONE)
  await first.end()
  const second = await (await open('a')).cache.run(stepOf(true, 0, [...TEXT.slice(0, 10), 9]), { logits: 'none' }, DONE)
  expect(second).toMatchObject({ recalledRows: 10, recalledMs: 20, computeMs: 60 })
})

describe('what goes out for nothing', () => {
  const WHOLE = TEXT.length * WIDTH * 4

  /** A world that passes on half of the text at once, the rest as slowly as `bytesPerSecond`; and a session of a client that has said all of it. */
  async function pacedAt(name: PlaceName, bytesPerSecond: number) {
    const bounds = { ...BOUNDS, unpaidBytesAtOnce: WHOLE / 2, unpaidBytesPerSecond: bytesPerSecond }
    const world = worldAt(name, bounds, true)
    const first = await world.open('a')
    await first.run('prompt', 0, TEXT)
    await first.cache.end()
    return { ...world, session: await world.open('a') }
  }

  test('is recalled at the pace of the miner', async () => {
    // Half of the text in ten milliseconds; its rows took one each.
    const { session, clock } = await pacedAt('middle', 50 * WHOLE)
    let isOver = false
    const run = session.run('prompt', 0, TEXT).finally(() => {
      isOver = true
    })
    await new Promise((resolve) => setImmediate(resolve))
    clock.advance(9)
    await new Promise((resolve) => setImmediate(resolve))
    expect(isOver).toBe(false)
    clock.advance(1)
    expect(await run).toBe(TEXT.length)
  })

  test.each<[PlaceName, number]>([
    ['first', 15],
    ['middle', 15],
    ['tail', 30],
  ])('is computed where that is faster, but nothing goes out of the tail: %s', async (name, recalled) => {
    const { session } = await pacedAt(name, 1)
    expect(await session.run('prompt', 0, TEXT.slice(0, 15))).toBe(15)
    expect(await session.run('prompt', 15, TEXT.slice(15))).toBe(recalled - 15)
  })

  test('keeps no session that ends', async () => {
    const { session, host, shelf } = await pacedAt('middle', 50 * WHOLE)
    const run = session.run('prompt', 0, TEXT)
    await new Promise((resolve) => setImmediate(resolve))
    await Promise.all([expect(run).rejects.toMatchObject({ code: 'RING_CLOSED' }), session.cache.end()])
    expect(host.open.size).toBe(shelf.parked)
  })
})
