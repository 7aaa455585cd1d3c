/** Chats that pay, over real miners and a real node: leases are opened, used again, spent, given up. */
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { ChainAccess } from '../../src/app/chain/chain-access.ts'
import type { OpenChat } from '../../src/app/chat/open-chat.ts'
import { type ChatNeed, costOf } from '../../src/app/market/client-cap.ts'
import type { OpenLease } from '../../src/app/market/lease-source.ts'
import { codeOf } from '../../src/base/error.ts'
import type { Generation } from '../../src/net/protocols/generation.ts'
import { CLIENT, CONFIG, type PayingWorld, startPayingWorld } from './client-world.ts'
import { collect, GREEDY } from './ring-world.ts'

const PROMPT = Array.from({ length: 40 }, (_, index) => (index * 7) % CONFIG.vocabularySize)
const SAMPLED: Generation = { ...GREEDY, temperature: 0.8, topK: 20, seed: 9n, withDigests: false }
const THREE = [0, 1, 2].map((first) => ({ first, end: first + 1 }))
const FOR_NOTHING = THREE.map((miner) => ({ ...miner, bid: 0n }))

let world: PayingWorld
afterEach(() => world?.close())

/** The chain, and the heights at which something was handed in. */
function watched({ one }: PayingWorld): { chain: ChainAccess; heights: number[] } {
  const heights: number[] = []
  const submit: ChainAccess['submit'] = async (...given) => {
    heights.push((await one.chain.head()).height)
    return one.chain.submit(...given)
  }
  return { chain: { ...one.chain, submit }, heights }
}

/** Grains of the lots of a lease together. */
function cost({ terms, lots }: OpenLease, need: ChatNeed): bigint {
  return costOf({ ...terms, parts: lots.map(({ work }) => work) }, need)
}

const answer = (chat: OpenChat, maxTokens: number) =>
  collect(chat.ring, PROMPT, { generation: { ...SAMPLED, maxTokens } })

describe('a client with money', () => {
  test('opens a lease in one block, and the next chat goes on with it without the chain', async () => {
    world = await startPayingWorld({ miners: THREE })
    const { chain, heights } = watched(world)
    const chat = await world.chat({ need: { promptRows: 40, decodeRows: 500 }, chain })
    const { tokens, reason } = await answer(chat, 500)
    expect([tokens.length, reason]).toEqual([500, 'max-tokens'])
    const { lease, spent } = chat.payments!
    expect(spent).toBe(cost(lease!, { promptRows: 40, decodeRows: 499 }))
    await chat.close()
    const view = await world.one.chain.market.lease(lease!.id)
    expect(view.openedHeight).toBe(heights[0]! + 1)
    expect(world.news).toMatchObject([{ type: 'opened', lease: { cap: lease!.cap } }])
    const opener = () => Promise.reject(new Error('the chain was asked'))
    const next = await world.chat({ payments: { opener } })
    expect((await answer(next, 100)).tokens).toEqual(tokens.slice(0, 100))
    expect(next.payments!.lease!.id).toBe(lease!.id)
    // Units are rounded up once for each lot.
    const apart = cost(lease!, { promptRows: 40, decodeRows: 99 }) - next.payments!.spent
    expect(apart).toBeGreaterThanOrEqual(0n)
    expect(apart).toBeLessThanOrEqual(3n * lease!.terms.price)
    await next.close()
    expect(world.news.map(({ type }) => type)).toEqual(['opened', 'used'])
  })

  test('opens another lease where a chat uses the first, and where a conversation has spent it', async () => {
    world = await startPayingWorld({ miners: THREE, balance: 3_000_000n })
    const need = { promptRows: 40, decodeRows: 60 }
    const first = await world.chat({ need })
    const second = await world.chat({ need })
    const leases = [first, second].map(({ payments }) => payments!.lease!)
    expect(leases[0]!.id).not.toBe(leases[1]!.id)
    await second.close()
    const expected = await answer(first, 60)
    // Until the cap ends an answer.
    let reason: string | undefined
    for (let turns = 0; reason !== 'lease-spent' && turns < 60; turns++) {
      first.ring.rewind(0)
      reason = (await answer(first, 60)).reason
    }
    expect(reason).toBe('lease-spent')
    first.ring.rewind(0)
    expect(await answer(first, 60)).toEqual(expected)
    expect(first.payments!.lease!.id).not.toBe(leases[0]!.id)
    await first.close()
  })

  test('with a cap spends no more, and says so', async () => {
    world = await startPayingWorld({ miners: THREE })
    const cap = 60_000n
    const chat = await world.chat({ payments: { cap } })
    expect(chat.payments!.lease!.cap).toBe(cap)
    expect((await answer(chat, 900)).reason).toBe('lease-spent')
    await expect(answer(chat, 10)).rejects.toMatchObject({ code: 'LEASE_SPENT' })
    expect(chat.payments!.spent).toBeLessThanOrEqual(cap)
    expect(world.news.map(({ type }) => type)).toEqual(['opened', 'low'])
    await chat.close()
  })
})

