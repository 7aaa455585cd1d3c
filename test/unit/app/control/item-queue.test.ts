/**
 * The queue between events and a stream: order, bound, and one end however it comes.
 * @module
 */
import { expect, test, vi } from 'vitest'
import { createItemQueue, type ItemQueue } from '../../../../src/app/control/item-queue.ts'

interface Head {
  readonly height: number
}

function makeQueue(itemsMax = 3): { queue: ItemQueue<Head>; controller: AbortController; onClose: () => void } {
  const controller = new AbortController()
  const onClose = vi.fn()
  return { queue: createItemQueue<Head>({ signal: controller.signal, onClose, itemsMax }), controller, onClose }
}

async function heights(queue: AsyncIterable<Head>): Promise<number[]> {
  const seen: number[] = []
  for await (const { height } of queue) seen.push(height)
  return seen
}

test('items come in their order, those pushed before and those pushed while somebody waits', async () => {
  const { queue, onClose } = makeQueue()
  queue.push({ height: 1 })
  queue.push({ height: 2 })
  const seen = heights(queue)
  await Promise.resolve()
  queue.push({ height: 3 })
  queue.end()
  queue.push({ height: 4 })
  expect(await seen).toEqual([1, 2, 3])
  expect(onClose).toHaveBeenCalledOnce()
})

test('a reader that is too far behind loses the stream', async () => {
  const { queue, onClose } = makeQueue(3)
  for (let height = 1; height <= 4; height++) queue.push({ height })
  expect(onClose).toHaveBeenCalledOnce()
  await expect(heights(queue)).rejects.toMatchObject({ code: 'CONTROL_STREAM_SLOW', details: { max: 3 } })
  expect(await heights(queue)).toEqual([])
})

test('the signal ends it, while it waits and after', async () => {
  const { queue, controller, onClose } = makeQueue()
  const seen = heights(queue)
  controller.abort()
  expect(await seen).toEqual([])
  queue.push({ height: 1 })
  expect(await heights(queue)).toEqual([])
  expect(onClose).toHaveBeenCalledOnce()
})

test('a signal that fired before ends it at once', async () => {
  const onClose = vi.fn()
  const queue = createItemQueue<Head>({ signal: AbortSignal.abort(), onClose })
  expect(onClose).toHaveBeenCalledOnce()
  expect(await heights(queue)).toEqual([])
})

test('a reader that leaves ends it', async () => {
  const { queue, onClose } = makeQueue()
  queue.push({ height: 1 })
  for await (const _head of queue) break
  expect(onClose).toHaveBeenCalledOnce()
})
