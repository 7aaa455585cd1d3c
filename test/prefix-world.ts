/**
 * Sessions at one stage over an engine whose outputs tell of all rows before them (prefix-host.ts), and where what they leave is kept. Each run is compared
 * with what the engine would give.
 * @module
 */
import { expect } from 'vitest'
import { createPrefixShelf, type PrefixBounds, type PrefixShelf } from '../src/app/ring/prefix-shelf.ts'
import type { TokenStep } from '../src/app/ring/prompt-steps.ts'
import { createRecallPace } from '../src/app/ring/recall-pace.ts'
import { createSessionCache, type SessionCache } from '../src/app/ring/session-cache.ts'
import { PREFIX_LIMITS } from '../src/base/prefix-limits.ts'
import { floatBytes } from '../src/ml/digest.ts'
import { createFakeClock } from './fake-clock.ts'
import { createPrefixHost, PART, type PrefixHost, rowOut, WIDTH } from './prefix-host.ts'

export const BOUNDS: PrefixBounds = { ...PREFIX_LIMITS, parkedRowsMin: 2 }
export const DONE = Promise.resolve()

export const PLACES = {
  first: { isFirst: true, isTail: false },
  middle: { isFirst: false, isTail: false },
  tail: { isFirst: false, isTail: true },
  alone: { isFirst: true, isTail: true },
}
export type PlaceName = keyof typeof PLACES

export interface World {
  readonly clock: ReturnType<typeof createFakeClock>
  readonly host: PrefixHost
  readonly shelf: PrefixShelf
  open(client: string, capacity?: number): Promise<Session>
}

/** A session, and what it has said. */
export interface Session {
  readonly cache: SessionCache
  text: number[]
  /** Runs a step over these rows; gives how many were not computed. */
  run(kind: 'prompt' | 'last' | 'decode', position: number, rows: readonly number[]): Promise<number>
}

/** `paced`: what is recalled goes out for nothing. */
export function worldAt(name: PlaceName, bounds: PrefixBounds = BOUNDS, paced = false): World {
  const place = PLACES[name]
  const clock = createFakeClock()
  const host = createPrefixHost({ hasHead: place.isTail })
  const shelf = createPrefixShelf(bounds, { clock })
  const pace = paced ? createRecallPace(bounds, { clock }) : undefined
  return {
    ...{ clock, host, shelf },
    async open(client, capacity = 100) {
      const space = shelf.placeFor({ client, host, part: PART })
      const opened = { host, cache: await host.openCache(capacity), capacity, part: PART }
      return sessionOn(createSessionCache({ ...opened, place, hiddenSize: WIDTH, shelf: space, pace }), place.isTail)
    },
  }
}

function sessionOn(cache: SessionCache, isTail: boolean): Session {
  const session: Session = {
    ...{ cache, text: [] },
    async run(kind, position, rows) {
      const logits = kind === 'prompt' ? 'none' : kind === 'last' ? 'last' : 'all'
      const run = await cache.run(stepOf(kind !== 'decode', position, rows), { logits }, DONE)
      if (run.output.type === 'failed') throw run.output.error
      const text = [...session.text.slice(0, position), ...rows]
      session.text = text
      const outputs = rows.map((_row, index) => rowOut(text.slice(0, position + index + 1)))
      const shown = { prompt: [], last: outputs.slice(-1), decode: outputs }[kind]
      expect([...run.output.values]).toEqual((isTail ? shown : outputs).flat())
      expect(run.computeMs + run.recalledMs).toBeCloseTo(rows.length, 6)
      return run.recalledRows
    },
  }
  return session
}

export function stepOf(acknowledge: boolean, position: number, rows: readonly number[]): TokenStep {
  const values = Float32Array.from(rows.flatMap((row) => [row, 0]))
  const rest = { type: 'step', turn: 1, sample: !acknowledge, generation: undefined } as const
  return { ...rest, position, acknowledge, tokens: Int32Array.from(rows), rows: floatBytes(values) }
}

export const TEXT = Array.from({ length: 30 }, (_, index) => index % 7)
