/**
 * Mining for pay, composed: the desk that takes leases, and the duties that register, place, claim, look at jobs and sit in audits. Knows no
 * command line and no wallet.
 * Spec: docs/spec/cli.md §10.
 * @module
 */
import { bytesToHex } from '@noble/hashes/utils.js'
import { assert } from '../../base/assert.ts'
import { type AccountId, type Hash, milliseconds } from '../../base/brand.ts'
import { MINING_LIMITS } from '../../base/chain-limits.ts'
import { codeOf } from '../../base/error.ts'
import type { Clock } from '../../base/ports.ts'
import { type KeyPair, keyPairFromSecret } from '../../core/ed25519.ts'
import { addressOfAccount } from '../../core/fields.ts'
import type { Wire } from '../../net/wire.ts'
import { type AuditDuties, createAuditDuties } from '../audit/audit-duties.ts'
import type { ChainAccess, HeadView } from '../chain/chain-access.ts'
import { createChainLeases, openLeaseOf } from '../market/chain-leases.ts'
import { createChainSender } from '../market/chain-sender.ts'
import { createLeaseDesk, type LeaseDesk } from '../market/lease-desk.ts'
import { openLotFolder } from '../market/lot-folder.ts'
import type { Miner } from '../miner.ts'
import type { NodeIdentity } from '../node-identity.ts'
import type { ModelFiles } from '../posts/model-files.ts'
import type { Post, PostWish } from '../posts/post.ts'
import type { PostKeeper } from '../posts/post-keeper.ts'
import type { VersionFiles } from '../posts/version-files.ts'
import type { System } from '../system.ts'
import { createClaims } from './claims.ts'
import { createDrain } from './drain.ts'
import type { MiningNotes } from './duty.ts'
import { tellIdleMinutes } from './idle.ts'
import type { IdleFacts } from './idle-words.ts'
import type { MiningMode } from './mode.ts'
import { createModelLife, type ModelLife } from './model-life.ts'
import { type ModelMarket, type NamedRun, openModelMarkets } from './model-markets.ts'
import { createMoves, type Moves } from './moves.ts'
import { lotsFolder, verdictsFolder } from './network-folder.ts'
import { isPostNeeded } from './post-needs.ts'
import { createRebalance, type Rebalance, type SegmentChooser } from './rebalance.ts'
import { createRegistration } from './registration.ts'
import { runDuties } from './run-duties.ts'
import { createSurvey } from './survey.ts'
import { createTellingDesk } from './telling-desk.ts'
import { openVersionRecords } from './version-records.ts'
import { type WatchedMode, watchMode } from './watch-mode.ts'

export interface MiningOptions {
  /** `mining/NAME/` in the data folder. */
  readonly folder: string
  readonly chain: ChainAccess
  /** Name of the network, for commands that texts name. */
  readonly network: string
  /** Of the operator account. */
  readonly keys: KeyPair
  readonly payout: AccountId
  /** Of the peer that serves. */
  readonly identity: NodeIdentity
  /** What is offered to begin with; one at least. */
  readonly runs: readonly NamedRun[]
  /** Leases at once that another run is offered for. */
  readonly slotsOf: (wish: PostWish) => number
  /** Grains per CU. */
  readonly bid: bigint
  /** At most; undefined: what the slots need. */
  readonly deposit: bigint | undefined
  /** What it computes on, as the chain tells. Default: cpu. */
  readonly device?: 'cpu' | 'gpu' | undefined
  /** Sessions without a lease are served as well. */
  readonly isFree: boolean
  /** Whether it sits in audits of others. */
  readonly audits: boolean
  /** What journals of leases may take of the disk. */
  readonly journalBytes: number
  readonly notes: MiningNotes
  /** Moves the miner to where it does most good, by what it serves at each moment; undefined: it stays where it was put. */
  readonly chooser?: ((posts: () => readonly Post[]) => SegmentChooser) | undefined
}

export interface Mining {
  readonly desk: LeaseDesk
  /** Begins with the duties: the miner serves. Once. @throws StoreError, CodecError. */
  start(serving: Serving): Promise<void>
  /** Changes what is served, once it was started. */
  moves(): Moves
  /** Resolves when the miner was told to drain, has nothing open any more, and its deposit is back. */
  readonly drained: Promise<void>
  /** Ends the placement if that goes at once, and the duties. */
  close(): Promise<void>
}

