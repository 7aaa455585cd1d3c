/**
 * Beginning from a snapshot: the state at a recent height, part by part from whoever has it, each part proved against a header
 * that the validators' stake signed, whoever described the parts. Until the last part holds, the store stays empty.
 * Spec: docs/spec/consensus.md §10.
 * @module
 */
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js'
import type { Hash, PeerId } from '../../base/brand.ts'
import { STATE_LIMITS } from '../../base/chain-limits.ts'
import { HouseError } from '../../base/error.ts'
import { type Block, blockHash, decodeBlock, type Header } from '../../core/block/block.ts'
import { createChain } from '../../core/chain.ts'
import type { StateChanges, StateKey } from '../../core/state/state.ts'
import {
  decodePart,
  joinParts,
  type PartPosition,
  type StatePart,
  type VerifiedPart,
  verifyPart,
} from '../../core/state/tree-parts.ts'
import { ProofError } from '../../core/state/tree-proof.ts'
import { type LightService, LightServiceError } from '../light/light-service.ts'
import { PeerRefusal } from './ask.ts'
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
  const { service, store, networkId } = sync
  const { header, entries } = await fetchState(sync)
  const { bytes, block } = await fetchBlock(sync, header)
  const { commit, set } = service.trusted
  const hash = blockHash(networkId, header)
  if (commit === undefined || commit.blockHash !== hash) throw gone(header.height)
  const { set: next, nextSet } = createChain({ networkId, header: block.header, commit, entries }).place()
  const validators = [set, next, nextSet]
  await store.replace({ networkId, height: header.height, hash, block: bytes, commit, entries, validators })
  return header.height
}

interface FetchedState {
  readonly header: Header
  readonly entries: StateChanges
}

/**
 * The state by one peer's description after the other's, until one makes up a whole state. How a state is cut into parts is the word of
 * who describes it: where that word does not hold, nobody else is blamed.
 */
async function fetchState(sync: SnapshotSync): Promise<FetchedState> {
  const { service, signal } = sync
  const held: HeldParts = new Map()
  let height: number | undefined
  const found = await service.ask<FetchedState>(
    { type: 'snapshot' },
    async (told, describer) => {
      const offer = await offered(sync, told.items, describer)
      if (offer === undefined) return undefined
      height = offer.header.height
      const entries = await fetchParts(sync, { ...offer, describer, held })
      return entries && { header: offer.header, entries }
    },
    signal,
  )
  if (found !== undefined) return found
  if (height !== undefined) throw gone(height)
  const message = 'No node offers a snapshot yet. Start without --snapshot; the node then checks every block.'
  throw new SnapshotError('SNAPSHOT_NOT_FOUND', message)
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
  requireApart(positions)
  const told = await service.askPeer(peer, { type: 'headers', from: height, count: 1 }, signal)
  return { header: await service.follow(told.items, peer, signal), positions }
}

/** @throws ProofError PARTS_OVERLAP unless each part begins where the one before ends, or later. */
function requireApart(positions: readonly PartPosition[]): void {
  let end = 0
  for (const { depthBits, index } of positions) {
    const width = 2 ** (STATE_LIMITS.partDepthBitsMax - depthBits)
    if (index * width < end) {
      throw new ProofError('PARTS_OVERLAP', 'Two parts of the snapshot hold the same keys. Ask another node.')
    }
    end = (index + 1) * width
  }
}

interface HeldPart {
  readonly part: StatePart
  readonly verified: VerifiedPart
}

/** Parts that were proved, by root and position: another description may name them too. */
type HeldParts = Map<string, HeldPart>

interface Plan extends Offered {
  readonly describer: PeerId
  readonly held: HeldParts
}

/** All entries; undefined when nobody gives a part. @throws ProofError when the described parts do not make up the state. */
async function fetchParts(sync: SnapshotSync, plan: Plan): Promise<StateChanges | undefined> {
  const { header, positions, held } = plan
  const names = positions.map((position) => nameOf(header, position))
  // No more than one state is ever held.
  const planned = new Set(names)
  for (const name of held.keys()) if (!planned.has(name)) held.delete(name)
  const entries: [StateKey, Uint8Array][] = []
  for (const [index, name] of names.entries()) {
    sync.onProgress(index, positions.length)
    const found = held.get(name) ?? (await fetchPart(sync, plan, index))
    if (found === undefined) return undefined
    held.set(name, found)
    for (const { key, value } of found.part.entries) entries.push([bytesToHex(key) as StateKey, value])
  }
  joinParts({ root: hexToBytes(header.stateRoot), parts: names.map((name) => held.get(name)!.verified) })
  sync.onProgress(positions.length, positions.length)
  return entries
}

function nameOf({ stateRoot }: Header, { depthBits, index }: PartPosition): string {
  return `${stateRoot}/${depthBits}/${index}`
}

/** A part from anybody who has it: each is proved by itself. undefined: nobody has it under this number. */
async function fetchPart(
  { service, signal }: SnapshotSync,
  { header, positions, describer }: Plan,
  index: number,
): Promise<HeldPart | undefined> {
  const { height, stateRoot } = header
  const planned = positions[index]
  const read = async (items: readonly Uint8Array[], peer: PeerId): Promise<HeldPart | undefined> => {
    if (items[0] === undefined) return undefined
    const part = decodePart(items[0])
    const verified = verifyPart({ root: hexToBytes(stateRoot), part })
    if (part.depthBits === planned?.depthBits && part.index === planned.index) return { part, verified }
    // A true part of another place: the description was false, or this node cuts its snapshot in another way.
    if (peer !== describer) return undefined
    throw new ProofError('PROOF_BAD_SHAPE', 'Another part came than was described.')
  }
  try {
    return await service.ask({ type: 'snapshot-part', height, index }, ({ items }, peer) => read(items, peer), signal)
  } catch (error) {
    // Whoever lied is remembered; the next description may name parts that somebody has.
    if (error instanceof PeerRefusal || (error instanceof LightServiceError && error.code !== 'LIGHT_FORK'))
      return undefined
    throw error
  }
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
