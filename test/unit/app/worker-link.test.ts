import { Worker } from 'node:worker_threads'
import { expect, test } from 'vitest'
import { linkTo } from '../../../src/app/worker-link.ts'

/** A worker whose device goes when it is first asked to run something, and which answers all else. */
const LOSING = `
  const { parentPort } = require('node:worker_threads')
  const device = { name: 'card', arithmetic: 'native' }
  parentPort.postMessage({ id: 0, body: { type: 'started', weightBytes: 7, engine: 'webgpu', device } })
  parentPort.on('message', ({ id, body }) => {
    if (body.type === 'run') parentPort.postMessage({ id: 0, body: { type: 'lost', why: 'driver reset' } })
    else parentPort.postMessage({ id, body: body.type === 'open-cache' ? { type: 'cache', cache: 3 } : { type: 'done' } })
  })
`
const step = { cache: 3, position: 0, input: { type: 'tokens', tokens: Int32Array.of(1) }, logits: 'none' } as const

test('a worker whose device is lost fails whoever waits and whoever asks later, and says why', async () => {
  const link = linkTo(new Worker(LOSING, { eval: true }))
  expect(await link.started).toMatchObject({ weightBytes: 7, engine: 'webgpu', device: { name: 'card' } })
  expect(await link.ask({ type: 'open-cache', capacity: 4, part: undefined }, 'cache')).toMatchObject({ cache: 3 })
  const why = { code: 'ENGINE_UNAVAILABLE', message: 'The engine stopped: driver reset' }
  await expect(link.run([step])).rejects.toMatchObject(why)
  expect(await link.lost).toMatchObject(why)
  await expect(link.ask({ type: 'close-cache', cache: 3 }, 'done')).rejects.toMatchObject(why)
  await link.close()
})

test('a worker that is closed is not lost', async () => {
  const link = linkTo(new Worker(LOSING, { eval: true }))
  await link.started
  await link.close()
  const later = new Promise((resolve) => setImmediate(() => resolve('nothing')))
  expect(await Promise.race([link.lost, later])).toBe('nothing')
})