/** A miner that serves, the wire that it serves on, and who changes what it serves. */
export interface Serving {
  readonly miner: Pick<Miner, 'server' | 'served' | 'locate'>
  readonly wire: Wire
  readonly keeper: PostKeeper
  readonly files: ModelFiles
  readonly versions: VersionFiles
}

/** How long the end of a placement may hold up the end of the process. */
const LEAVE_MS = milliseconds(1_500)
const PLACEMENT_BLOCKS = 15
/** What `dllm mine pause` or `drain` said before the start. */
const MODE_TEXTS: Readonly<Partial<Record<MiningMode, string>>> = {
  pause: 'This miner is paused, and takes no new jobs until `dllm mine resume`.',
  drain: 'This miner drains: no new jobs, and at the end of the last one the deposit back.',
}

export async function openMining(options: MiningOptions, system: System): Promise<Mining> {
  const { chain, notes } = options
  const { clock, log } = system
  const mode = await watchMode(options.folder, clock)
  const market = await openMarket(options, mode, system).catch((error: unknown) => {
    mode.close()
    throw error
  })
  const { desk, markets, registration, drain } = market
  const pulse = createPulse(clock)
  const stopping = new AbortController()
  const { signal } = stopping
  const running: Promise<void>[] = []
  let audits: AuditDuties | undefined
  let moves: Moves | undefined
  let life: ModelLife | undefined
  let rebalance: Rebalance | undefined

  const factsOf = async (one: ModelMarket, server: Miner['server']): Promise<IdleFacts> => ({
    ...{ sight: pulse.isLost ? undefined : one.survey.latest, mode: mode.now(), hindrance: registration.hindrance },
    ...{ isOutrun: one.placement.isOutrun, noPlace: one.placement.noPlace?.text },
    placement: pulse.head && (await one.survey.placement(pulse.head, PLACEMENT_BLOCKS, signal).catch(() => undefined)),
    ...{ demand: one.jobs.demand(pulse.head?.height ?? 0), demandBlocks: MINING_LIMITS.demandBlocks },
    ...{ sessions: server.sessionCount, blockAgeMs: pulse.ageMs(), bid: options.bid },
  })
  const idleFacts = (server: Miner['server']): Promise<readonly IdleFacts[]> =>
    Promise.all(markets.all.map((one) => factsOf(one, server)))

  return {
    desk,
    drained: drain.done,
    moves() {
      assert(moves, 'what is served changes only once it is served')
      return moves
    },
    async start({ miner, wire, keeper, files, versions }) {
      const { server } = miner
      const needs = { chain, operator: market.sender.id, staying: keeper.staying, audits: options.audits }
      const isNeeded = (post: Post, until: AbortSignal): Promise<boolean> => isPostNeeded(post, needs, until)
      moves = createMoves({
        keeper,
        markets,
        files,
        slotsOf: options.slotsOf,
        isNeeded,
        isLeased: market.isLeased,
        notes,
      })
      audits = await openAudits(options, market, { miner, wire, system })
      const held = MODE_TEXTS[mode.now()]
      if (held !== undefined) notes.say({ type: 'state', text: held })
      const steps = (): number => server.statistics().total.steps
      const records = await openVersionRecords(options.folder, chain.network.networkId)
      life = createModelLife(
        { chain, sender: market.sender, markets, keeper, moves, files: versions, records, notes, mode: mode.now },
        { log },
      )
      const chooser = options.chooser?.(() => keeper.posts)
      const { placementBlocks } = market
      rebalance =
        chooser && createRebalance({ chooser, keeper, markets, moves, notes, mode: mode.now, placementBlocks }, system)
      const moving = rebalance === undefined ? [] : [rebalance.duty]
      const duties = [...market.duties, life.duty, ...moving, ...audits.duties]
      running.push(runDuties({ chain, duties, ...pulse.listeners }, { clock, log, notes }, signal))
      running.push(tellIdleMinutes({ notes, clock, steps, facts: () => idleFacts(server) }, signal))
    },
    async close() {
      const leaving = new AbortController()
      const cancel = clock.schedule(LEAVE_MS, () => leaving.abort())
      await Promise.all(
        markets.all.map(({ placement }) =>
          placement.end(leaving.signal).catch((error: unknown) => {
            log.write('debug', 'mining.placement_stays', { code: codeOf(error) })
          }),
        ),
      )
      cancel()
      stopping.abort()
      await Promise.all(running)
      await life?.idle()
      await rebalance?.idle()
      await audits?.close()
      mode.close()
    },
  }
}

