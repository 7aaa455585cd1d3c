/**
 * Bytes on a bulk link: a greeting of the server, the ticket of the client, then requests of one length and answers with a head of one length.
 * Spec: docs/spec/shards.md §5.
 * @module
 */
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js'
import { type Hash, hash } from '../../base/brand.ts'
import { CodecError, Reader, Writer } from '../../base/codec.ts'
import { CHUNK_BYTES } from '../../ml/chunk-tree.ts'

/** The server speaks first, so that a client tells its ticket to nobody else; and again when the ticket is good. */
export const LINK_GREETING: Uint8Array = Uint8Array.from('DLLM link 1\n', (character) => character.charCodeAt(0))
export const LINK_REQUEST_BYTES = 41
export const LINK_HEAD_BYTES = 9

/** `id` is in use for no other request without an answer. */
export type LinkRequest =
  | { readonly type: 'chunk'; readonly id: number; readonly root: Hash; readonly index: number }
  /** No answer is needed any more; there is one all the same, if only `absent`. */
  | { readonly type: 'leave'; readonly id: number }

/** So many bytes of the chunk follow; 0 stands for `absent`: no chunk is empty. */
export interface LinkHead {
  readonly id: number
  readonly length: number
}

const NO_ROOT = new Uint8Array(32)
const ANSWER = 1

/** LINK_REQUEST_BYTES. */
export function encodeLinkRequest(request: LinkRequest): Uint8Array {
  const isChunk = request.type === 'chunk'
  return new Writer(LINK_REQUEST_BYTES)
    .u8(isChunk ? 0 : 1)
    .u32(request.id)
    .u32(isChunk ? request.index : 0)
    .raw(isChunk ? hexToBytes(request.root) : NO_ROOT)
    .finish()
}

/** @throws CodecError. */
export function decodeLinkRequest(bytes: Uint8Array): LinkRequest {
  const reader = new Reader(bytes)
  const isChunk = !reader.flag()
  const id = reader.u32()
  const index = reader.u32()
  const root = reader.raw(NO_ROOT.length)
  reader.finish()
  if (isChunk) return { type: 'chunk', id, index, root: hash(bytesToHex(root)) }
  if (index !== 0 || root.some((byte) => byte !== 0)) {
    throw new CodecError('CODEC_BAD_VALUE', 'Who leaves a chunk says nothing else.')
  }
  return { type: 'leave', id }
}

/** LINK_HEAD_BYTES. */
export function encodeLinkHead({ id, length }: LinkHead): Uint8Array {
  return new Writer(LINK_HEAD_BYTES).u8(ANSWER).u32(id).u32(length).finish()
}

/** @throws CodecError. */
export function decodeLinkHead(bytes: Uint8Array): LinkHead {
  const reader = new Reader(bytes)
  const kind = reader.u8()
  const head = { id: reader.u32(), length: reader.u32() }
  reader.finish()
  if (kind !== ANSWER || head.length > CHUNK_BYTES) {
    throw new CodecError('CODEC_BAD_VALUE', 'This is no answer on a bulk link.')
  }
  return head
}