test('a client without enough money is told what is missing, or chats with miners that serve for nothing where it may', async () => {
  world = await startPayingWorld({ miners: THREE, balance: 20_000n, isRequired: false })
  await expect(world.chat()).rejects.toMatchObject({
    code: 'INSUFFICIENT_FUNDS',
    message: expect.stringMatching(/needs 0\.0\d+ DLLM .* ldllm1\w+ has 0\.00002 DLLM/),
  })
  const chat = await world.chat({ payments: { mayBeFree: true } })
  expect((await answer(chat, 20)).tokens).toHaveLength(20)
  expect(chat.payments!.lease).toBeUndefined()
  expect(world.news).toMatchObject([{ type: 'free', why: { code: 'INSUFFICIENT_FUNDS' } }])
  await chat.close()
})

test('who has no wallet is told that these miners work for pay', async () => {
  world = await startPayingWorld({ miners: THREE })
  await expect(world.chat({ payments: 'none' })).rejects.toMatchObject({
    code: 'LEASE_REQUIRED',
    message: 'The miners of this model work for pay, not for nothing. Pay.',
  })
})

test('where work costs nothing a lease is opened only for miners that ask for one', async () => {
  world = await startPayingWorld({ miners: FOR_NOTHING, price: 0n })
  const chat = await world.chat()
  expect(chat.payments!.lease).toMatchObject({ cap: 0n })
  expect((await answer(chat, 20)).tokens).toHaveLength(20)
  expect(world.news.map(({ type }) => type)).toEqual(['free', 'opened'])
  await chat.close()
})

test('a lease that somebody has closed, and that is settled, is given up, and nobody is blamed for it', async () => {
  world = await startPayingWorld({ miners: THREE, parameters: { disputeBlocks: 2n } })
  const first = await world.chat()
  const { lease } = first.payments!
  await first.close()
  await world.call(CLIENT, 14, { lease: lease!.id })
  const isSettled = () => world.one.chain.market.lease(lease!.id).then(() => false, codeOf)
  await vi.waitUntil(async () => (await isSettled()) === 'NO_SUCH_LEASE', { timeout: 10_000 })
  const second = await world.chat()
  expect((await answer(second, 20)).tokens).toHaveLength(20)
  expect(second.payments!.lease!.id).not.toBe(lease!.id)
  await second.close()
})

describe('a miner that is gone', () => {
  const SIX = [...THREE, ...THREE]

  test('before the chat is avoided by the next lease, and the first one is closed', async () => {
    world = await startPayingWorld({ miners: SIX })
    const first = await world.chat()
    const { lease } = first.payments!
    const { tokens } = await answer(first, 60)
    await first.close()
    const gone = world.miners.find(({ operator }) => operator === lease!.lots[1]!.operator)!
    await gone.kill()
    const second = await world.chat()
    expect((await answer(second, 60)).tokens).toEqual(tokens)
    const other = second.payments!.lease!
    expect(other.lots.map(({ operator }) => operator)).not.toContain(gone.operator)
    await vi.waitUntil(async () => (await world.one.chain.market.lease(lease!.id)).status === 'closing')
    expect((await world.book.list()).map(({ id }) => id)).toEqual([other.id])
    await second.close()
  })

  test('in the middle of an answer: the text is the unbroken one', async () => {
    world = await startPayingWorld({ miners: SIX })
    const lost: unknown[] = []
    const chat = await world.chat({ onLost: (why) => lost.push(why) })
    const unbroken = await answer(chat, 80)
    chat.ring.rewind(0)
    const victim = world.miners.find(({ operator }) => operator === chat.payments!.lease!.lots[2]!.operator)!
    const said: number[] = []
    for await (const event of chat.ring.generate(PROMPT, { generation: { ...SAMPLED, maxTokens: 80 } })) {
      if (event.type === 'token' && said.push(event.token) === 30) await victim.kill()
    }
    expect(said).toEqual(unbroken.tokens)
    expect(lost).toHaveLength(1)
    expect(chat.payments!.lease!.lots.map(({ operator }) => operator)).not.toContain(victim.operator)
    await chat.close()
  })
})
