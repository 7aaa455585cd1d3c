/**
 * The posts of a running miner: opens them, moves from one to another without a gap, and gives them up when nobody needs them any more. A new post is
 * offered before an old one leaves; sessions end where they began. Knows no chain: what else keeps a post is asked of its caller.
 * Spec: docs/spec/posts.md §3.
 * @module
 */
import { assert } from '../../base/assert.ts'
import { type Hash, type Milliseconds, milliseconds } from '../../base/brand.ts'
import { codeOf, messageOf } from '../../base/error.ts'
import { DEADLINES } from '../../base/limits.ts'
import type { Clock, Log } from '../../base/ports.ts'
import type { EngineError } from '../../ml/engine/engine.ts'
import type { Miner } from '../miner.ts'
import type { ModelFiles } from './model-files.ts'
import type { Engines, OpenEngine } from './open-engine.ts'
import { type Post, type PostToServe, type PostWish, sameRun } from './post.ts'

export interface PostKeeper {
  /** Those that sessions open with now: also those that are leaving. */
  readonly posts: readonly Post[]
  /** Those of them that are not leaving. */
  staying(): readonly Post[]
  /** The one of them that serves this model. */
  find(model: Hash): Post | undefined
  /**
   * Fetches what is missing, loads, measures and offers it; one that is leaving stays. `check`: after loading, and before anybody hears of it; what it
   * throws keeps it from being served. @throws what the files throw; PostError POST_NO_MEMORY, EngineError; the signal's reason.
   */
  open(wish: PostWish, signal: AbortSignal, check?: CheckPost): Promise<Post>
  /** It leaves: at once no session comes that can go elsewhere, and it goes when its offers have died, `isNeeded` says no and its sessions have ended. */
  leave(post: Post, isNeeded: IsNeeded, options?: LeaveOptions): void
  /** Resolves when a post that was leaving is gone, or has been taken back; rejects with the signal's reason. */
  gone(post: Post, signal: AbortSignal): Promise<void>
  /** Resolves when an engine is gone although nobody closed it. */
  readonly lost: Promise<EngineError>
  /** Gives up waiting. The miner closes the engines. */
  close(): Promise<void>
}

export type CheckPost = (post: PostToServe) => Promise<void>

export interface LeaveOptions {
  /** Nobody comes by an offer: its sessions need leases, and there are none to be had. Then the offers need not die first. Default: false. */
  readonly isClosed?: boolean
}

/** Whether somebody has a right to open sessions there, or work waits for its engine. */
export type IsNeeded = (signal: AbortSignal) => Promise<boolean>

export interface KeeperParts {
  readonly miner: Pick<Miner, 'posts' | 'add' | 'setLeaving' | 'withdraw'>
  readonly engines: Engines
  readonly files: ModelFiles
  /** The engines that the miner began with. */
  readonly first: readonly OpenEngine[]
}

/** Between two looks whether a post is needed. */
const LOOK_MS = milliseconds(5_000)

interface Going extends Required<LeaveOptions> {
  readonly isNeeded: IsNeeded
  readonly signal: AbortSignal
}

/** A post on its way out. */
interface Leaving {
  /** Takes it back. */
  readonly back: AbortController
  readonly done: Promise<void>
  /** It takes no sessions any more, and nobody can take it back. */
  isGoing: boolean
}

export function createPostKeeper(parts: KeeperParts, { clock, log }: { clock: Clock; log: Log }): PostKeeper {
  const { miner, engines, files } = parts
  const closing = new AbortController()
  const leaving = new Map<Post, Leaving>()
  const lost = Promise.withResolvers<EngineError>()
  const engineOf = new Map<PostToServe['host'], OpenEngine>()

  const keep = (engine: OpenEngine): void => {
    engineOf.set(engine.host, engine)
    void engine.lost.then((error) => lost.resolve(error))
  }
  const setLeaving = (post: Post, isLeaving: boolean): void => {
    miner.setLeaving(post, isLeaving)
    engineOf.get(post.host)?.setLeaving(isLeaving)
  }
  const wait = (delayMs: Milliseconds, signal: AbortSignal): Promise<void> => clock.sleep(delayMs, signal)
  const goLater = async (post: Post, { isNeeded, isClosed, signal }: Going): Promise<void> => {
    // Whoever was told of the post while it was offered may still come.
    if (!isClosed) await wait(milliseconds(DEADLINES.offerMs), signal)
    while (await isNeeded(signal).catch(() => true)) await wait(LOOK_MS, signal)
    signal.throwIfAborted()
    leaving.get(post)!.isGoing = true
    await miner.withdraw(post)
    engineOf.delete(post.host)
    leaving.delete(post)
  }
  const takeBack = async (post: Post): Promise<void> => {
    const way = leaving.get(post)
    way?.back.abort()
    await way?.done
  }
  const staying = (): readonly Post[] => miner.posts.filter((post) => !leaving.has(post))
  parts.first.forEach(keep)

  return {
    posts: miner.posts,
    staying,
    find: (model) => staying().find((post) => post.model.hash === model),
    async open(wish, signal, check = async () => undefined) {
      const known = miner.posts.find((post) => post.model.hash === wish.model.hash && sameRun(post, wish))
      if (known !== undefined) {
        await takeBack(known)
        await check(known)
        return known
      }
      await files.ensure(wish, signal)
      signal.throwIfAborted()
      const engine = await engines.open(wish)
      try {
        await check(engine)
        const post = await miner.add(engine)
        keep(engine)
        return post
      } catch (error) {
        await engine.host.close()
        throw error
      }
    },
    leave(post, isNeeded, { isClosed = false } = {}) {
      if (leaving.has(post)) return
      assert(miner.posts.includes(post), 'a post that leaves is served')
      setLeaving(post, true)
      const back = new AbortController()
      const signal = AbortSignal.any([back.signal, closing.signal])
      const done = goLater(post, { isNeeded, isClosed, signal }).catch((error: unknown) => {
        if (!signal.aborted) log.write('warn', 'post.not_closed', { code: codeOf(error), why: messageOf(error) })
        leaving.delete(post)
        if (back.signal.aborted) setLeaving(post, false)
      })
      leaving.set(post, { back, done, isGoing: false })
    },
    gone: (post, signal) => untilDone(leaving.get(post)?.done, signal),
    lost: lost.promise,
    async close() {
      closing.abort()
      await Promise.all([...leaving.values()].map(({ done }) => done))
    },
  }
}

async function untilDone(done: Promise<void> | undefined, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted()
  const { promise, reject } = Promise.withResolvers<void>()
  const abort = (): void => reject(signal.reason)
  signal.addEventListener('abort', abort, { once: true })
  try {
    await Promise.race([done, promise])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}
