/**
 * The replica at work: takes inputs one after the other and carries out what the replica wants done, in its order. Owns the
 * timers. Decides nothing itself. Spec: docs/spec/consensus.md §2.
 * @module
 */
import { assert } from '../../base/assert.ts'
import type { Hash, PeerId } from '../../base/brand.ts'
import { milliseconds } from '../../base/brand.ts'
import { NODE_LIMITS } from '../../base/chain-limits.ts'
import { messageOf } from '../../base/error.ts'
import type { Clock, Log } from '../../base/ports.ts'
import type { Steps } from '../../base/steps.ts'
import type { AppliedBlock, Chain } from '../../core/chain.ts'
import type { LedgerWork } from '../../core/consensus/ledger.ts'
import { encodeProposal, encodeVote } from '../../core/consensus/messages.ts'
import type { Replica } from '../../core/consensus/replica.ts'
import type { Effect, Input, Message } from '../../core/consensus/replica-port.ts'
import type { Verdict, Wire } from '../../net/wire.ts'
import type { Turns } from '../turns.ts'
import { TOPICS } from './topics.ts'
import type { VoteKeeper } from './vote-keeper.ts'

/** An input without the time at which it is taken. */
export type NewInput = Input extends infer Each ? (Each extends Input ? Omit<Each, 'nowMs'> : never) : never

export interface ConsensusEvents {
  /** On the disk, before anything else happens. */
  save(applied: AppliedBlock): Promise<void>
  /** After it was saved. */
  onFinal(applied: AppliedBlock): void
  onBehind(height: number): void
  onEvidence(effect: Effect & { type: 'evidence' }): void
  /** The node cannot go on: the disk failed, or a quorum made an invalid block final. */
  onFatal(error: unknown): void
}

export interface ConsensusDriver {
  /**
   * Resolves when the input was taken and its effects were carried out: whether news of it goes on to others. `ignore` when it is not
   * new or not right, when too much waits, or the driver has stopped; who is at fault was judged.
   */
  take(input: NewInput): Promise<Verdict>
  /**
   * Reads the replica between two inputs, when all that it wanted done is done: what it has signed is on the disk. undefined when too
   * much waits, or the driver has stopped.
   */
  atRest<Value>(read: () => Value): Promise<Value | undefined>
  /** Inputs under way are finished; timers are gone. */
  stop(): Promise<void>
}

export interface DriverParts {
  readonly networkId: Hash
  readonly replica: Replica
  readonly chain: Chain
  readonly keeper: VoteKeeper
  readonly events: ConsensusEvents
  readonly wire: Wire
  readonly clock: Clock
  readonly turns: Turns
  /** Has done what work of the ledger needs and others do, before it begins. */
  readonly before: (work: LedgerWork) => Promise<void>
  readonly log: Log
}

export function createConsensusDriver(parts: DriverParts): ConsensusDriver {
  return new Driver(parts)
}

/** Waits for its turn. */
interface Work {
  run(): Promise<void>
  /** Instead of `run`, when the driver stops. */
  cancel(): void
}

class Driver implements ConsensusDriver {
  readonly #parts: DriverParts
  readonly #queue: Work[] = []
  readonly #timers = new Set<() => void>()
  #pumping: Promise<void> | undefined
  /** What the ledger was asked to do ahead, one after the other. */
  #preparing: Promise<void> = Promise.resolve()
  #isStopped = false

  constructor(parts: DriverParts) {
    this.#parts = parts
  }

  take(input: NewInput): Promise<Verdict> {
    // The replica waits for these, and there are few of them.
    const isOwn = input.type === 'timer' || input.type === 'prepared'
    if (this.#isStopped || (this.#isFull() && !isOwn)) return Promise.resolve('ignore')
    return new Promise((settle) => {
      this.#enqueue({
        run: async () => settle(await this.#step(input)),
        cancel: () => settle('ignore'),
      })
    })
  }

  atRest<Value>(read: () => Value): Promise<Value | undefined> {
    if (this.#isStopped || this.#isFull()) return Promise.resolve(undefined)
    return new Promise((resolve) => {
      this.#enqueue({
        // A step that failed has left things undone.
        run: async () => resolve(this.#isStopped ? undefined : read()),
        cancel: () => resolve(undefined),
      })
    })
  }

