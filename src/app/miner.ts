/**
 * A miner: serves one run of segments to rings, tells the network what it offers, and keeps telling. Composes the
 * stage server, the status protocol and the offers; ends cleanly.
 * @module
 */
import { hexToBytes } from '@noble/hashes/utils.js'
import { type Milliseconds, milliseconds, type PeerId } from '../base/brand.ts'
import { codeOf } from '../base/error.ts'
import { SESSION_LIMITS, WIRE_LIMITS } from '../base/limits.ts'
import type { Clock, Log } from '../base/ports.ts'
import type { StepInput } from '../ml/engine/engine.ts'
import type { Offer, Status, ToldOffer } from '../net/protocols/status.ts'
import type { Wire } from '../net/wire.ts'
import type { EngineHost } from './engine-host.ts'
import type { LeaseDesk } from './market/lease-desk.ts'
import type { StoredModel } from './model-store.ts'
import type { NodeIdentity } from './node-identity.ts'
import { createOfferBook, signOffer } from './offers.ts'
import type { ServedSegments } from './ring/check-open.ts'
import { createPeerDirectory } from './ring/offer-routes.ts'
import { createStageServer, type StageServer } from './ring/stage-server.ts'
import { serveStatus } from './status-service.ts'
import { VERSION } from './version.ts'

export interface MinerOptions {
  readonly identity: NodeIdentity
  readonly networkId: string
  readonly bootstrap: readonly string[]
  readonly model: StoredModel
  readonly firstSegment: number
  /** Exclusive. */
  readonly lastSegment: number
  readonly host: EngineHost
  /** For people: engine and threads. */
  readonly device: string
  /** Takes leases; closed with the miner. Default: none are taken. */
  readonly market?: LeaseDesk | undefined
}

export interface Miner {
  readonly speed: Speed
  readonly server: StageServer
  /** What the stage server serves. */
  readonly served: readonly ServedSegments[]
  /** Where a peer listens, as far as this miner or those that it can ask know. Rejects with the signal's reason only. */
  locate(peer: PeerId, signal: AbortSignal): Promise<readonly string[]>
  /** What this miner would tell a peer now. */
  status(): Status
  close(): Promise<void>
}

export interface Speed {
  readonly stepMs: Milliseconds
  readonly prefillMs: Milliseconds
}

/** Offers are renewed well before they expire (DEADLINES.offerMs). */
const RENEW_MS = milliseconds(10_000)

export async function createMiner(
  options: MinerOptions,
  ports: { wire: Wire; clock: Clock; log: Log },
): Promise<Miner> {
  const { wire, clock, log } = ports
  const { identity, networkId, model, firstSegment, lastSegment, host } = options
  const { config, segments } = model.manifest
  const speed = await measureSpeed(options)
  const served: readonly ServedSegments[] = [{ model: model.hash, config, segments, firstSegment, lastSegment, host }]
  const server = await createStageServer(served, ports, options.market)
  const book = createOfferBook(networkId, { clock })
  const directory = createPeerDirectory({ networkId, bootstrap: options.bootstrap }, { wire, clock, log, book })
  const incarnation = BigInt(Math.floor(clock.wallMs()))
  const stopping = new AbortController()
  let sequence = 0
  let roundTrips: Offer['roundTrips'] = []

  const ownOffer = (): ToldOffer => {
    const offer: Offer = {
      peer: wire.peer,
      addresses: wire.addresses().slice(0, WIRE_LIMITS.addressesPerPeerMax),
      model: model.hash,
      modelName: model.manifest.name,
      segmentCount: segments.length,
      firstSegment,
      lastSegment,
      stepMicros: Math.ceil(speed.stepMs * 1_000),
      prefillMicros: Math.ceil(speed.prefillMs * 1_000),
      sessionsFree: SESSION_LIMITS.sessionsMax - server.sessionCount,
      device: options.device,
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
    offers: [ownOffer(), ...othersOffers()].slice(0, WIRE_LIMITS.offersMax),
    ...server.statistics(),
  })

  const renew = async (): Promise<void> => {
    const asked = await directory.refresh(stopping.signal)
    const measured = await Promise.all(
      asked.slice(0, WIRE_LIMITS.roundTripsMax).map(async ({ peer }) => {
        const rttMs = await wire.ping(peer, stopping.signal).catch(() => undefined)
        return rttMs === undefined ? [] : [{ peer, micros: Math.round(rttMs * 1_000) }]
      }),
    )
    roundTrips = measured.flat()
    await wire.provide(hexToBytes(model.hash), stopping.signal)
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
    if (addressesOf(peer).length === 0) await directory.search(model.hash, signal)
    return addressesOf(peer)
  }

  await serveStatus(wire, status)
  const telling = keepTelling()
  return {
    ...{ speed, server, served, status, locate },
    close: async () => {
      stopping.abort()
      await server.close()
      await options.market?.close()
      await wire.stop()
      await telling
      await host.close()
    },
  }
}

const WARM_UP_STEPS = 2
const MEASURED_STEPS = 5
const PREFILL_ROWS = 16

/** Median time of decode steps and time per prompt token, on made-up input. */
async function measureSpeed({ host, model, firstSegment }: MinerOptions): Promise<Speed> {
  const { config } = model.manifest
  const cache = await host.openCache(Math.min(config.contextLength, PREFILL_ROWS + WARM_UP_STEPS + MEASURED_STEPS))
  const input = (rows: number): StepInput['input'] =>
    firstSegment === 0
      ? { type: 'tokens', tokens: new Int32Array(rows) }
      : { type: 'hidden', values: new Float32Array(rows * config.hiddenSize).fill(0.01) }
  try {
    const prefillRows = Math.min(PREFILL_ROWS, config.contextLength - WARM_UP_STEPS - MEASURED_STEPS)
    const prefill = await host.run({ cache, position: 0, input: input(prefillRows), logits: 'last' })
    const times: number[] = []
    for (let step = 0; step < WARM_UP_STEPS + MEASURED_STEPS; step++) {
      const run = await host.run({ cache, position: prefillRows + step, input: input(1), logits: 'last' })
      if (step >= WARM_UP_STEPS) times.push(run.computeMs)
    }
    times.sort((a, b) => a - b)
    return {
      stepMs: milliseconds(times[times.length >> 1]!),
      prefillMs: milliseconds(prefill.computeMs / prefillRows),
    }
  } finally {
    await host.closeCache(cache)
  }
}
