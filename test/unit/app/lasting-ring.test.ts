import { describe, expect, test } from 'vitest'
import { createLastingRing } from '../../../src/app/chat/lasting-ring.ts'
import { leaseError } from '../../../src/app/market/lease-error.ts'
import { RingError, stageFailed } from '../../../src/app/ring/ring-error.ts'
import type { RingEvent, RingSession, TurnOptions } from '../../../src/app/ring/ring-session.ts'
import { codeOf } from '../../../src/base/error.ts'

const generation = { maxTokens: 5 } as TurnOptions['generation']
const lost = () => new RingError('RING_STAGE_LOST', 'Stage 1 went away.')

/** A ring that counts: the token at a position is the position. It breaks with `failure` after `tokensLeft` tokens. */
function countingRing(tokensLeft: number, failure: Error = lost()): RingSession & { prompts: number[][] } {
  const tokens: number[] = []
  const prompts: number[][] = []
  async function* generate(prompt: readonly number[], options: TurnOptions): AsyncGenerator<RingEvent, void, void> {
    prompts.push([...prompt])
    tokens.push(...prompt)
    for (let count = 0; count < options.generation.maxTokens; count++) {
      if (tokensLeft-- <= 0) throw failure
      tokens.push(tokens.length)
      yield { type: 'token', token: tokens.length - 1, position: tokens.length - 1, digest: undefined }
    }
    if (tokensLeft-- <= 0) throw failure
    yield { type: 'end', reason: 'max-tokens' }
  }
  const rest = { id: 'x', route: {}, statistics: async () => [], close: async () => undefined }
  return { ...rest, tokens, prompts, generate, rewind: () => undefined } as unknown as ReturnType<typeof countingRing>
}

async function turn(ring: RingSession, prompt: number[], signal?: AbortSignal): Promise<(number | string)[]> {
  const seen: (number | string)[] = []
  for await (const event of ring.generate(prompt, { generation, ...(signal ? { signal } : {}) })) {
    seen.push(event.type === 'token' ? event.token : event.reason)
  }
  return seen
}

/** A lasting ring over these rings, one after the other. */
function lasting(...rings: RingSession[]): { ring: RingSession; reopened: () => number } {
  let next = 1
  const reopen = async () => rings[next++]!
  return { ring: createLastingRing({ first: rings[0]!, reopen }), reopened: () => next - 1 }
}

const unbroken = [2, 3, 4, 5, 6, 'max-tokens']

test.each([0, 1, 3])('after a loss behind %i tokens the answer goes on where it was', async (tokens) => {
  const second = countingRing(99)
  const { ring, reopened } = lasting(countingRing(tokens), second)
  expect(await turn(ring, [0, 1])).toEqual(unbroken)
  expect(second.prompts).toEqual([[0, 1, ...unbroken.slice(0, tokens)]])
  expect(reopened()).toBe(1)
})

test('a lost end marker needs no other ring, and the next turn opens one with all tokens', async () => {
  const second = countingRing(99)
  const { ring, reopened } = lasting(countingRing(5), second)
  expect(await turn(ring, [0, 1])).toEqual(unbroken)
  expect(reopened()).toBe(0)
  expect(await turn(ring, [7])).toEqual([8, 9, 10, 11, 12, 'max-tokens'])
  expect(second.prompts).toEqual([[0, 1, 2, 3, 4, 5, 6, 7]])
})

test('what was said is not forgotten when a ring is lost before it has heard of it, and no other is found', async () => {
  const stillborn = countingRing(0)
  stillborn.generate = () => {
    throw lost()
  }
  const third = countingRing(99)
  const next: (() => RingSession)[] = [
    () => stillborn,
    () => {
      throw new RingError('RING_NO_ROUTE', 'No miner.')
    },
    () => third,
  ]
  const ring = createLastingRing({ first: countingRing(2), reopen: async () => next.shift()!() })
  await expect(turn(ring, [0, 1])).rejects.toMatchObject({ code: 'RING_NO_ROUTE' })
  expect(ring.tokens).toEqual([0, 1, 2, 3])
  ring.rewind(3)
  expect(ring.tokens).toEqual([0, 1, 2])
  expect(await turn(ring, [7])).toEqual([4, 5, 6, 7, 8, 'max-tokens'])
  expect(third.prompts).toEqual([[0, 1, 2, 7]])
})

