import { expect, test } from 'vitest'
import { milliseconds, type PeerId, peerId } from '../../../src/base/brand.ts'
import { DEADLINES, WIRE_LIMITS } from '../../../src/base/limits.ts'
import { createDialler, type Dialler } from '../../../src/net/dialler.ts'

interface Scene {
  readonly dialler: Dialler
  readonly connected: PeerId[]
  /** What was dialled, in order. */
  readonly dialled: string[]
  /** Runs what is scheduled now, once; gives the delays. */
  readonly elapse: () => Promise<number[]>
}

function createScene(self: string, options: { listens?: boolean; bootstrap?: string[] } = {}): Scene {
  const connected: PeerId[] = []
  const dialled: string[] = []
  let scheduled: { delayMs: number; task: () => void }[] = []
  const dialler = createDialler(
    { self: peerId(self), listens: options.listens ?? true, bootstrap: options.bootstrap ?? [] },
    {
      clock: {
        now: () => milliseconds(0),
        wallMs: () => milliseconds(0),
        sleep: () => new Promise(() => undefined),
        schedule: (delayMs, task) => {
          const entry = { delayMs, task }
          scheduled.push(entry)
          return () => {
            scheduled = scheduled.filter((other) => other !== entry)
          }
        },
      },
      log: { write: () => undefined },
      connectedPeers: () => connected,
      dial: async ({ peer }) => {
        dialled.push(peer)
        if (peer === 'x') throw new Error('not there')
      },
      connect: async (address) => {
        dialled.push(address)
        if (address === '/dead') throw new Error('not there')
        return peerId(`peer of ${address}`)
      },
    },
  )
  const elapse = async (): Promise<number[]> => {
    const now = scheduled
    scheduled = []
    for (const { task } of now) task()
    await new Promise((resolve) => setImmediate(resolve))
    return now.map(({ delayMs }) => delayMs)
  }
  return { dialler, connected, dialled, elapse }
}

function seen(id: string): { peer: PeerId; addresses: string[] } {
  return { peer: peerId(id), addresses: ['/address'] }
}

test('of two peers that find each other the lower one dials, the other gives it time first', async () => {
  const low = createScene('a')
  low.dialler.found(seen('b'))
  expect(low.dialled).toEqual(['b'])
  const high = createScene('b')
  high.dialler.found(seen('a'))
  high.dialler.found(seen('a'))
  expect(high.dialled).toEqual([])
  expect(await high.elapse()).toEqual([2_000])
  expect(high.dialled).toEqual(['a'])
})

test('the courtesy ends without a dial when the other was faster', async () => {
  const { dialler, connected, dialled, elapse } = createScene('b')
  dialler.found(seen('a'))
  connected.push(peerId('a'))
  await elapse()
  expect(dialled).toEqual([])
})

test('a client that nobody can dial does not wait', () => {
  const { dialler, dialled } = createScene('b', { listens: false })
  dialler.found(seen('a'))
  expect(dialled).toEqual(['a'])
})

test('a peer that was lost or did not answer is dialled again when it is seen again', async () => {
  const { dialler, dialled, elapse } = createScene('a')
  dialler.found(seen('x'))
  await elapse()
  dialler.found(seen('x'))
  expect(dialled).toEqual(['x', 'x'])
})

test('connected peers, ourselves and peers over the limit are not dialled', () => {
  const { dialler, connected, dialled } = createScene('a')
  connected.push(peerId('b'))
  dialler.found(seen('b'))
  dialler.found(seen('a'))
  for (let count = connected.length; count < WIRE_LIMITS.discoveryConnectionsMax; count++)
    connected.push(peerId(`p${count}`))
  dialler.found(seen('c'))
  expect(dialled).toEqual([])
})

test('bootstrap addresses are dialled until they are connected, and again when they are lost', async () => {
  const { dialler, connected, dialled, elapse } = createScene('a', { bootstrap: ['/one', '/dead'] })
  dialler.start()
  connected.push(peerId('peer of /one'))
  await new Promise((resolve) => setImmediate(resolve))
  expect(await elapse()).toEqual([DEADLINES.bootstrapMs])
  expect(dialled).toEqual(['/one', '/dead', '/dead'])
  connected.length = 0
  await elapse()
  expect(dialled.slice(3)).toEqual(['/one', '/dead'])
})

test('nothing is dialled after stop', async () => {
  const { dialler, dialled, elapse } = createScene('b', { bootstrap: ['/one'] })
  dialler.start()
  dialler.found(seen('a'))
  dialler.stop()
  expect(await elapse()).toEqual([])
  dialler.found(seen('c'))
  expect(dialled).toEqual(['/one'])
})
