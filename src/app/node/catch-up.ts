/**
 * Catching up: asks one peer after the other what it has that we lack, votes of the height under way as well as blocks that
 * are final. What news lost, partitions kept away and restarts forgot comes back this way.
 * Spec: docs/spec/consensus.md §9.
 * @module
 */
import { type Milliseconds, milliseconds, type PeerId } from '../../base/brand.ts'
import { NODE_LIMITS, SYNC_LIMITS } from '../../base/chain-limits.ts'
import { CodecError } from '../../base/codec.ts'
import { codeOf, messageOf } from '../../base/error.ts'
import type { Clock, Log } from '../../base/ports.ts'
import type { Steps } from '../../base/steps.ts'
import { decodeBlock, readCommit } from '../../core/block/block.ts'
import type { Chain } from '../../core/chain.ts'
import type { Proposal } from '../../core/consensus/messages.ts'
import { decodeRecord } from '../../core/state/tables.ts'
import type { ChainQuestion } from '../../net/protocols/chain.ts'
import type { Verdict, Wire } from '../../net/wire.ts'
import type { Turns } from '../turns.ts'
import { askChain, type Told } from './ask.ts'
import type { ConsensusDriver } from './consensus-driver.ts'
import { decodeConsensusMessage } from './topics.ts'

export interface CatchUp {
  /** Somebody is ahead: do not wait for the next round of questions. */
  hurry(): void
  /** Whether a peer is known to be more than one block ahead. */
  readonly isBehind: boolean
  /** The greatest height that a peer claimed. */
  readonly claimedHeight: number
  stop(): Promise<void>
}

export interface CatchUpParts {
  readonly wire: Wire
  readonly chain: Chain
  readonly driver: ConsensusDriver
  /** Votes and proposals held, for peers to compare. */
  readonly summary: () => Uint8Array
  /** Works ahead on what the replica will check of a proposal. @throws CodecError. */
  readonly foresee: (proposal: Proposal) => Promise<void>
  /** A peer's waiting transaction; what it says of the peer. */
  readonly onTransaction: (bytes: Uint8Array) => Verdict
  readonly clock: Clock
  readonly turns: Turns
  readonly log: Log
}

/** While nothing is missing: seldom enough to cost nothing, often enough to heal a lost vote within a round. */
const PAUSE_MS = milliseconds(700)
const HURRY_MS = milliseconds(20)
/** Nobody else is asked while a peer says nothing, so one that did is left alone for a while. */
const REST_MS = milliseconds(60_000)
/** A block that takes no more, some fifty transfers, is executed as quickly as its commit is verified once more. */
const QUICK_UNITS = 500
/** Rounds of questions between looks at what waits elsewhere. */
const WAITING_EVERY = 8

export function startCatchUp(parts: CatchUpParts): CatchUp {
  const loop = new Loop(parts)
  loop.next(HURRY_MS)
  return loop
}

class Loop implements CatchUp {
  readonly #parts: CatchUpParts
  readonly #abort = new AbortController()
  #cancel: (() => void) | undefined
  #running: Promise<void> | undefined
  /** Peers that did not answer, and until when others come first. */
  readonly #resting = new Map<PeerId, Milliseconds>()
  #turn = 0
  #claimedHeight = 0

  constructor(parts: CatchUpParts) {
    this.#parts = parts
  }

  get claimedHeight(): number {
    return this.#claimedHeight
  }

  get isBehind(): boolean {
    return this.#claimedHeight > this.#parts.chain.header.height + 1
  }

