/**
 * A miner changes what it serves while it runs, without a gap: the new post is loaded and offered first, then placed on the chain, and only then the
 * old one leaves; it goes when no lease has a lot there any more. What fails on the way leaves the old post where it was.
 * Spec: docs/spec/cli.md §10.
 * @module
 */
import { assert } from '../../base/assert.ts'
import type { Hash } from '../../base/brand.ts'
import { segmentsText } from '../chain/text-parts.ts'
import type { Post, PostWish } from '../posts/post.ts'
import { sameRun } from '../posts/post.ts'
import type { PostKeeper } from '../posts/post-keeper.ts'
import { createSerial } from '../store/serial.ts'
import type { MiningNotes } from './duty.ts'
import type { ModelMarkets } from './model-markets.ts'

export interface Moves {
  /**
   * Serves segments `first` to before `end` of a model that it serves already, instead of those of now. Resolves when new leases go there; the old post
   * leaves by itself. @throws what opening and placing throw.
   */
  moveTo(model: Hash, run: { readonly first: number; readonly end: number }, signal: AbortSignal): Promise<void>
  /** Serves one more model. `prepare`: between loading and offering it on the chain. @throws as `moveTo`, and what `prepare` throws. */
  begin(wish: PostWish, prepare: (post: Post) => Promise<void>, signal: AbortSignal): Promise<void>
  /** Serves a model no more: ends its placement, and resolves when its post is gone. */
  end(model: Hash, signal: AbortSignal): Promise<void>
}

export interface MovesParts {
  readonly keeper: PostKeeper
  readonly markets: ModelMarkets
  /** Leases at once that a run is offered for. */
  readonly slotsOf: (wish: PostWish) => number
  /** Whether leases or audits need a post that is leaving. */
  readonly isNeeded: (post: Post, signal: AbortSignal) => Promise<boolean>
  readonly notes: MiningNotes
}

export function createMoves({ keeper, markets, slotsOf, isNeeded, notes }: MovesParts): Moves {
  const serial = createSerial()
  const leave = (post: Post): void => keeper.leave(post, (signal) => isNeeded(post, signal))
  const say = (text: string): void => notes.say({ type: 'state', text })

  return {
    moveTo: (model, { first, end }, signal) =>
      serial(async () => {
        const market = markets.find(model)
        const old = keeper.find(model)
        assert(market && old, 'a miner moves within a model that it serves')
        const wish: PostWish = { model: old.model, firstSegment: first, lastSegment: end }
        if (sameRun(old, wish)) return
        const post = await keeper.open(wish, signal)
        try {
          await market.placement.change({ first, end, slots: slotsOf(wish) }, signal)
        } catch (error) {
          leave(post)
          throw error
        }
        leave(old)
        say(
          `Serves ${segmentsText(first, end)} of ${market.name} now; ${segmentsText(old.firstSegment, old.lastSegment)} stay loaded until no lease needs them.`,
        )
      }),
    begin: (wish, prepare, signal) =>
      serial(async () => {
        const { model, firstSegment: first, lastSegment: end } = wish
        const post = await keeper.open(wish, signal)
        try {
          await prepare(post)
          await markets.add({ model: model.hash, name: model.manifest.name, first, end, slots: slotsOf(wish) })
        } catch (error) {
          leave(post)
          throw error
        }
        say(`Serves ${segmentsText(first, end)} of ${model.manifest.name} as well.`)
      }),
    end: (model, signal) =>
      serial(async () => {
        const post = keeper.find(model)
        await markets.remove(model, signal)
        if (post === undefined) return
        leave(post)
        await keeper.gone(post)
      }),
  }
}
