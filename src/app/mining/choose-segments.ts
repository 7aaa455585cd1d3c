/**
 * Which segments a miner should serve where nobody said it: all if they fit, else the run that the network needs most, with room left for the run
 * that it may move to. From the placements on the chain, or where there is none from the offers that are heard.
 * Spec: docs/spec/cli.md §10, docs/spec/market.md §14.
 * @module
 */
import { bestResponse, isMoveStillGood, type Machine, type PlacementDecision } from '../../core/market/best-response.ts'
import type { SegmentNeed, SegmentRun } from '../../core/market/segment-balance.ts'
import type { ChainAccess } from '../chain/chain-access.ts'
import type { StoredModel } from '../model-store.ts'
import { type Post, weightBytesOf } from '../posts/post.ts'
import { filesOf, isHere } from '../shards/model-files.ts'
import { segmentNeeds } from './placement-facts.ts'
import { placementWords } from './placement-words.ts'
import type { SegmentChooser, SegmentRange } from './rebalance.ts'
import { type OwnAddresses, type Sighting, sightOnChain } from './sighting.ts'

export interface StartChoice {
  readonly decision: PlacementDecision
  readonly needs: readonly SegmentNeed[]
  /** Of weights, that were chosen within. */
  readonly bytes: number
}

/** Whether the machine holds every segment: then it serves all, and asks nobody. */
export function holdsAll(model: StoredModel, bytes: number): boolean {
  return model.manifest.segments.reduce((sum, { shard }) => sum + shard.bytes, 0) <= bytes
}

/**
 * What to begin with. `bytes`: room for weights; half of it stays free where not all fits, since who moves holds both runs for a while. What it served
 * before, or has on its disk, is left only for what is better by enough.
 */
export function chooseAtStart(model: StoredModel, { hosts, owner, rate, now }: Sighting, bytes: number): StartChoice {
  const needs = segmentNeeds(model)
  const smallest = Math.min(...needs.map((need) => need.bytes))
  const half = Math.max(Math.floor(bytes / 2), Math.min(bytes, smallest))
  const room = holdsAll(model, bytes) ? bytes : half
  const isThere = segmentsOnDisk(model)
  // Where all of them are there, no run costs a download.
  const before = now ?? (isThere.every(Boolean) ? undefined : runOnDisk(needs, isThere, room))
  const isHeld = before !== undefined && bytesOf(needs, before) <= room
  const machine: Machine = { owner, rate, bytes: room, now: isHeld ? { ...before, isServing: false } : undefined }
  return { needs, bytes: room, decision: bestResponse(needs, hosts, machine) }
}

function segmentsOnDisk(model: StoredModel): boolean[] {
  const shards = filesOf(model.manifest).filter(({ segment }) => segment !== undefined)
  return shards.map((file) => isHere(model, file))
}

/** The longest run that is there and fits; the first of equal ones. */
export function runOnDisk(
  needs: readonly SegmentNeed[],
  isThere: readonly boolean[],
  bytes: number,
): SegmentRun | undefined {
  let found: SegmentRun | undefined
  for (let first = 0; first < needs.length; first++) {
    for (let end = first + 1; end <= needs.length && isThere[end - 1]; end++) {
      if (bytesOf(needs, { first, end }) > bytes) break
      if (found === undefined || end - first > found.end - found.first) found = { first, end }
    }
  }
  return found
}

function bytesOf(needs: readonly SegmentNeed[], { first, end }: SegmentRun): number {
  return needs.slice(first, end).reduce((sum, { bytes }) => sum + bytes, 0)
}

/** What the chosen run adds beyond the one of now. Who makes way lets another one serve what nobody does. */
function worthOf({ verdict, chosen, now }: PlacementDecision): number[] {
  if (chosen === undefined || now === undefined) return []
  const serves = chosen.serves - now.serves + (verdict === 'make-way' ? 1 : 0)
  return [serves, chosen.restores - now.restores, chosen.gain - now.gain]
}

export interface ChooserParts {
  readonly chain: Pick<ChainAccess, 'market' | 'parameters'>
  readonly own: OwnAddresses
  /** Of all weights of this miner together. */
  readonly weightBytesMax: number
  /** Of what it serves now. */
  readonly posts: () => readonly Post[]
  /** Whether the miner may choose: whoever named the segments of a model has chosen. */
  readonly mayMove: (model: StoredModel) => boolean
}

/** Of a miner for pay, by the chain. */
export function createSegmentChooser(parts: ChooserParts): SegmentChooser {
  const { weightBytesMax, posts, mayMove } = parts
  const situation = async (post: Post, signal: AbortSignal) => {
    const needs = segmentNeeds(post.model)
    const sighting = await sightOnChain(post.model, parts, signal)
    const loaded = posts().reduce((sum, each) => sum + weightBytesOf(each), 0)
    const now = { first: post.firstSegment, end: post.lastSegment, isServing: true }
    const bytes = Math.max(0, weightBytesMax - loaded)
    const machine: Machine = { owner: sighting.owner, rate: sighting.rate, bytes, now }
    return { needs, machine, hosts: sighting.hosts }
  }
  return {
    async choose(post, signal) {
      const isWhole = post.lastSegment - post.firstSegment === post.model.manifest.segments.length
      if (isWhole || !mayMove(post.model)) return { move: undefined, worth: [], text: '' }
      const { needs, machine, hosts } = await situation(post, signal)
      const decision = bestResponse(needs, hosts, machine)
      const words = placementWords({
        model: post.model.manifest.name,
        needs,
        decision,
        bytes: machine.bytes,
        isServing: true,
      })
      const { verdict, chosen } = decision
      const isMove = verdict === 'move' || verdict === 'make-way'
      const move = isMove && chosen !== undefined ? { first: chosen.first, end: chosen.end } : undefined
      return { move, worth: worthOf(decision), text: words.join(' ') }
    },
    async isStillGood(post, run: SegmentRange, signal) {
      const { needs, machine, hosts } = await situation(post, signal)
      return isMoveStillGood(needs, hosts, { machine, run })
    },
  }
}
