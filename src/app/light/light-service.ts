/**
 * A light client at work: asks peers, believes only what the stake behind a trusted header proves, remembers who lied, and
 * keeps what it trusts for the next time. Spec: docs/spec/light-client.md.
 * @module
 */
import type { Hash, Milliseconds, PeerId } from '../../base/brand.ts'
import { LIGHT_LIMITS } from '../../base/chain-limits.ts'
import { CodecError, Reader } from '../../base/codec.ts'
import { codeOf, HouseError, messageOf } from '../../base/error.ts'
import type { Clock, Log } from '../../base/ports.ts'
import { type Header, readCommit, readHeader } from '../../core/block/block.ts'
import { readValidatorSet, type ValidatorSet } from '../../core/consensus/validator-set.ts'
import type { FastAcceptance } from '../../core/ed25519.ts'
import {
  createLightClient,
  type Fork,
  followTo,
  type LightBlock,
  type LightClient,
  LightError,
  type Trusted,
} from '../../core/light-client.ts'
import { LightProofError, verifyState } from '../../core/light-client-proofs.ts'
import { decodeProof, ProofError } from '../../core/state/tree-proof.ts'
import type { ChainQuestion } from '../../net/protocols/chain.ts'
import type { Wire } from '../../net/wire.ts'
import { AskError, askChain, PeerRefusal, type Told } from '../node/ask.ts'

export class LightServiceError extends HouseError<
  /** Nobody is connected, or nobody answers. */
  | 'LIGHT_NO_PEER'
  /** Whoever answered lied; the message names them. */
  | 'LIGHT_ALL_LIE'
  /** The validators signed two blocks of one height. */
  | 'LIGHT_FORK'
> {}

/** Who lied, and in what. */
export interface Lie {
  readonly peer: PeerId
  readonly code: string
  readonly message: string
}

export interface LightServiceOptions {
  readonly networkId: Hash
  readonly begin: Trusted
  readonly trustingPeriodMs: Milliseconds
  readonly clockSkewMs: Milliseconds
  /** Headers that lead from the trusted one down to an older block; LIGHT_LIMITS.ancestorsMax when left out. */
  readonly ancestorsMax?: number | undefined
}

export interface LightServicePorts {
  readonly wire: Wire
  readonly clock: Clock
  readonly log: Log
  readonly accepts?: FastAcceptance | undefined
  /** Keeps what is trusted. */
  readonly keep: (trusted: Trusted) => Promise<void>
}

/** A value of the state, proved, and the header that it was proved against. */
export interface Proved {
  readonly value: Uint8Array | undefined
  readonly header: Header
}

export interface LightService {
  readonly trusted: Trusted
  /** How far below the trusted header blocks are looked at. */
  readonly ancestorsMax: number
  /** Peers that lied so far. */
  readonly lies: readonly Lie[]
  /** The newest value that a peer can prove. */
  state(key: Uint8Array, signal?: AbortSignal): Promise<Proved>
  /** The set that voted on the newest trusted header. */
  validators(signal?: AbortSignal): Promise<ValidatorSet>
  /**
   * Asks one peer after the other until `read` believes an answer. `read` gets the peer's items, and may lead the client on by
   * `follow`; what it throws of the light client's, the proofs' and the codecs' errors is the peer's lie.
   */
  ask<Result>(
    question: ChainQuestion,
    read: (told: Told, peer: PeerId) => Promise<Result | undefined>,
    signal?: AbortSignal,
  ): Promise<Result | undefined>
  /** What each peer says that has not lied; those that do not answer are left out. */
  askEach(question: ChainQuestion, signal?: AbortSignal): Promise<Told[]>
  /** One question to one peer, inside of `ask`. */
  askPeer(peer: PeerId, question: ChainQuestion, signal?: AbortSignal): Promise<Told>
  /** Remembers a lie that only another's proof showed. */
  accuse(lie: Lie): void
  /** Trusts the block of these items (header, commit, set) of a peer; the headers in between come from the same peer. */
  follow(items: readonly Uint8Array[], peer: PeerId, signal?: AbortSignal): Promise<Header>
}

export function createLightService(options: LightServiceOptions, ports: LightServicePorts): LightService {
  const { networkId, begin, trustingPeriodMs, clockSkewMs } = options
  const { accepts } = ports
  const client = createLightClient(begin, { networkId, trustingPeriodMs, clockSkewMs, accepts })
  return new Service(client, options, ports)
}

