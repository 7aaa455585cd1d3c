/**
 * A ChunkSource over the wire: manifests, leaves and holdings over a channel of the shard protocol, chunks over a bulk link where one can be had, else over
 * the channel too. What comes over a link proves nothing about the peer, because anybody on the way could have changed it: a chunk that is bad there
 * is asked for again over the channel.
 * Spec: docs/spec/shards.md §4, §5.
 * @module
 */
import { assert } from '../../base/assert.ts'
import type { Hash } from '../../base/brand.ts'
import { codeOf } from '../../base/error.ts'
import { DEADLINES, MODEL_LIMITS } from '../../base/limits.ts'
import { SHARD_LIMITS } from '../../base/swarm-limits.ts'
import { chunkCount, chunkLength, LEAF_BYTES } from '../../ml/chunk-tree.ts'
import { abortable } from '../../net/channel.ts'
import { withDeadline } from '../../net/deadline.ts'
import type { ShardQuestionBody } from '../../net/protocols/shards.ts'
import type { PeerAddress } from '../../net/wire.ts'
import type { BulkLink, LinkChunk, LinkDialler } from './bulk-link.ts'
import type { ChunkKeeper } from './chunk-keeper.ts'
import { isMapOf } from './chunk-map.ts'
import type { ChunkMap, ChunkOutcome, ChunkSource, FileId } from './chunk-source.ts'
import { type AskerPorts, openShardAsker, type ShardAsker } from './shard-asker.ts'

export interface SourcePorts extends AskerPorts {
  /** Where chunks go that come over the channel. */
  readonly keeper: ChunkKeeper
  /** Left out: everything comes over the channel. */
  readonly links?: LinkDialler | undefined
}

/** @throws WireError of `wire.open`: the peer cannot be reached, or serves no shards. */
export async function openChunkSource(to: PeerAddress, ports: SourcePorts, signal?: AbortSignal): Promise<ChunkSource> {
  const asker = await openShardAsker(to, ports, signal)
  const link = createLinkHolder(asker, to, ports)
  const parts: Parts = { asker, link, keeper: ports.keeper }
  let chunks = 0
  return {
    peer: to.peer,
    get bytesReceived() {
      return asker.bytesReceived + link.bytesReceived
    },
    holdings: (file, stop) => askHoldings(asker, file, stop),
    leaves: (file, stop) => askLeaves(asker, file, stop),
    manifest: (model, stop) => askManifest(asker, model, stop),
    async chunk(file, index, into, stop) {
      assert(chunks < SHARD_LIMITS.chunksAskedMax, 'no more chunks at a time than may be asked for')
      chunks++
      try {
        // Every chunk but the last has CHUNK_BYTES. The length of the last one follows from the size that the manifest tells, which nothing proves.
        const isSizeTold = index === chunkCount(file.bytes) - 1
        return await fetchChunk(
          parts,
          { ...file, index, length: chunkLength(file.bytes, index), into, isSizeTold },
          stop,
        )
      } finally {
        chunks--
      }
    },
    async close() {
      link.close()
      await asker.close()
    },
  }
}

interface Parts {
  readonly asker: ShardAsker
  readonly link: LinkHolder
  readonly keeper: ChunkKeeper
}

async function fetchChunk(
  { asker, link, keeper }: Parts,
  { isSizeTold, ...chunk }: LinkChunk & { readonly isSizeTold: boolean },
  signal: AbortSignal,
): Promise<ChunkOutcome> {
  const bulk = await abortable(link.current(), signal)
  if (bulk !== undefined) {
    const outcome = await bulk.fetch(chunk, signal).catch((error: unknown) => {
      if (codeOf(error) !== 'LINK_LOST') throw error
      return 'bad' as const
    })
    if (outcome !== 'bad') return outcome
    link.close()
  }
  const { root, index, length, into } = chunk
  const isLength = (total: number): number | undefined => (total === length ? length : undefined)
  const answer = await asker.ask({ type: 'chunk', root, index }, { signal, length: isLength, isSizeTold })
  if (answer.type !== 'bytes') return 'absent'
  if (await keeper.keep(index, into, answer.bytes)) return 'stored'
  asker.misbehaved('a chunk of it is not what its leaf says')
  return 'bad'
}

async function askHoldings(
  asker: ShardAsker,
  { root, bytes }: FileId,
  signal: AbortSignal,
): Promise<ChunkMap | undefined> {
  const answer = await asker.ask({ type: 'holdings', root }, { signal })
  if (answer.type !== 'holdings') return undefined
  // Its file of this name has another size. Nobody can tell whether the peer lies or the manifest that names the size.
  return isMapOf(bytes, answer.map) ? answer.map : undefined
}

