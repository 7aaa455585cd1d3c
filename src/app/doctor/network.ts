/**
 * Doctor's checks of the network of this machine: TCP on loopback, the port of `mine`, multicast for mDNS.
 * @module
 */
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { milliseconds } from '../../base/brand.ts'
import { messageOf } from '../../base/error.ts'
import type { Clock } from '../../base/ports.ts'
import { type Finding, fail, ok, warn } from './finding.ts'

/** RFC 6762 §3. */
const MDNS_GROUP = '224.0.0.251'
const MULTICAST_WAIT_MS = milliseconds(1_000)

export async function checkLoopback(): Promise<Finding> {
  try {
    const port = await bindOnce('127.0.0.1', 0)
    return ok('network.loopback', 'A TCP port on loopback can be bound.', { port })
  } catch (error) {
    const advice = `Local miners cannot talk to each other. Allow this program to listen on 127.0.0.1. ${messageOf(error)}`
    return fail('network.loopback', 'No TCP port on loopback can be bound.', advice)
  }
}

/** `listen` is the setting, a TCP multiaddr. */
export async function checkListen(listen: string): Promise<Finding> {
  const [, , host = '', , port = ''] = listen.split('/')
  try {
    await bindOnce(host, Number(port))
    return ok('network.listen', `A miner can listen on ${listen}.`, { listen })
  } catch (error) {
    const advice = `Stop the program that uses it, or choose another address: \`dllm config set listen …\`. ${messageOf(error)}`
    return warn('network.listen', `A miner cannot listen on ${listen}.`, advice, { listen })
  }
}

async function bindOnce(host: string, port: number): Promise<number> {
  const server = createServer()
  server.listen({ host, port, exclusive: true })
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address !== null ? address.port : port
}

/** Sends a datagram to the mDNS group at a port of our own, and waits for it to come back. */
export async function checkMulticast(clock: Clock): Promise<Finding> {
  const socket = createSocket({ type: 'udp4', reuseAddr: true })
  try {
    const seen = await echoThroughGroup(socket, clock)
    if (seen) return ok('network.mdns', 'Multicast works: miners in the local network can be found.')
    return noMulticast('A datagram to the group did not come back.')
  } catch (error) {
    return noMulticast(messageOf(error))
  } finally {
    socket.close()
  }
}

async function echoThroughGroup(socket: Socket, clock: Clock): Promise<boolean> {
  socket.bind(0)
  await once(socket, 'listening')
  socket.addMembership(MDNS_GROUP)
  socket.setMulticastLoopback(true)
  const { promise, resolve, reject } = Promise.withResolvers<boolean>()
  const cancel = clock.schedule(MULTICAST_WAIT_MS, () => resolve(false))
  socket.once('message', () => resolve(true))
  socket.send('dllm doctor', socket.address().port, MDNS_GROUP, (error) => {
    if (error !== null) reject(error)
  })
  try {
    return await promise
  } finally {
    cancel()
  }
}

function noMulticast(reason: string): Finding {
  const advice = `Miners in the local network are not found by themselves; name one as bootstrap in the network file. ${reason}`
  return warn('network.mdns', 'Multicast does not work here.', advice)
}