  hurry(): void {
    if (this.#running === undefined) this.next(HURRY_MS)
  }

  next(delayMs: Milliseconds): void {
    this.#cancel?.()
    if (this.#abort.signal.aborted) return
    this.#cancel = this.#parts.clock.schedule(delayMs, () => {
      this.#cancel = undefined
      this.#running = this.#ask().then((hasMore) => {
        this.#running = undefined
        this.next(hasMore ? HURRY_MS : PAUSE_MS)
      })
    })
  }

  async stop(): Promise<void> {
    this.#abort.abort()
    this.#cancel?.()
    await this.#running
  }

  /** One peer's turn; true when it has more for us. */
  async #ask(): Promise<boolean> {
    const { wire, clock, log } = this.#parts
    const peers = this.#peers()
    const peer = peers[this.#turn++ % Math.max(peers.length, 1)]
    if (peer === undefined) return false
    try {
      return await this.#askPeer(peer)
    } catch (error) {
      if (error instanceof CodecError) wire.judge(peer, 'misbehaved')
      this.#resting.set(peer, milliseconds(clock.now() + REST_MS))
      log.write('debug', 'chain.no-answer', { peer, code: codeOf(error), reason: messageOf(error) })
      return false
    }
  }

  /** Whom to ask in turn: those that answer, or everybody when nobody does. */
  #peers(): PeerId[] {
    const { wire, clock } = this.#parts
    const connected = [...wire.connectedPeers()].sort()
    for (const [peer, untilMs] of this.#resting) {
      if (untilMs <= clock.now() || !connected.includes(peer)) this.#resting.delete(peer)
    }
    const awake = connected.filter((peer) => !this.#resting.has(peer))
    return awake.length > 0 ? awake : connected
  }

  async #askPeer(peer: PeerId): Promise<boolean> {
    const { chain, driver, summary, foresee } = this.#parts
    const told = await this.#question(peer, { type: 'consensus', summary: summary() })
    this.#claimedHeight = Math.max(this.#claimedHeight, told.head.height)
    const messages = told.items.slice(0, NODE_LIMITS.missingMax).map(decodeConsensusMessage)
    for (const message of messages) if (message.type === 'proposal') await foresee(message.proposal)
    if (messages.length > 0) await driver.take({ type: 'catch-up', from: peer, messages })
    if (this.#turn % WAITING_EVERY === 0) await this.#fetchWaiting(peer)
    if (told.head.height <= chain.header.height) return false
    return this.#fetchBlocks(peer)
  }

  /** Transactions that wait at the peer, up to the first that nobody honest lets wait. */
  async #fetchWaiting(peer: PeerId): Promise<void> {
    const { items } = await this.#question(peer, { type: 'waiting' })
    await this.#parts.turns.run(this.#offer(peer, items))
  }

  *#offer(peer: PeerId, items: readonly Uint8Array[]): Steps {
    const { onTransaction, wire } = this.#parts
    for (const bytes of items) {
      if (onTransaction(bytes) === 'reject') {
        wire.judge(peer, 'reject')
        return
      }
      yield
    }
  }

  /** The next blocks that the peer has; true when it gave some that held. */
  async #fetchBlocks(peer: PeerId): Promise<boolean> {
    const { chain, driver, turns, log } = this.#parts
    const from = chain.header.height + 1
    const told = await this.#question(peer, { type: 'blocks', from, count: SYNC_LIMITS.blocksPerQuestionMax })
    for (let at = 0; at + 1 < told.items.length; at += 2) {
      if (this.#abort.signal.aborted) return false
      const block = decodeBlock(told.items[at]!)
      const commit = decodeRecord(told.items[at + 1]!, readCommit)
      // Votes may have made the block final here in the meantime.
      if (block.header.height !== chain.header.height + 1) continue
      if (block.header.units > QUICK_UNITS) await turns.run(chain.prepare({ type: 'finalized', block, commit }))
      const verdict = await driver.take({ type: 'finalized', from: peer, block, commit })
      if (verdict !== 'accept') return false
    }
    if (told.items.length === 0 && told.head.oldestHeight > from) {
      // Only a person can help: see docs/spec/consensus.md §10.
      log.write('warn', 'chain.too-far-behind', { peer, next: from, oldest: told.head.oldestHeight })
    }
    // A claim that nothing stands behind is forgotten, so that it does not count as being behind for ever.
    if (told.items.length === 0) this.#claimedHeight = chain.header.height
    return chain.header.height >= from
  }

  #question(peer: PeerId, question: ChainQuestion): Promise<Told> {
    const { wire, clock, chain } = this.#parts
    const ports = { wire, clock, networkId: chain.networkId, signal: this.#abort.signal }
    return askChain({ peer, addresses: [] }, question, ports)
  }
}
