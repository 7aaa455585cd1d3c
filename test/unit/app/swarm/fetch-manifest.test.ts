import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { fetchManifest } from '../../../../src/app/swarm/fetch-manifest.ts'
import { createSystem } from '../../../../src/app/system.ts'
import { type Hash, hash } from '../../../../src/base/brand.ts'
import { createFakeClock } from '../../../fake-clock.ts'
import { type MemoryPeer, memorySwarm } from '../../../memory-swarm.ts'

const system = createSystem({ level: 'silent' })
const bytes = new TextEncoder().encode('{"name":"any"}\n')
const model = hash(createHash('sha256').update(bytes).digest('hex'))
const never = new AbortController().signal

const peer = (name: string, manifests: readonly (readonly [Hash, Uint8Array])[]): MemoryPeer => ({
  ...{ name, files: [], manifests: new Map(manifests) },
})

test('the manifest with the hash is taken, whoever else tells another one', async () => {
  const lie = Uint8Array.from(bytes, (byte) => byte ^ 1)
  const swarm = memorySwarm([peer('liar', [[model, lie]]), peer('empty', []), peer('honest', [[model, bytes]])])
  expect(await fetchManifest({ model, peers: swarm }, system, never)).toEqual(bytes)
  expect(swarm.blamed).toEqual(['liar'])
})

test('where nobody has it, that is said after a while, with who was asked', async () => {
  const time = createFakeClock()
  const swarm = memorySwarm([peer('a', []), peer('b', [])])
  const result = fetchManifest({ model, peers: swarm, patienceMs: 10_000 }, { ...system, clock: time }, never)
  let failure: unknown
  result.catch((error: unknown) => {
    failure = error
  })
  while (failure === undefined) {
    await new Promise((resolve) => setImmediate(resolve))
    time.advance(100)
  }
  expect(failure).toMatchObject({
    code: 'SWARM_NO_PEER',
    message: expect.stringContaining('2 peers were found, 2 answered, and none has it'),
  })
})

test('it ends with the signal', async () => {
  const stop = new AbortController()
  const reason = new Error('told to end')
  const result = fetchManifest({ model, peers: memorySwarm([]) }, system, stop.signal)
  stop.abort(reason)
  await expect(result).rejects.toBe(reason)
})
