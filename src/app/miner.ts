/**
 * A miner: serves posts to rings, tells the network what it offers, and keeps telling; posts come and go while it runs. Composes the
 * stage server, the status protocol and the offers; ends cleanly.
 * @module
 */
import { hexToBytes } from '@noble/hashes/utils.js'
import { milliseconds, type PeerId } from '../base/brand.ts'
import { codeOf } from '../base/error.ts'
import { SESSION_LIMITS, WIRE_LIMITS } from '../base/limits.ts'
import type { Clock, Log } from '../base/ports.ts'
import { PREFIX_LIMITS } from '../base/prefix-limits.ts'
import type { Offer, Status, ToldOffer } from '../net/protocols/status.ts'
import type { Wire } from '../net/wire.ts'
import type { LeaseDesk } from './market/lease-desk.ts'
import type { NodeIdentity } from './node-identity.ts'
import { createOfferBook, signOffer } from './offers.ts'
import { canDraftFor, type Drafter, draftModelOf } from './posts/drafter.ts'
import { measureSpeed } from './posts/measure-speed.ts'
import type { Post, PostToServe } from './posts/post.ts'
import type { ServedSegments } from './ring/check-open.ts'
import { createPeerDirectory } from './ring/offer-routes.ts'
import { createStageServer, type StageServer } from './ring/stage-server.ts'
import { serveStatus } from './status-service.ts'
import { VERSION } from './version.ts'

export interface MinerOptions {
  readonly identity: NodeIdentity
  readonly networkId: string
  readonly bootstrap: readonly string[]
  /** To begin with. */
  readonly posts: readonly PostToServe[]
  /** Drafts where a post with its tokens begins a ring; closed with the miner. */
  readonly drafter?: Drafter | undefined
  /** Takes leases; closed with the miner. Default: none are taken. */
  readonly market?: LeaseDesk | undefined
}

export interface Miner {
  readonly server: StageServer
  /** Those that sessions open with now. */
  readonly posts: readonly Post[]
  /** What the stage server serves: the same array, as it changes. */
  readonly served: readonly ServedSegments[]
  /** Measures the speed of one more post, and serves and offers it from then on. */
  add(post: PostToServe): Promise<Post>
  /** A post that is leaving is told with no free session, so that nobody comes who can go elsewhere; who comes is served. */
  setLeaving(post: Post, isLeaving: boolean): void
  /** No new sessions there; resolves when the last one has ended, and the engine is closed. */
  withdraw(post: Post): Promise<void>
  /** Where a peer listens, as far as this miner or those that it can ask know. Rejects with the signal's reason only. */
  locate(peer: PeerId, signal: AbortSignal): Promise<readonly string[]>
  /** What this miner would tell a peer now. */
  status(): Status
  close(): Promise<void>
}

/** Offers are renewed well before they expire (DEADLINES.offerMs). */
const RENEW_MS = milliseconds(10_000)