test('a turn uses up four rings at most', async () => {
  const { ring, reopened } = lasting(...Array.from({ length: 6 }, () => countingRing(1)))
  await expect(turn(ring, [0, 1])).rejects.toThrow('went away')
  expect(reopened()).toBe(3)
})

test.each([
  ['a stage whose engine failed', new RingError('RING_STAGE_FAILED', 'NaN', { details: { stageCode: 'ENGINE_NAN' } })],
  ['a prompt that is too long', new RingError('RING_PROMPT_TOO_LONG', 'Too long.')],
  ['a bug', new Error('undefined is not a function')],
])('another ring does not help against %s', async (_case, failure) => {
  const { ring, reopened } = lasting(countingRing(2, failure), countingRing(99))
  await expect(turn(ring, [0, 1])).rejects.toBe(failure)
  expect(reopened()).toBe(0)
})

test('a stage that was idle for too long, or says that it shuts down, counts as lost', async () => {
  for (const stageCode of ['RING_SESSION_IDLE', 'RING_CLOSED', 'RING_LINK_LOST']) {
    const failure = new RingError('RING_STAGE_FAILED', 'Gone.', { details: { stageCode } })
    const { ring } = lasting(countingRing(0, failure), countingRing(99))
    expect(await turn(ring, [0, 1])).toEqual(unbroken)
  }
})

test('nothing is opened for somebody who has interrupted', async () => {
  const { ring, reopened } = lasting(countingRing(0), countingRing(99))
  await expect(turn(ring, [0, 1], AbortSignal.abort())).rejects.toThrow('went away')
  expect(reopened()).toBe(0)
})

describe('a lease that is spent', () => {
  /** A ring whose lease pays for so many tokens, then ends the answer. */
  function leasedRing(tokensPaid: number): ReturnType<typeof countingRing> {
    const ring = countingRing(99)
    const { generate } = ring
    let left = tokensPaid
    ring.generate = async function* (prompt, options) {
      for await (const event of generate(prompt, options)) {
        if (event.type === 'token' && left-- === 0) {
          yield { type: 'end', reason: 'lease-spent' }
          return
        }
        yield event
      }
    }
    return ring
  }

  test('ends the answer, and the next turn goes on with another that takes all tokens', async () => {
    const needs: unknown[] = []
    const second = countingRing(99)
    const ring = createLastingRing({
      first: leasedRing(2),
      reopen: async (why, need) => {
        needs.push([codeOf(why), need])
        return second
      },
    })
    expect(await turn(ring, [0, 1])).toEqual([2, 3, 'lease-spent'])
    expect(needs).toEqual([])
    await turn(ring, [7])
    expect(needs).toEqual([['LEASE_SPENT', { promptRows: 6, decodeRows: 5 }]])
    expect(second.prompts[0]).toEqual([0, 1, 2, 3, 4, 7])
  })

  test('is asked for again when no other could be opened', async () => {
    let tries = 0
    const second = countingRing(99)
    const reopen = async () => {
      if (tries++ === 0) throw leaseError('LEASE_SPENT')
      return second
    }
    const first = leasedRing(0)
    const ring = createLastingRing({ first, reopen })
    expect(await turn(ring, [0])).toEqual(['lease-spent'])
    await expect(turn(ring, [1])).rejects.toMatchObject({ code: 'LEASE_SPENT' })
    expect(await turn(ring, [1])).toEqual([3, 4, 5, 6, 7, 'max-tokens'])
    expect([tries, second.prompts]).toEqual([2, [[0, 1, 1]]])
  })
})

test.each([
  ...['LEASE_EXPIRED', 'LEASE_NO_ROOM', 'LEASE_BEHIND', 'VOUCHER_RECEDES', 'RING_SESSION_IDLE'],
  ...['RING_BAD_MESSAGE', 'ENGINE_NOT_FINITE'],
])('where a stage says %s another ring goes on', async (code) => {
  const failure = stageFailed(1, { code, message: 'No.' })
  const { ring, reopened } = lasting(countingRing(2, failure), countingRing(99))
  expect(await turn(ring, [0, 1])).toEqual(unbroken)
  expect(reopened()).toBe(1)
})

test('where a stage asks for a lease there is no use in another ring', async () => {
  const { ring, reopened } = lasting(countingRing(0, stageFailed(1, { code: 'LEASE_REQUIRED', message: 'No.' })))
  await expect(turn(ring, [0, 1])).rejects.toMatchObject({ details: { stageCode: 'LEASE_REQUIRED' } })
  expect(reopened()).toBe(0)
})
