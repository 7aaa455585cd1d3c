/**
 * Frames: how whole messages travel over a stream of bytes. A frame is a u32 little-endian length and that many bytes;
 * the two highest lengths are markers without a body (accept, end). Knows nothing of sockets, peers or queues.
 * Spec: docs/spec/wire.md §2.1.
 * @module
 */
import { assert } from '../base/assert.ts'
import { tooLong } from './wire-errors.ts'

export const FRAME_HEADER_BYTES = 4
const END_LENGTH = 0xffff_ffff
const ACCEPT_LENGTH = 0xffff_fffe
/** What a decoder sets aside at once for an announced message; more only as its bytes arrive. */
const FIRST_CAPACITY_BYTES = 64 * 1024

/** Receives what a decoder finds, in order. */
export interface FrameSink {
  /** A whole message in a buffer of its own, starting at offset 0 of its ArrayBuffer. */
  message(message: Uint8Array<ArrayBuffer>): void
  /** The acceptor's handler has taken the channel. */
  accept(): void
  /** The sender sends no more. */
  end(): void
}

/** Header and payload in one contiguous buffer: one write to the socket, not two. */
export function encodeFrame(message: Uint8Array): Uint8Array<ArrayBuffer> {
  assert(message.length < ACCEPT_LENGTH, 'a frame is shorter than the markers')
  const frame = new Uint8Array(FRAME_HEADER_BYTES + message.length)
  writeLength(frame, message.length)
  frame.set(message, FRAME_HEADER_BYTES)
  return frame
}

export function endMarker(): Uint8Array<ArrayBuffer> {
  return marker(END_LENGTH)
}

export function acceptMarker(): Uint8Array<ArrayBuffer> {
  return marker(ACCEPT_LENGTH)
}

/**
 * An incremental decoder: the returned function takes the next bytes of the stream, cut anywhere. It throws
 * WIRE_MESSAGE_TOO_LONG at the header of a message longer than `messageBytesMax`, before any byte of it is kept.
 * It holds at most twice the bytes received of one message, plus 64 KiB.
 */
export function createFrameDecoder(messageBytesMax: number, sink: FrameSink): (chunk: Uint8Array) => void {
  const header = new Uint8Array(FRAME_HEADER_BYTES)
  let headerLength = 0
  /** -1: we are in a header. */
  let bodyLength = -1
  let body = new Uint8Array(0)
  let filled = 0

  function takeHeader(chunk: Uint8Array, start: number): number {
    const count = Math.min(FRAME_HEADER_BYTES - headerLength, chunk.length - start)
    for (let index = 0; index < count; index++) header[headerLength + index] = chunk[start + index]!
    headerLength += count
    if (headerLength === FRAME_HEADER_BYTES) {
      headerLength = 0
      beginBody(readLength(header))
    }
    return start + count
  }

  function beginBody(length: number): void {
    if (length === END_LENGTH) sink.end()
    else if (length === ACCEPT_LENGTH) sink.accept()
    else if (length > messageBytesMax) throw tooLong(length, messageBytesMax)
    else {
      bodyLength = length
      filled = 0
      body = new Uint8Array(Math.min(length, FIRST_CAPACITY_BYTES))
    }
  }

  function takeBody(chunk: Uint8Array, start: number): number {
    const count = Math.min(bodyLength - filled, chunk.length - start)
    if (filled + count > body.length) {
      const grown = new Uint8Array(Math.min(bodyLength, Math.max(filled + count, body.length * 2)))
      grown.set(body.subarray(0, filled))
      body = grown
    }
    body.set(start === 0 && count === chunk.length ? chunk : chunk.subarray(start, start + count), filled)
    filled += count
    return start + count
  }

  return (chunk) => {
    let position = 0
    while (position < chunk.length) {
      position = bodyLength < 0 ? takeHeader(chunk, position) : takeBody(chunk, position)
      if (bodyLength >= 0 && filled === bodyLength) {
        const message = body
        bodyLength = -1
        body = new Uint8Array(0)
        sink.message(message)
      }
    }
  }
}

function marker(length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(FRAME_HEADER_BYTES)
  writeLength(bytes, length)
  return bytes
}

function writeLength(frame: Uint8Array, length: number): void {
  new DataView(frame.buffer, frame.byteOffset).setUint32(0, length, true)
}

function readLength(header: Uint8Array): number {
  return new DataView(header.buffer, header.byteOffset).getUint32(0, true)
}
