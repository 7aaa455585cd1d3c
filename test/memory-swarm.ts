/**
 * Peers in memory that give chunks of files, honestly or not, for downloads without a wire.
 * @module
 */

import { leavesOfBytes, rootOfBytes } from '../src/app/shards/chunk-hash.ts'
import { createChunkKeeper } from '../src/app/shards/chunk-keeper.ts'
import { fullMap } from '../src/app/shards/chunk-map.ts'
import { type ChunkMap, type ChunkSource, ChunkSourceError, type FileId } from '../src/app/shards/chunk-source.ts'
import type { SwarmPeers } from '../src/app/swarm/contacts.ts'
import { type Hash, type PeerId, peerId } from '../src/base/brand.ts'
import { CHUNK_BYTES } from '../src/ml/chunk-tree.ts'
import { drawsOf } from './swarm-world.ts'

export interface MemoryFile {
  readonly id: FileId
  readonly bytes: Uint8Array
}

/** A file whose bytes follow from its number. */
export function memoryFile(number: number, length: number): MemoryFile {
  const draw = drawsOf(BigInt(number))
  const bytes = new Uint8Array(length)
  // Each chunk is another one, and not worth more draws than that.
  for (let at = 0; at < length; at += CHUNK_BYTES) bytes.fill(1 + Math.floor(draw() * 250), at, at + CHUNK_BYTES)
  for (let at = 0; at < length; at += CHUNK_BYTES) bytes[at] = (at / CHUNK_BYTES) & 0xff
  return { id: { root: rootOfBytes(bytes), bytes: length }, bytes }
}

export interface MemoryPeer {
  readonly name: string
  readonly files: readonly MemoryFile[]
  /** What it has of a file; left out: all. */
  readonly mapOf?: (file: FileId) => ChunkMap | undefined
  /** From this chunk that it gives on, they are wrong. */
  readonly liesAfter?: number
  readonly liesAboutLeaves?: boolean
  readonly hasNoLeaves?: boolean
  /** After so many chunks its connection is gone, each time anew. */
  readonly diesAfter?: number
  /** It never answers about chunks. */
  readonly isSilent?: boolean
  /** Says that it has chunks that it does not give. */
  readonly deniesChunks?: boolean
  readonly manifests?: ReadonlyMap<Hash, Uint8Array>
}

export interface MemorySwarm extends SwarmPeers {
  /** Chunks that were asked of each peer, `root index`. */
  readonly asked: ReadonlyMap<PeerId, readonly string[]>
  /** Peers that were blamed, and those whose bad chunks the wire was told of. */
  readonly blamed: readonly PeerId[]
  /** Chunks that are on their way now, but for those that never come. */
  readonly busy: number
  /** How often each peer was opened. */
  readonly opened: ReadonlyMap<PeerId, number>
}

export function memorySwarm(peers: readonly MemoryPeer[]): MemorySwarm {
  const asked = new Map<PeerId, string[]>()
  const opened = new Map<PeerId, number>()
  const blamed: PeerId[] = []
  const log: Log = { asked, busy: 0 }
  return {
    ...{ asked, opened, blamed },
    get busy() {
      return log.busy
    },
    async *search() {
      for (const { name } of peers) yield { peer: peerId(name), addresses: [] }
    },
    open: async ({ peer }) => {
      opened.set(peer, (opened.get(peer) ?? 0) + 1)
      if (!asked.has(peer)) asked.set(peer, [])
      return memorySource(peers.find(({ name }) => name === peer)!, log)
    },
    blame: (peer) => void blamed.push(peer),
  }
}

interface Log {
  readonly asked: Map<PeerId, string[]>
  busy: number
}

function memorySource(peer: MemoryPeer, log: Log): ChunkSource {
  const keeper = createChunkKeeper()
  const find = ({ root }: FileId): MemoryFile | undefined => peer.files.find(({ id }) => id.root === root)
  let given = 0
  let isLost = false
  const give: ChunkSource['chunk'] = async (file, index, into, signal) => {
    signal.throwIfAborted()
    if (peer.deniesChunks) return 'absent'
    if (given >= (peer.diesAfter ?? Number.POSITIVE_INFINITY)) isLost = true
    if (isLost) throw lost()
    const chunk = find(file)!.bytes.slice(index * CHUNK_BYTES, (index + 1) * CHUNK_BYTES)
    if (given++ >= (peer.liesAfter ?? Number.POSITIVE_INFINITY)) chunk[7]! ^= 1
    return (await keeper.keep(index, into, chunk)) ? 'stored' : 'bad'
  }
  const lost = () => new ChunkSourceError('CHUNK_SOURCE_LOST', 'Nothing more is taken from the peer: it is gone.')
  return {
    peer: peerId(peer.name),
    bytesReceived: 0,
    holdings: async (file) => {
      if (isLost) throw lost()
      const found = find(file)
      return found && (peer.mapOf ? peer.mapOf(file) : fullMap(file.bytes))
    },
    leaves: async (file) => {
      if (isLost) throw lost()
      const found = find(file)
      if (found === undefined || peer.hasNoLeaves) return undefined
      const leaves = leavesOfBytes(found.bytes)
      if (peer.liesAboutLeaves) leaves[0]! ^= 1
      return leaves
    },
    chunk: async (file, index, into, signal) => {
      log.asked.get(peerId(peer.name))!.push(`${file.root} ${index}`)
      if (peer.isSilent) {
        await new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
      }
      log.busy++
      try {
        await new Promise((resolve) => setImmediate(resolve))
        return await give(file, index, into, signal)
      } finally {
        log.busy--
      }
    },
    manifest: async (model) => peer.manifests?.get(model),
    close: async () => {
      isLost = true
    },
  }
}
