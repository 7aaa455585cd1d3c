/**
 * A miner changes what it serves while it runs, without a gap: the new post is loaded and offered first, then placed on the chain, and only then the
 * old one leaves; it goes when no lease has a lot there any more. What fails on the way leaves the old post where it was.
 * Spec: docs/spec/posts.md §3.
 * @module
 */
import { assert } from '../../base/assert.ts'
import type { Hash } from '../../base/brand.ts'
import { segmentsText } from '../chain/text-parts.ts'
import type { ModelFiles } from '../posts/model-files.ts'
import type { Post, PostWish } from '../posts/post.ts'
import { sameRun } from '../posts/post.ts'
import type { CheckPost, LeaveOptions, PostKeeper } from '../posts/post-keeper.ts'
import { createSerial } from '../store/serial.ts'
import type { MiningNotes } from './duty.ts'
import type { ModelMarkets } from './model-markets.ts'

export interface Moves {
  /**
   * Serves another run of a model that it serves already, instead of the one of now. Resolves when new leases go there; the old post leaves by itself.
   * False: it did not move, since the model is served no more, the run is the one of now, or `confirm` said no. @throws what opening and placing throw.
   */
  moveTo(model: Hash, run: RunToMoveTo, signal: AbortSignal): Promise<boolean>
  /** Serves one more model. `check`: between loading and offering it. @throws as `moveTo`, and what `check` throws. */
  begin(wish: PostWish, check: CheckPost, signal: AbortSignal): Promise<void>
  /** Ends a fetch of another run of this model: nobody needs it there. */
  breakOff(model: Hash): void
  /** Serves a model no more that nobody can lease: ends its placement, and resolves when its post is gone, after its last lease. */
  end(model: Hash, signal: AbortSignal): Promise<void>
}

export interface RunToMoveTo {
  readonly first: number
  /** Exclusive. */
  readonly end: number
  /** Asked when the run is loaded, right before it takes the place of the other; default: yes. */
  readonly confirm?: () => Promise<boolean>
}

export interface MovesParts {
  readonly keeper: PostKeeper
  readonly markets: ModelMarkets
  readonly files: ModelFiles
  /** Leases at once that a run is offered for. */
  readonly slotsOf: (wish: PostWish) => number
  /** Whether leases or audits need a post that is leaving. */
  readonly isNeeded: (post: Post, signal: AbortSignal) => Promise<boolean>
  /** Whether sessions of a model need a lease. */
  readonly isLeased: (model: Hash) => boolean
  readonly notes: MiningNotes
}

export function createMoves({ keeper, markets, files, slotsOf, isNeeded, isLeased, notes }: MovesParts): Moves {
  const serial = createSerial()
  const fetching = new Map<Hash, AbortController>()
  const breakOff = (model: Hash): void => fetching.get(model)?.abort(new Error('nobody needs it there'))
  /** False: it was broken off. */
  const fetch = async (wish: PostWish, signal: AbortSignal): Promise<boolean> => {
    const breaking = new AbortController()
    const { hash } = wish.model
    fetching.set(hash, breaking)
    try {
      await files.ensure(wish, AbortSignal.any([signal, breaking.signal]))
    } catch (error) {
      if (!breaking.signal.aborted) throw error
    } finally {
      if (fetching.get(hash) === breaking) fetching.delete(hash)
    }
    return !breaking.signal.aborted
  }
  const leave = (post: Post, options?: LeaveOptions): void =>
    keeper.leave(post, (signal) => isNeeded(post, signal), options)
  const say = (text: string): void => notes.say({ type: 'state', text })

  return {
    async moveTo(model, { first, end, confirm = async () => true }, signal) {
      const served = keeper.find(model)
      assert(served, 'a miner moves within a model that it serves')
      const wish: PostWish = { model: served.model, firstSegment: first, lastSegment: end }
      // It may take hours, in which another model may move.
      if (!(await fetch(wish, signal))) return false
      return serial(async () => {
        const market = markets.find(model)
        const old = keeper.find(model)
        if (market === undefined || old === undefined || sameRun(old, wish)) return false
        const post = await keeper.open(wish, signal)
        try {
          if (!(await confirm())) {
            leave(post)
            return false
          }
          await market.placement.change({ first, end, slots: slotsOf(wish) }, signal)
        } catch (error) {
          leave(post)
          throw error
        }
        leave(old)
        say(
          `Serves ${segmentsText(first, end)} of ${market.name} now; ${segmentsText(old.firstSegment, old.lastSegment)} stay loaded until no lease needs them.`,
        )
        return true
      })
    },
    async begin(wish, check, signal) {
      await files.ensure(wish, signal)
      await serial(async () => {
        const { model, firstSegment: first, lastSegment: end } = wish
        const post = await keeper.open(wish, signal, check)
        try {
          await markets.add({ model: model.hash, name: model.manifest.name, first, end, slots: slotsOf(wish) })
        } catch (error) {
          leave(post)
          throw error
        }
        say(`Serves ${segmentsText(first, end)} of ${model.manifest.name} as well.`)
      })
    },
    breakOff,
    async end(model, signal) {
      breakOff(model)
      const left = await serial(async () => {
        const post = keeper.find(model)
        const isClosed = isLeased(model)
        await markets.remove(model, signal)
        if (post !== undefined) leave(post, { isClosed })
        return post
      })
      if (left !== undefined) await keeper.gone(left, signal)
    },
  }
}
