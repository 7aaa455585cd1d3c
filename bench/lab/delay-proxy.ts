/**
 * A process that stands in front of listeners and delays what passes, both ways: the way to a delay without root. Each connection to a
 * door is joined to a new one to the door's listener; bytes leave so many milliseconds after they came, in their order, as many
 * at a time as came. Making a connection is not delayed. Speaks with its parent by messages.
 * @module
 */
import { createConnection, createServer, type Socket } from 'node:net'

export type ProxyOrder =
  /** A new door, on `host`. */
  | { readonly type: 'door'; readonly host: string; readonly port: number }
  /** From now on. */
  | { readonly type: 'delay'; readonly oneWayMs: number }

export type ProxyTold = { readonly type: 'door'; readonly port: number } | { readonly type: 'delayed' }

interface Passing {
  readonly dueMs: number
  readonly send: () => void
}

/** Timers are that late at worst; the rest is waited for by looking again and again. */
const TIMER_MS = 1.5

let oneWayMs = 0
/** Of all connections: one delay for all, so the order of arrival is that of departure. */
const passing: Passing[] = []
let isWaiting = false

process.on('message', (order: ProxyOrder) => obey(order))
process.on('disconnect', () => process.exit())

function obey(order: ProxyOrder): void {
  if (order.type === 'delay') {
    oneWayMs = order.oneWayMs
    tell({ type: 'delayed' })
    return
  }
  const { host, port } = order
  const server = createServer((near) => {
    const far = createConnection({ host, port })
    join(near, far)
    join(far, near)
  })
  server.listen(0, host, () => {
    const at = server.address()
    if (at !== null && typeof at === 'object') tell({ type: 'door', port: at.port })
  })
}

/** What comes from one goes to the other; whichever way one goes, the other does. */
function join(from: Socket, to: Socket): void {
  from.setNoDelay(true)
  from.on('data', (bytes) => later(() => to.write(bytes)))
  from.on('end', () => later(() => to.end()))
  from.on('error', () => later(() => to.destroy()))
  from.on('close', () => later(() => to.destroySoon()))
}

function later(send: () => void): void {
  passing.push({ dueMs: performance.now() + oneWayMs, send })
  if (!isWaiting) pass()
}

function pass(): void {
  for (;;) {
    const next = passing[0]
    isWaiting = next !== undefined
    if (next === undefined) return
    const leftMs = next.dueMs - performance.now()
    if (leftMs > TIMER_MS) {
      setTimeout(pass, leftMs - TIMER_MS)
      return
    }
    if (leftMs > 0) {
      setImmediate(pass)
      return
    }
    passing.shift()
    next.send()
  }
}

function tell(told: ProxyTold): void {
  process.send?.(told)
}
