import { expect, test } from 'vitest'
import { peerId } from '../../../src/base/brand.ts'
import { WIRE_LIMITS } from '../../../src/base/limits.ts'
import { createNewsDesk, newsId } from '../../../src/net/news.ts'
import type { Verdict } from '../../../src/net/wire.ts'

const TOPIC = 'dllm/test/1'
const A = peerId('a')
const B = peerId('b')

function createDesk(): { desk: ReturnType<typeof createNewsDesk>; logged: string[] } {
  const logged: string[] = []
  return { desk: createNewsDesk({ write: (_level, event) => logged.push(event) }), logged }
}

test('one peer cannot take all the room in which news waits for its verdict', async () => {
  const { desk, logged } = createDesk()
  const verdict = Promise.withResolvers<Verdict>()
  desk.subscribe(TOPIC, { messageBytesMax: 100 }, () => verdict.promise)
  const message = new Uint8Array(10)
  const waiting = Array.from({ length: WIRE_LIMITS.newsPendingPerPeerMax }, () => desk.verdict(TOPIC, message, A))
  expect(await desk.verdict(TOPIC, message, A)).toBe('ignore')
  const other = desk.verdict(TOPIC, message, B)
  expect(logged).toEqual(['wire.news_dropped'])
  verdict.resolve('accept')
  expect(new Set(await Promise.all([...waiting, other]))).toEqual(new Set(['accept']))
  expect(await desk.verdict(TOPIC, message, A)).toBe('accept')
})

test('news that waits is bounded by its bytes too', async () => {
  const { desk } = createDesk()
  const verdict = Promise.withResolvers<Verdict>()
  desk.subscribe(TOPIC, { messageBytesMax: WIRE_LIMITS.newsMessageBytesMax }, () => verdict.promise)
  const message = new Uint8Array(WIRE_LIMITS.newsMessageBytesMax)
  const room = Math.floor(WIRE_LIMITS.newsPendingPerPeerBytesMax / message.length)
  for (let count = 0; count < room; count++) void desk.verdict(TOPIC, message, A)
  expect(await desk.verdict(TOPIC, message, A)).toBe('ignore')
  for (let peer = 0; peer < 3; peer++) {
    for (let count = 0; count < room; count++) void desk.verdict(TOPIC, message, peerId(`peer ${peer}`))
  }
  const small = new Uint8Array(WIRE_LIMITS.newsPendingBytesMax - 4 * room * message.length)
  void desk.verdict(TOPIC, small, B)
  expect(await desk.verdict(TOPIC, message, B)).toBe('ignore')
})

test('a handler that throws, at once or later, ignores, and frees its place', async () => {
  const { desk, logged } = createDesk()
  desk.subscribe(TOPIC, { messageBytesMax: 100 }, ([first]) => {
    if (first === 0) throw new Error('at once')
    return Promise.reject(new Error('later'))
  })
  for (let count = 0; count < 2 * WIRE_LIMITS.newsPendingPerPeerMax; count++) {
    expect(await desk.verdict(TOPIC, new Uint8Array([count % 2]), A)).toBe('ignore')
  }
  expect(new Set(logged)).toEqual(new Set(['wire.news_failed']))
})

test('a topic has one handler, and only so many topics are heard', () => {
  const { desk } = createDesk()
  for (let count = 0; count < WIRE_LIMITS.topicsMax; count++) {
    desk.subscribe(`dllm/topic-${count}/1`, { messageBytesMax: 1 }, () => 'accept')
  }
  expect(() => desk.subscribe('dllm/topic-0/1', { messageBytesMax: 1 }, () => 'accept')).toThrow('already')
  expect(() => desk.subscribe('dllm/one-more/1', { messageBytesMax: 1 }, () => 'accept')).toThrow('more topics')
})

test('the id of news is of its topic and its content', () => {
  const ids = [
    newsId('dllm/a/1', new Uint8Array([49])),
    newsId('dllm/a/11', new Uint8Array([])),
    newsId('dllm/b/1', new Uint8Array([49])),
    newsId('dllm/a/1', new Uint8Array([50])),
  ].map((id) => Buffer.from(id).toString('hex'))
  expect(new Set(ids).size).toBe(4)
  expect(ids[0]).toHaveLength(40)
  expect(Buffer.from(newsId('dllm/a/1', new Uint8Array([49]))).toString('hex')).toBe(ids[0])
})