/** What takes leases, and the duties but those of audits. */
async function openMarket(options: MiningOptions, mode: WatchedMode, system: System) {
  const { chain, notes, identity, network, folder, payout } = options
  const { kind } = chain.network
  const peer = keyPairFromSecret(identity.secretKey)
  const sender = createChainSender({ chain, keys: options.keys }, system)
  const survey = createSurvey({ chain, operator: sender.id })
  const lots = await openLotFolder(lotsFolder(folder, chain.network.networkId), options.journalBytes)
  const parts = { survey, sender, notes, mode: mode.now }
  const incarnation = BigInt(Math.floor(system.clock.wallMs()))
  const markets = await openModelMarkets(options.runs, { ...parts, chain, bid: options.bid, incarnation })
  const isLeased = (model: Hash): boolean => !options.isFree && markets.price(model) > 0n
  const inner = createLeaseDesk(
    {
      ...{ source: createChainLeases(chain), lots, peerSecret: identity.secretKey },
      isRequired: isLeased,
    },
    system,
  )
  const parameter = (name: 'commitMs' | 'disputeBlocks' | 'placementBlocks'): number =>
    Number(survey.latest?.parameters[name] ?? 0n)

  const registration = createRegistration({
    ...{ ...parts, peer, payout, kind, network },
    wish: { device: options.device ?? 'cpu', deposit: options.deposit },
    runs: markets.runs,
    placeDeposit: markets.placeDeposit,
  })
  const claims = createClaims({
    ...{ chain, sender, desk: inner, lots, notes },
    own: { operator: addressOfAccount(sender.id, kind), peerKey: bytesToHex(peer.publicKey) },
    leaseOf: async (view, head) => openLeaseOf(view, { network: chain.network, head, commitMs: parameter('commitMs') }),
    ...{ disputeBlocks: () => parameter('disputeBlocks'), wallMs: () => system.clock.wallMs() },
  })
  const drain = createDrain({ ...parts, folder })
  const desk = createTellingDesk(inner, { notes, clock: system.clock, mode: mode.now })
  const duties = [registration.duty, ...markets.duties, claims, drain.duty]
  const placementBlocks = (): number => parameter('placementBlocks')
  return { peer, sender, lots, desk, registration, markets, drain, duties, isLeased, placementBlocks }
}

function openAudits(
  { chain, folder, audits, notes }: MiningOptions,
  { sender, peer, lots }: Pick<OpenMarket, 'sender' | 'peer' | 'lots'>,
  { miner, wire, system }: Pick<Serving, 'miner' | 'wire'> & { readonly system: System },
): Promise<AuditDuties> {
  const { server, served, locate } = miner
  const isBusy = (): boolean => server.sessionCount > 0
  return createAuditDuties(
    {
      ...{ chain, sender, lots, served, locate, audits, isBusy },
      ...{ peerKey: peer.publicKey, folder: verdictsFolder(folder, chain.network.networkId) },
    },
    { wire, notes, ...system },
  )
}

type OpenMarket = Awaited<ReturnType<typeof openMarket>>

/** Whether blocks come. */
function createPulse(clock: Clock) {
  let newest: { readonly head: HeadView; readonly atMs: number } | undefined
  let isLost = false
  return {
    listeners: {
      onHead(head: HeadView): void {
        isLost = false
        if (newest?.head.height !== head.height) newest = { head, atMs: clock.now() }
      },
      onLost(): void {
        isLost = true
      },
    },
    get head(): HeadView | undefined {
      return newest?.head
    },
    get isLost(): boolean {
      return isLost
    },
    ageMs: (): number => (newest === undefined ? Number.POSITIVE_INFINITY : clock.now() - newest.atMs),
  }
}