class Service implements LightService {
  readonly lies: Lie[] = []
  readonly ancestorsMax: number
  /** Peers that gave no answer in time, and until when they are asked last; by `Clock.now()`. */
  readonly #silentUntilMs = new Map<PeerId, number>()
  readonly #client: LightClient
  readonly #networkId: Hash
  readonly #ports: LightServicePorts

  constructor(client: LightClient, options: LightServiceOptions, ports: LightServicePorts) {
    this.#client = client
    this.#networkId = options.networkId
    this.ancestorsMax = options.ancestorsMax ?? LIGHT_LIMITS.ancestorsMax
    this.#ports = ports
  }

  get trusted(): Trusted {
    return this.#client.trusted
  }

  async state(key: Uint8Array, signal?: AbortSignal): Promise<Proved> {
    const found = await this.ask<Proved>(
      { type: 'state', key },
      async ({ items }, peer) => {
        const proof = items[3]
        if (proof === undefined) return undefined
        const header = await this.follow(items, peer, signal)
        return { value: verifyState(header, key, decodeProof(proof)), header }
      },
      signal,
    )
    if (found === undefined) throw this.#nobody()
    return found
  }

  async validators(signal?: AbortSignal): Promise<ValidatorSet> {
    await this.state(new Uint8Array(1), signal)
    return this.trusted.set
  }

  async ask<Result>(
    question: ChainQuestion,
    read: (told: Told, peer: PeerId) => Promise<Result | undefined>,
    signal?: AbortSignal,
  ): Promise<Result | undefined> {
    let refusal: unknown
    let wasAnswered = false
    const { speaking, silent } = this.#peers()
    for (const peer of [...speaking, ...silent]) {
      signal?.throwIfAborted()
      // Each of them may cost a whole deadline again, and others have answered.
      if (silent.includes(peer) && (wasAnswered || refusal !== undefined)) break
      try {
        const told = await this.askPeer(peer, question, signal)
        const result = await read(told, peer)
        wasAnswered = true
        if (result !== undefined) return result
      } catch (error) {
        if (error instanceof LightServiceError) throw error
        if (error instanceof PeerRefusal || PERHAPS_OURS.has(codeOf(error) ?? '')) refusal = weightier(refusal, error)
        else this.#note(peer, error)
      }
    }
    if (refusal !== undefined) throw refusal
    if (!wasAnswered) throw this.#nobody()
    return undefined
  }

