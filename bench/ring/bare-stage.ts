/**
 * A process that passes on what comes over a plain TCP socket, and does nothing else: what remains of a stage when its program, its engine and
 * its protocols take no time. Asked by messages (ring/bare-ring.ts).
 * @module
 */
import { once } from 'node:events'
import { type AddressInfo, createConnection, createServer, type Socket } from 'node:net'
import { answerParent } from '../lab/child.ts'

export type BareOrder =
  | { readonly type: 'listen'; readonly bytes: number }
  /** To the next one, which listens. */
  | { readonly type: 'dial'; readonly port: number }
  /** Sends a message round so many times, one after the other; only one process of a ring is asked. */
  | { readonly type: 'turns'; readonly count: number }

const HERE = '127.0.0.1'

let message = Buffer.alloc(0)
let next: Socket
let came: () => void = pass

answerParent<BareOrder>(async (order) => {
  switch (order.type) {
    case 'listen':
      return listen(order.bytes)
    case 'dial':
      next = createConnection({ host: HERE, port: order.port, noDelay: true })
      await once(next, 'connect')
      return {}
    case 'turns':
      return { turnMs: await turnMs(order.count) }
  }
})

function pass(): void {
  next.write(message)
}

async function listen(bytes: number): Promise<{ port: number }> {
  message = Buffer.alloc(bytes)
  const server = createServer({ noDelay: true }, (socket) => {
    let missing = bytes
    socket.on('data', ({ length }) => {
      missing -= length
      if (missing > 0) return
      missing = bytes
      came()
    })
  })
  server.listen(0, HERE)
  await once(server, 'listening')
  return { port: (server.address() as AddressInfo).port }
}

async function turnMs(count: number): Promise<number> {
  const startedMs = performance.now()
  for (let turn = 0; turn < count; turn++) {
    const { promise, resolve } = Promise.withResolvers<void>()
    came = resolve
    pass()
    await promise
  }
  came = pass
  return (performance.now() - startedMs) / count
}
