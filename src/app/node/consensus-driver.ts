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
import type { AppliedBlock, Chain } from '../../core/chain.ts'
import { encodeProposal, encodeVote } from '../../core/consensus/messages.ts'
import type { Replica } from '../../core/consensus/replica.ts'
import type { Effect, Input, Message } from '../../core/consensus/replica-port.ts'
import type { Verdict, Wire } from '../../net/wire.ts'
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
   * Resolves when the input was taken and its effects were carried out: what news of it deserves. `ignore` when too much waits
   * or the driver has stopped.
   */
  take(input: NewInput): Promise<Verdict>
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
  readonly log: Log
}

export function createConsensusDriver(parts: DriverParts): ConsensusDriver {
  return new Driver(parts)
}

interface Waiting {
  readonly input: NewInput
  readonly settle: (verdict: Verdict) => void
}

class Driver implements ConsensusDriver {
  readonly #parts: DriverParts
  readonly #queue: Waiting[] = []
  readonly #timers = new Set<() => void>()
  #pumping: Promise<void> | undefined
  #isStopped = false

  constructor(parts: DriverParts) {
    this.#parts = parts
  }

  take(input: NewInput): Promise<Verdict> {
    if (this.#isStopped || (this.#queue.length >= NODE_LIMITS.inputsMax && input.type !== 'timer')) {
      return Promise.resolve('ignore')
    }
    return new Promise((settle) => {
      this.#queue.push({ input, settle })
      this.#pumping ??= this.#pump()
    })
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    for (const cancel of this.#timers) cancel()
    this.#timers.clear()
    await this.#pumping
    for (const { settle } of this.#queue.splice(0)) settle('ignore')
  }

  async #pump(): Promise<void> {
    // Not in the caller's turn: its promise exists before its effects do.
    await undefined
    for (;;) {
      const next = this.#queue.shift()
      if (next === undefined) break
      next.settle(await this.#step(next.input))
    }
    this.#pumping = undefined
  }

  async #step(input: NewInput): Promise<Verdict> {
    if (this.#isStopped) return 'ignore'
    const { replica, clock, events } = this.#parts
    try {
      let verdict: Verdict = 'accept'
      for (const effect of replica.step({ ...input, nowMs: milliseconds(clock.wallMs()) } as Input)) {
        if (effect.type === 'judge') verdict = effect.verdict
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
      case 'judge':
        log.write('info', 'consensus.judged', { peer: effect.peer, code: effect.code, verdict: effect.verdict })
        if (effect.peer !== undefined) wire.judge(effect.peer as PeerId, effect.verdict)
        return
      case 'evidence':
        return events.onEvidence(effect)
      case 'behind':
        return events.onBehind(effect.height)
    }
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
