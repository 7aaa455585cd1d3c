/**
 * The duty that moves a miner to where it does most good. It looks at random times, so that miners do not all move at once; what it decided is asked again
 * when the new segments are loaded, since others may have moved meanwhile.
 * Spec: docs/spec/market.md §14, docs/spec/posts.md §5.
 * @module
 */
import { codeOf, messageOf } from '../../base/error.ts'
import type { Log, Random } from '../../base/ports.ts'
import { createTasks } from '../audit/tasks.ts'
import type { Post } from '../posts/post.ts'
import type { PostKeeper } from '../posts/post-keeper.ts'
import type { Duty, MiningNotes } from './duty.ts'
import type { MiningMode } from './mode.ts'
import type { ModelMarkets } from './model-markets.ts'
import type { Moves } from './moves.ts'

export interface SegmentRange {
  readonly first: number
  /** Exclusive. */
  readonly end: number
}

/** What a miner should serve of a model, and why, as sentences. */
export interface SegmentChoice {
  /** undefined: what it serves now. */
  readonly move: SegmentRange | undefined
  /** What the move adds to the balance, the first number that differs counts: market.md §14. */
  readonly worth: readonly number[]
  readonly text: string
}

/** Who knows how well the segments of a model are served. */
export interface SegmentChooser {
  /** @throws what keeps the chain from being asked. */
  choose(post: Post, signal: AbortSignal): Promise<SegmentChoice>
  /** Whether a move that was decided some time ago is still worth it, and opens no gap. */
  isStillGood(post: Post, run: SegmentRange, signal: AbortSignal): Promise<boolean>
}

/** Blocks between two looks, on average and at most: some ten minutes, since a move costs a download. */
const REBALANCE_BLOCKS_MAX = 300
/** After a move. */
const SOON_BLOCKS = 20

export interface RebalanceParts {
  readonly chooser: SegmentChooser
  readonly keeper: Pick<PostKeeper, 'find'>
  readonly markets: Pick<ModelMarkets, 'all'>
  readonly moves: Moves
  readonly notes: MiningNotes
  readonly mode: () => MiningMode
  /** How far ahead a placement is promised, blocks: who is lost is missed no sooner. 0: not known yet. */
  readonly placementBlocks: () => number
}

export interface Rebalance {
  readonly duty: Duty
  /** Resolves when no move is under way; it ends with the signal of the look that began it. */
  idle(): Promise<void>
}

/** A move that is worth it. */
interface Wish {
  readonly post: Post
  readonly move: SegmentRange
  readonly worth: readonly number[]
  readonly text: string
}

/** Positive: the first is worth more. */
function compareWorth(one: readonly number[], other: readonly number[]): number {
  const differing = one.findIndex((value, index) => value !== other[index])
  return differing < 0 ? 0 : one[differing]! - (other[differing] ?? 0)
}

export function createRebalance(
  parts: RebalanceParts,
  ports: { readonly log: Log; readonly random: Random },
): Rebalance {
  const { chooser, keeper, markets, moves, notes, mode, placementBlocks } = parts
  const tasks = createTasks(ports.log)
  let next: number | undefined
  let height = 0
  /** Since the last move: what is in the way may be so for days. */
  const told = new Set<string>()

  const say = (text: string, type: 'state' | 'problem' = 'state'): void => {
    if (!told.has(text)) notes.say({ type, text })
    told.add(text)
  }
  const failed = (error: unknown, signal: AbortSignal): void => {
    if (!signal.aborted) say(`Cannot move: ${messageOf(error)} (${codeOf(error) ?? 'BUG'})`, 'problem')
  }
  /** One move at a time, that which adds most: it takes room that the others counted on. Those of models that are being moved wait. */
  const moveMost = async (posts: readonly Post[], signal: AbortSignal): Promise<void> => {
    const wishes: Wish[] = []
    for (const post of posts) {
      try {
        const { move, worth, text } = await chooser.choose(post, signal)
        if (move !== undefined) wishes.push({ post, move, worth, text })
      } catch (error) {
        failed(error, signal)
      }
    }
    const [most] = wishes.toSorted((one, other) => compareWorth(other.worth, one.worth))
    if (most === undefined) return
    say(most.text)
    tasks.begin(
      most.post.model.hash,
      () => moveTo(most, signal),
      (error) => failed(error, signal),
    )
  }
  const moveTo = async ({ post, move }: Wish, signal: AbortSignal): Promise<void> => {
    const confirm = (): Promise<boolean> => chooser.isStillGood(post, move, signal)
    const isMoved = await moves.moveTo(post.model.hash, { ...move, confirm }, signal)
    if (!isMoved) return say('Stays where it is: others have moved, or its model has ended, meanwhile.')
    told.clear()
    // Somebody else may have left the same segments in the same block: then one of the two goes back.
    next = Math.min(next ?? height, height + drawnFrom(SOON_BLOCKS))
  }
  /** From half of this to one and a half times. */
  const drawnFrom = (blocks: number): number => {
    const drawn = new DataView(ports.random.bytes(4).buffer).getUint32(0)
    return Math.floor(blocks / 2) + (drawn % blocks)
  }

  return {
    idle: tasks.idle,
    duty: {
      name: 'rebalance',
      async look(head, signal) {
        height = head.height
        const blocks = Math.min(REBALANCE_BLOCKS_MAX, placementBlocks())
        if (blocks === 0) return
        next ??= height + drawnFrom(blocks)
        if (height < next || mode() !== 'run') return
        next = height + drawnFrom(blocks)
        const posts = markets.all.flatMap(({ placement: { run, until } }) => {
          const post = keeper.find(run.model)
          // What the chain does not know of yet is not weighed either.
          return post === undefined || until === undefined || tasks.isRunning(run.model) ? [] : [post]
        })
        await moveMost(posts, signal)
      },
    },
  }
}