async function askLeaves(asker: ShardAsker, file: FileId, signal: AbortSignal): Promise<Uint8Array | undefined> {
  const length = chunkCount(file.bytes) * LEAF_BYTES
  return await askPages((page) => ({ type: 'leaves', root: file.root, page }), {
    asker,
    signal,
    isTotal: (total) => total === length,
    isSizeTold: true,
  })
}

async function askManifest(asker: ShardAsker, model: Hash, signal: AbortSignal): Promise<Uint8Array | undefined> {
  return await askPages((page) => ({ type: 'manifest', model, page }), {
    asker,
    signal,
    isTotal: (total) => total > 0 && total <= MODEL_LIMITS.manifestBytesMax,
  })
}

interface PageOptions {
  readonly asker: ShardAsker
  readonly signal: AbortSignal
  /** Whether the whole may have so many bytes. */
  readonly isTotal: (total: number) => boolean
  readonly isSizeTold?: boolean
}

/** One page after the other; undefined when the peer does not have one of them. */
async function askPages(
  question: (page: number) => ShardQuestionBody,
  { asker, signal, isTotal, isSizeTold = false }: PageOptions,
): Promise<Uint8Array | undefined> {
  const pages: Uint8Array[] = []
  let filled = 0
  let whole: number | undefined
  do {
    const from = filled
    const length = (total: number): number | undefined =>
      (whole === undefined ? isTotal(total) : total === whole)
        ? Math.min(SHARD_LIMITS.pageBytesMax, total - from)
        : undefined
    const answer = await asker.ask(question(pages.length), { signal, length, isSizeTold })
    if (answer.type !== 'bytes') return undefined
    whole = answer.total
    pages.push(answer.bytes)
    filled += answer.bytes.length
  } while (filled < whole)
  return pages.length === 1 ? pages[0]! : Buffer.concat(pages)
}

interface LinkHolder extends Pick<BulkLink, 'close' | 'bytesReceived'> {
  /** The link while it is good; undefined where there is none, or none any more. */
  current(): Promise<BulkLink | undefined>
}

/** Asks for a link when the first chunk is wanted. */
function createLinkHolder(asker: ShardAsker, to: PeerAddress, { links, clock }: SourcePorts): LinkHolder {
  const closing = new AbortController()
  const { signal } = closing
  let opened: BulkLink | undefined
  let inTime: Promise<BulkLink | undefined> | undefined
  const open = async (): Promise<BulkLink | undefined> => {
    try {
      opened = links && (await openLink(asker, { to, links, signal }))
    } catch {
      // Chunks come over the channel, or it has the error that matters.
    }
    if (signal.aborted) opened?.close()
    return opened
  }
  return {
    get bytesReceived() {
      return opened?.bytesReceived ?? 0
    },
    async current() {
      // What is there in time; later it is looked whether it is there by then.
      inTime ??= withDeadline({ clock, limitMs: DEADLINES.linkWaitMs, signal }, open).catch(() => undefined)
      return signal.aborted ? undefined : (opened ?? (await inTime))
    },
    close() {
      closing.abort(new Error('the link is not wanted any more'))
      opened?.close()
    },
  }
}

async function openLink(
  asker: ShardAsker,
  { to, links, signal }: { readonly to: PeerAddress; readonly links: LinkDialler; readonly signal: AbortSignal },
): Promise<BulkLink | undefined> {
  for (const host of hostsOf(to.addresses)) {
    const answer = await asker.ask({ type: 'link' }, { signal })
    if (answer.type !== 'link' || answer.port < SHARD_LIMITS.linkPortMin) return undefined
    const place = { host, port: answer.port, ticket: answer.ticket }
    const link = await links.open(place, signal).catch((error: unknown) => {
      if (codeOf(error) !== 'LINK_UNREACHABLE') throw error
    })
    if (link !== undefined) return link
  }
  return undefined
}

const HOST = /^\/(?:ip4|ip6|dns|dns4|dns6)\/([^/]+)\//

const LOOPBACK = /^(?:127\.|::1$|localhost$)/

/** IP addresses and names in multiaddrs, each once, those of this machine last; those of relays are not the peer's. */
export function hostsOf(addresses: readonly string[]): string[] {
  const direct = addresses.filter((address) => !address.includes('/p2p-circuit'))
  const hosts = [...new Set(direct.flatMap((address) => HOST.exec(address)?.[1] ?? []))]
  const isOwn = (host: string): boolean => LOOPBACK.test(host)
  return [...hosts.filter((host) => !isOwn(host)), ...hosts.filter(isOwn)].slice(0, SHARD_LIMITS.linkHostsMax)
}