export async function createMiner(
  options: MinerOptions,
  ports: { wire: Wire; clock: Clock; log: Log },
): Promise<Miner> {
  const { wire, clock, log } = ports
  const { identity, networkId } = options
  const posts: Post[] = []
  for (const post of options.posts) posts.push(await ready(post, options.drafter, log))
  const leaving = new Set<Post>()
  const server = await createStageServer(
    posts.map(({ served }) => served),
    ports,
    { market: options.market, prefixes: PREFIX_LIMITS },
  )
  const { table } = server
  const book = createOfferBook(networkId, { clock })
  const directory = createPeerDirectory({ networkId, bootstrap: options.bootstrap }, { wire, clock, log, book })
  const incarnation = BigInt(Math.floor(clock.wallMs()))
  const stopping = new AbortController()
  let sequence = 0
  let roundTrips: Offer['roundTrips'] = []

  const ownOffer = (post: Post): ToldOffer => {
    const { model, firstSegment, lastSegment, speed, device, host } = post
    const offer: Offer = {
      peer: wire.peer,
      addresses: wire.addresses().slice(0, WIRE_LIMITS.addressesPerPeerMax),
      model: model.hash,
      modelName: model.manifest.name,
      segmentCount: model.manifest.segments.length,
      firstSegment,
      lastSegment,
      stepMicros: Math.ceil(speed.stepMs * 1_000),
      prefillMicros: Math.ceil(speed.prefillMs * 1_000),
      sessionsFree: leaving.has(post) ? 0 : table.free(host),
      device,
      roundTrips,
      incarnation,
      sequence: sequence++,
    }
    return { ...signOffer(offer, networkId, identity.secretKey), ageMs: 0 }
  }

  /** Neighbours also tell us what we told them. */
  const othersOffers = () => book.list().filter(({ offer }) => offer.peer !== wire.peer)

  const status = (): Status => ({
    networkId,
    version: VERSION,
    sessions: server.sessionCount,
    offers: [...posts.map(ownOffer), ...othersOffers()].slice(0, WIRE_LIMITS.offersMax),
    ...server.statistics(),
  })

  const models = () => new Set(posts.map(({ model }) => model.hash))

  const renew = async (): Promise<void> => {
    const asked = await directory.refresh(stopping.signal)
    const measured = await Promise.all(
      asked.slice(0, WIRE_LIMITS.roundTripsMax).map(async ({ peer }) => {
        const rttMs = await wire.ping(peer, stopping.signal).catch(() => undefined)
        return rttMs === undefined ? [] : [{ peer, micros: Math.round(rttMs * 1_000) }]
      }),
    )
    roundTrips = measured.flat()
    for (const model of models()) await wire.provide(hexToBytes(model), stopping.signal)
  }

  const keepTelling = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      await renew().catch((error: unknown) => log.write('debug', 'renew.failed', { code: codeOf(error) }))
      await clock.sleep(RENEW_MS, stopping.signal).catch(() => undefined)
    }
  }

  const addressesOf = (peer: PeerId): readonly string[] => {
    const known = [...book.list().map(({ offer }) => offer), ...wire.knownPeers()]
    return known.find((each) => each.peer === peer && each.addresses.length > 0)?.addresses ?? []
  }
  const locate = async (peer: PeerId, signal: AbortSignal): Promise<readonly string[]> => {
    for (const model of models()) if (addressesOf(peer).length === 0) await directory.search(model, signal)
    return addressesOf(peer)
  }

  await serveStatus(wire, status)
  const telling = keepTelling()
  return {
    ...{ server, posts, served: table.all, status, locate },
    async add(toServe) {
      const post = await ready(toServe, options.drafter, log)
      table.add(post.served)
      posts.push(post)
      return post
    },
    setLeaving(post, isLeaving) {
      table.setLeaving(post.served, isLeaving)
      if (isLeaving) leaving.add(post)
      else leaving.delete(post)
    },
    async withdraw(post) {
      posts.splice(posts.indexOf(post), 1)
      leaving.delete(post)
      await server.withdraw(post.served, milliseconds(SESSION_LIMITS.idleMsMax))
      await post.host.close()
    },
    close: async () => {
      stopping.abort()
      await server.close()
      await options.market?.close()
      await wire.stop()
      await telling
      for (const { host } of posts) await host.close()
      await options.drafter?.host.close()
    },
  }
}

/** With its speed, which is measured again when its engine has been replaced, and as the stage server takes it. */
async function ready(toServe: PostToServe, drafter: Drafter | undefined, log: Log): Promise<Post> {
  const { model, firstSegment, lastSegment, host } = toServe
  const { config, segments } = model.manifest
  const draftModel = drafter && canDraftFor(drafter, toServe) ? draftModelOf(drafter) : undefined
  const served = { model: model.hash, config, segments, firstSegment, lastSegment, host, draftModel }
  const post: Post = { ...toServe, speed: await measureSpeed(toServe), served }
  const measureAgain = async (engine: string): Promise<void> => {
    post.device = engine
    post.speed = await measureSpeed(post)
  }
  const fail = (error: unknown): void => log.write('warn', 'speed.not_measured', { code: codeOf(error) })
  void host.moved?.then(measureAgain).catch(fail)
  return post
}
