/**
 * Window updates of yamux at half a window. @libp2p/yamux (8.0.3) answers every data frame, however small, with a window
 * update: its own record, system call and wake-up at the other side, as dear as the step of a ring that caused it. The
 * Go implementation waits until half the window is used; so does this. Bulk is as fast: a sender that fills the window
 * is told at its half.
 * Spec: docs/spec/wire.md §2.4.
 * @module
 */
import type { Stream } from '@libp2p/interface'

/** Fields of the library's stream class that its types keep to themselves. */
interface YamuxStream {
  readonly state: number
  readonly recvWindow: number
  readonly recvWindowCapacity: number
  sendWindowUpdate(): void
}

/** StreamState.Established: from then on an update says nothing but how much was read. */
const ESTABLISHED = 3

/** Changes one stream in place; does nothing to streams of other muxers. */
export function withFewerUpdates(stream: Stream): Stream {
  const yamux = stream as Stream & Partial<YamuxStream>
  if (!isYamux(yamux)) return stream
  const send = yamux.sendWindowUpdate.bind(yamux)
  yamux.sendWindowUpdate = () => {
    const used = yamux.recvWindow - yamux.recvWindowCapacity
    if (yamux.state === ESTABLISHED && used < yamux.recvWindow / 2) return
    send()
  }
  return stream
}

function isYamux(stream: Partial<YamuxStream>): stream is YamuxStream {
  const { state, recvWindow, recvWindowCapacity, sendWindowUpdate } = stream
  const areNumbers = [state, recvWindow, recvWindowCapacity].every((value) => typeof value === 'number')
  return areNumbers && typeof sendWindowUpdate === 'function'
}