  #isFull(): boolean {
    return this.#queue.length >= NODE_LIMITS.inputsMax
  }

  #enqueue(work: Work): void {
    this.#queue.push(work)
    this.#pumping ??= this.#pump()
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    for (const cancel of this.#timers) cancel()
    this.#timers.clear()
    await this.#pumping
    await this.#preparing
    for (const work of this.#queue.splice(0)) work.cancel()
  }

  async #pump(): Promise<void> {
    // Not in the caller's turn: its promise exists before its effects do.
    await undefined
    for (;;) {
      const next = this.#queue.shift()
      if (next === undefined) break
      await next.run()
    }
    this.#pumping = undefined
  }

  async #step(input: NewInput): Promise<Verdict> {
    if (this.#isStopped) return 'ignore'
    const { replica, clock, events } = this.#parts
    try {
      let verdict: Verdict = input.type === 'vote' || input.type === 'proposal' ? 'ignore' : 'accept'
      for (const effect of replica.step({ ...input, nowMs: milliseconds(clock.wallMs()) } as Input)) {
        if (effect.type === 'relay') verdict = 'accept'
        // A vote may be what shows that an earlier proposal is bad. Blame goes with the effect, not with the verdict as well.
        if (effect.type === 'judge' && input.type !== 'vote') verdict = 'ignore'
        await this.#carryOut(effect)
      }
      return verdict
    } catch (error) {
      this.#isStopped = true
      events.onFatal(error)
      return 'ignore'
    }
  }

  async #carryOut(effect: Effect): Promise<void> {
    const { keeper, events, wire, log } = this.#parts
    switch (effect.type) {
      case 'journal':
        return keeper.journal(effect.entry, { sync: effect.sync })
      case 'sign-state':
        return keeper.record(effect.record)
      case 'publish':
        return this.#publish(effect.message)
      case 'wake':
        return this.#wake(effect)
      case 'finalize':
        return this.#finalize(effect)
      case 'relay':
        return
      case 'judge':
        log.write('info', 'consensus.judged', { peer: effect.peer, code: effect.code, verdict: effect.verdict })
        if (effect.peer !== undefined) wire.judge(effect.peer as PeerId, effect.verdict)
        return
      case 'evidence':
        return events.onEvidence(effect)
      case 'prepare':
        this.#preparing = this.#preparing.then(() => this.#prepare(effect.work))
        return
      case 'behind':
        return events.onBehind(effect.height)
    }
  }

  /** Not waited for: votes are counted meanwhile, and whoever waits for us has to. */
  async #prepare(work: LedgerWork): Promise<void> {
    const { chain, turns, before, events } = this.#parts
    const steps = chain.prepare(work)
    try {
      await before(work)
      await turns.run(this.#whileRunning(steps))
      void this.take({ type: 'prepared', work })
    } catch (error) {
      this.#isStopped = true
      events.onFatal(error)
    }
  }

  *#whileRunning(steps: Steps): Steps {
    while (!this.#isStopped && !steps.next().done) yield
  }

  /** Not waited for: a slow network must not hold up the next vote. */
  #publish(message: Message): void {
    const { wire, log } = this.#parts
    const [topic, bytes] =
      message.type === 'vote'
        ? [TOPICS.vote, encodeVote(message.vote)]
        : [TOPICS.proposal, encodeProposal(message.proposal)]
    wire.publish(topic, bytes).catch((error) => {
      log.write('warn', 'consensus.unpublished', { type: message.type, reason: messageOf(error) })
    })
  }

  #wake({ atMs, height, round, step }: Effect & { type: 'wake' }): void {
    const { clock } = this.#parts
    const cancel = clock.schedule(milliseconds(Math.max(0, atMs - clock.wallMs())), () => {
      this.#timers.delete(cancel)
      void this.take({ type: 'timer', height, round, step })
    })
    this.#timers.add(cancel)
  }

  /** Not the chain's newest: votes that came early may have made the next block final in the same step. */
  async #finalize({ block }: Effect & { type: 'finalize' }): Promise<void> {
    const { chain, events, keeper } = this.#parts
    const applied = chain.appliedAt(block.header.height)
    assert(applied !== undefined, 'what is final was applied')
    await events.save(applied)
    await keeper.finalized()
    events.onFinal(applied)
  }
}
