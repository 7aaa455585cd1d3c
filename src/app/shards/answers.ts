/**
 * Answers to questions about shards, from the store: long ones piece by piece, as there is room for them. Knows nothing of channels and peers.
 * Spec: docs/spec/shards.md §4.
 * @module
 */
import type { Hash } from '../../base/brand.ts'
import { MODEL_LIMITS } from '../../base/limits.ts'
import type { Clock } from '../../base/ports.ts'
import { SHARD_LIMITS } from '../../base/swarm-limits.ts'
import { CHUNK_BYTES, chunkLength } from '../../ml/chunk-tree.ts'
import type { ShardAnswerBody, ShardQuestion } from '../../net/protocols/shards.ts'
import { createLocator, type Locator } from './file-locator.ts'
import { createServedCheck, type ServedCheck } from './served-check.ts'
import type { ServedFiles } from './served-files.ts'
import { createSharedFiles, type SharedFiles } from './shared-files.ts'

/** One question's way out. */
export interface AnswerOutput {
  /** Waits until so many bytes may be sent; false: nobody wants them any more. */
  room(bytes: number): Promise<boolean>
  send(answer: ShardAnswerBody): void
}

/** Sends all of an answer but its last part, which it returns. Rejects as the output does; what the store cannot read is absent. */
export type Answerer = (question: ShardQuestion, output: AnswerOutput) => Promise<ShardAnswerBody>

const ABSENT: ShardAnswerBody = { type: 'absent' }

export function createAnswerer(files: ServedFiles, clock: Clock): Answerer {
  const pages = createPages(files)
  const shared = createSharedFiles('r')
  const locator = createLocator({ clock, locate: (root) => files.locate(root) })
  const check = createServedCheck(files)
  return async (question, output) => {
    switch (question.type) {
      case 'manifest':
        return await sendPage(await pages('manifest', question.model), question.page, output)
      case 'leaves':
        return await sendPage(await pages('leaves', question.root), question.page, output)
      case 'holdings': {
        const file = await files.locate(question.root)
        return file === undefined ? ABSENT : { type: 'holdings', map: file.map }
      }
      case 'chunk':
        return await sendChunk({ locator, shared, check }, question, output)
      case 'link':
      case 'leave':
        return ABSENT
    }
  }
}

async function sendPage(whole: Uint8Array | undefined, page: number, output: AnswerOutput): Promise<ShardAnswerBody> {
  const start = page * SHARD_LIMITS.pageBytesMax
  // Nothing is one page.
  if (whole === undefined || (start > 0 && start >= whole.length)) return ABSENT
  const bytes = whole.subarray(start, start + SHARD_LIMITS.pageBytesMax)
  const total = whole.length
  return await sendPieces({ length: bytes.length, total }, output, async (from, to) => bytes.subarray(from, to))
}

interface ChunkParts {
  readonly locator: Locator
  readonly shared: SharedFiles
  readonly check: ServedCheck
}

async function sendChunk(
  { locator, shared, check }: ChunkParts,
  { root, index }: Extract<ShardQuestion, { type: 'chunk' }>,
  output: AnswerOutput,
): Promise<ShardAnswerBody> {
  const file = await locator.withChunk(root, index)
  if (file === undefined) return ABSENT
  const length = chunkLength(file.bytes, index)
  try {
    return await shared.use(file.path, async (handle) => {
      const read = async (from: number, to: number): Promise<Uint8Array | undefined> => {
        const bytes = new Uint8Array(to - from)
        const { bytesRead } = await handle.read(bytes, 0, bytes.length, index * CHUNK_BYTES + from)
        return bytesRead === bytes.length ? bytes : undefined
      }
      if (check.isKnown(file, index)) return sendPieces({ length, total: length }, output, read)
      const whole = await read(0, length)
      if (whole !== undefined && (await check.isRight(root, file, { index, bytes: whole }))) {
        return sendPieces({ length, total: length }, output, async (from, to) => whole.subarray(from, to))
      }
      locator.forget(root)
      return ABSENT
    })
  } catch (error) {
    // It may have another name by now.
    locator.forget(root)
    throw error
  }
}

async function sendPieces(
  { length, total }: { readonly length: number; readonly total: number },
  output: AnswerOutput,
  read: (from: number, to: number) => Promise<Uint8Array | undefined>,
): Promise<ShardAnswerBody> {
  for (let from = 0; ; from += SHARD_LIMITS.pieceBytesMax) {
    const to = Math.min(length, from + SHARD_LIMITS.pieceBytesMax)
    if (!(await output.room(to - from))) return ABSENT
    const bytes = await read(from, to)
    if (bytes === undefined) return ABSENT
    const piece: ShardAnswerBody = { type: 'piece', isLast: to === length, total, bytes }
    if (piece.isLast) return piece
    output.send(piece)
  }
}

type Pages = (kind: 'manifest' | 'leaves', name: Hash) => Promise<Uint8Array | undefined>

/** Keeps what it read for the next page of it: neither manifests nor leaves change, as their names are their hashes. */
function createPages(files: ServedFiles): Pages {
  const kept = new Map<string, Uint8Array>()
  let bytes = 0
  const keep = (key: string, whole: Uint8Array): void => {
    kept.set(key, whole)
    bytes += whole.length
    for (const [oldest, value] of kept) {
      if (bytes <= SHARD_LIMITS.pagesBytesMax) return
      kept.delete(oldest)
      bytes -= value.length
    }
  }
  return async (kind, name) => {
    const key = `${kind} ${name}`
    const known = kept.get(key)
    if (known !== undefined) return known
    const whole = await files[kind](name)
    if (whole === undefined || whole.length > MODEL_LIMITS.manifestBytesMax) return undefined
    if (!kept.has(key)) keep(key, whole)
    return whole
  }
}
