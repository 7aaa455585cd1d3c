/**
 * Beginning from a snapshot: the state at a recent height, part by part from whoever has it, each part proved against a header
 * that the validators' stake signed. Until the last part holds, the store stays empty.
 * Spec: docs/spec/consensus.md §10.
 * @module
 */
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js'
import type { Hash, PeerId } from '../../base/brand.ts'
import { HouseError } from '../../base/error.ts'
import { type Block, blockHash, decodeBlock, type Header } from '../../core/block/block.ts'
import { createChain } from '../../core/chain.ts'
import type { StateChanges, StateKey } from '../../core/state/state.ts'
import { decodePart, joinParts, type PartPosition, type VerifiedPart, verifyPart } from '../../core/state/tree-parts.ts'
import { ProofError } from '../../core/state/tree-proof.ts'
import type { LightService } from '../light/light-service.ts'
import type { NodeStore } from './node-store.ts'
import { decodeSnapshot } from './snapshot-format.ts'

export class SnapshotError extends HouseError<'SNAPSHOT_NOT_FOUND' | 'SNAPSHOT_GONE'> {}

export interface SnapshotSync {
  readonly networkId: Hash
  readonly service: LightService
  /** Empty. */
  readonly store: NodeStore
  /** Parts so far, of how many. */
  readonly onProgress: (done: number, total: number) => void
  readonly signal: AbortSignal
}

/** Fills the store; returns the height. @throws SnapshotError, LightServiceError: the store is as it was. */
export async function syncSnapshot(sync: SnapshotSync): Promise<number> {
  const { service, store, networkId, signal } = sync
  const found = await service.ask({ type: 'snapshot' }, (told, peer) => offered(sync, told.items, peer), signal)
  if (found === undefined) {
    const message = 'No node offers a snapshot yet. Start without --snapshot; the node then checks every block.'
    throw new SnapshotError('SNAPSHOT_NOT_FOUND', message)
  }
  const { header, positions } = found
  const entries = await fetchParts(sync, header, positions)
  const { bytes, block } = await fetchBlock(sync, header)
  const { commit, set } = service.trusted
  const hash = blockHash(networkId, header)
  if (commit === undefined || commit.blockHash !== hash) throw gone(header.height)
  const { set: next, nextSet } = createChain({ networkId, header: block.header, commit, entries }).place()
  const validators = [set, next, nextSet]
  await store.replace({ networkId, height: header.height, hash, block: bytes, commit, entries, validators })
  return header.height
}

interface Offered {
  readonly header: Header
  readonly positions: readonly PartPosition[]
}

/** The description is the peer's word; the header is followed, and the parts prove the rest. */
async function offered(
  { service, signal }: SnapshotSync,
  items: readonly Uint8Array[],
  peer: PeerId,
): Promise<Offered | undefined> {
  const [description] = items
  if (description === undefined) return undefined
  const { height, positions } = decodeSnapshot(description)
  const told = await service.askPeer(peer, { type: 'headers', from: height, count: 1 }, signal)
  return { header: await service.follow(told.items, peer, signal), positions }
}

async function fetchParts(
  { service, onProgress, signal }: SnapshotSync,
  { height, stateRoot }: Header,
  positions: readonly PartPosition[],
): Promise<StateChanges> {
  const root = hexToBytes(stateRoot)
  const entries: [StateKey, Uint8Array][] = []
  const parts: VerifiedPart[] = []
  for (const [index, { depthBits, index: place }] of positions.entries()) {
    onProgress(index, positions.length)
    const found = await service.ask(
      { type: 'snapshot-part', height, index },
      async ({ items }) => {
        if (items[0] === undefined) return undefined
        const part = decodePart(items[0])
        if (part.depthBits !== depthBits || part.index !== place) {
          throw new ProofError('PROOF_BAD_SHAPE', 'Another part came than was asked for.')
        }
        return { part, verified: verifyPart({ root, part }) }
      },
      signal,
    )
    // The newest snapshot has moved on at everybody.
    if (found === undefined) throw gone(height)
    parts.push(found.verified)
    for (const { key, value } of found.part.entries) entries.push([bytesToHex(key) as StateKey, value])
  }
  joinParts({ root, parts })
  onProgress(positions.length, positions.length)
  return entries
}

async function fetchBlock(
  { service, networkId, signal }: SnapshotSync,
  header: Header,
): Promise<{ readonly bytes: Uint8Array; readonly block: Block }> {
  const found = await service.ask(
    { type: 'blocks', from: header.height, count: 1 },
    async ({ items }) => {
      const [bytes] = items
      if (bytes === undefined) return undefined
      const block = decodeBlock(bytes)
      if (blockHash(networkId, block.header) === blockHash(networkId, header)) return { bytes, block }
      throw new ProofError('PROOF_WRONG_ROOT', `The block that came is not block ${header.height}.`)
    },
    signal,
  )
  if (found === undefined) throw gone(header.height)
  return found
}

function gone(height: number): SnapshotError {
  const message = `The snapshot of block ${height} is not handed out any more: a newer one took its place. Start again.`
  return new SnapshotError('SNAPSHOT_GONE', message, { details: { height } })
}