  async askEach(question: ChainQuestion, signal?: AbortSignal): Promise<Told[]> {
    const { speaking, silent } = this.#peers()
    const peers = speaking.length > 0 ? speaking : silent
    const asked = await Promise.allSettled(peers.map((peer) => this.askPeer(peer, question, signal)))
    signal?.throwIfAborted()
    return asked.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []))
  }

  async follow(items: readonly Uint8Array[], peer: PeerId, signal?: AbortSignal): Promise<Header> {
    const target = lightBlockOf(items)
    if (target.header.height < this.trusted.header.height) {
      throw new StalePeer('LIGHT_STALE', `Peer ${peer} is behind.`)
    }
    const before = this.trusted
    const steps = followTo(this.#client, target, this.#ports.clock.wallMs())
    let step = steps.next()
    for (let count = 0; !step.done; count++) {
      if (count === LIGHT_LIMITS.stepsMax) throw new StalePeer('LIGHT_STALE', `Peer ${peer} leads nowhere.`)
      const told = await this.askPeer(peer, { type: 'headers', from: step.value, count: 1 }, signal)
      step = steps.next(lightBlockOf(told.items))
    }
    if (step.value.type === 'fork') throw forked(step.value.fork)
    if (this.trusted !== before) await this.#ports.keep(this.trusted)
    return target.header
  }

  /** Those that lied come no more, and those that were silent a while ago apart. */
  #peers(): { readonly speaking: readonly PeerId[]; readonly silent: readonly PeerId[] } {
    const liars = new Set(this.lies.map(({ peer }) => peer))
    const connected = new Set(this.#ports.wire.connectedPeers())
    for (const peer of this.#silentUntilMs.keys()) if (!connected.has(peer)) this.#silentUntilMs.delete(peer)
    const now = this.#ports.clock.now()
    const isSilent = (peer: PeerId): boolean => (this.#silentUntilMs.get(peer) ?? now) > now
    const peers = [...connected].filter((peer) => !liars.has(peer))
    return { speaking: peers.filter((peer) => !isSilent(peer)), silent: peers.filter(isSilent) }
  }

  async askPeer(peer: PeerId, question: ChainQuestion, signal?: AbortSignal): Promise<Told> {
    const { wire, clock } = this.#ports
    try {
      const ports = { wire, clock, networkId: this.#networkId, signal }
      const told = await askChain({ peer, addresses: [] }, question, ports)
      this.#silentUntilMs.delete(peer)
      return told
    } catch (error) {
      if (codeOf(error) === 'CHAIN_NO_ANSWER') this.#silentUntilMs.set(peer, clock.now() + LIGHT_LIMITS.silentMs)
      throw error
    }
  }

  /** What cannot be an honest mistake is a lie; anything else is a peer that cannot help now. */
  #note(peer: PeerId, error: unknown): void {
    const { log } = this.#ports
    const code = codeOf(error)
    if (code === undefined) throw error
    const isLie = error instanceof LightError || error instanceof ProofError || error instanceof CodecError
    log.write(isLie ? 'warn' : 'debug', 'light.refused', { peer, code, reason: messageOf(error) })
    if (!(isLie || error instanceof LightProofError)) {
      if (error instanceof AskError || error instanceof StalePeer || code.startsWith('WIRE_')) return
      throw error
    }
    // Overtaken by another question of ours.
    if (code === 'LIGHT_TOO_OLD') return
    // Nobody lies who is as old as our trust.
    if (OURS.has(code)) throw error
    this.accuse({ peer, code, message: messageOf(error) })
  }

  accuse(lie: Lie): void {
    this.lies.push(lie)
    this.#ports.wire.judge(lie.peer, 'misbehaved')
  }

  #nobody(): LightServiceError {
    if (this.lies.length === 0) {
      const message = 'No node of the network answers. Check that one runs, and the addresses with `dllm network show`.'
      return new LightServiceError('LIGHT_NO_PEER', message)
    }
    const who = this.lies.map(({ peer, code }) => `${peer} (${code})`).join(', ')
    const message = `Every node that answered told something false: ${who}. Nothing of it was believed. Use other nodes: see \`dllm network show\`.`
    return new LightServiceError('LIGHT_ALL_LIE', message, { details: { peers: who } })
  }
}

/** The first one; but that a transaction waits with one peer says nothing where another one tells what is wrong with it. */
function weightier(before: unknown, error: unknown): unknown {
  return before === undefined || codeOf(before) === 'MEMPOOL_KNOWN' ? error : before
}

/** The peer cannot help, and is not at fault for it. */
class StalePeer extends HouseError<'LIGHT_STALE'> {}

/** The fault of our own trust. */
const OURS: ReadonlySet<string> = new Set(['LIGHT_TRUST_EXPIRED', 'LIGHT_WRONG_CHECKPOINT'])

/**
 * Anybody can date a header ahead, or say that something is older than we can look: whether it is our clock, or really that old, shows when
 * nobody's answer holds.
 */
const PERHAPS_OURS: ReadonlySet<string> = new Set(['LIGHT_FROM_FUTURE', 'LIGHT_NEEDS_NODE'])

/** Header, commit, validator set. @throws CodecError. */
export function lightBlockOf(items: readonly Uint8Array[]): LightBlock {
  const [header, commit, set] = items
  if (header === undefined || commit === undefined || set === undefined) {
    throw new StalePeer('LIGHT_STALE', 'The peer does not have this block.')
  }
  return { header: whole(header, readHeader), commit: whole(commit, readCommit), set: whole(set, readValidatorSet) }
}

function whole<Value>(bytes: Uint8Array, read: (reader: Reader) => Value): Value {
  const reader = new Reader(bytes)
  const value = read(reader)
  reader.finish()
  return value
}

function forked({ trusted, signers, isDoubleSign }: Fork): LightServiceError {
  const proof = isDoubleSign ? ' Their signatures prove a double sign.' : ''
  const message = `The validators signed two different blocks of height ${trusted.header.height}: ${signers.join(', ')} signed both.${proof} Believe nothing of this network until its people have settled which one holds.`
  return new LightServiceError('LIGHT_FORK', message, {
    details: { height: trusted.header.height, signers: signers.join(' ') },
  })
}
