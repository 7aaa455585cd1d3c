/**
 * How a miner comes to its market: the chain of its network through a full node, the keys of its wallet, and mining over both. The chain of the
 * local network may come after its miners, so there a miner serves for nothing until it is there.
 * Spec: docs/spec/cli.md §10.
 * @module
 */
import { milliseconds } from '../../base/brand.ts'
import { codeOf, HouseError } from '../../base/error.ts'
import { accountOf, addressOfAccount } from '../../core/fields.ts'
import type { NetworkKind } from '../../core/network-kind.ts'
import { chainOf, NetworkChainError, networkView } from '../chain/network-chain.ts'
import type { Home } from '../home.ts'
import type { LeaseDesk } from '../market/lease-desk.ts'
import { leaseError } from '../market/lease-error.ts'
import { LOCAL_NETWORK, type Network } from '../networks.ts'
import type { NodeIdentity } from '../node-identity.ts'
import type { PostWish } from '../posts/post.ts'
import type { System } from '../system.ts'
import { type ChooserParts, createSegmentChooser } from './choose-segments.ts'
import type { MinerKeys } from './miner-keys.ts'
import { type MarketFlags, marketWish } from './mining-flags.ts'
import type { NamedRun } from './model-markets.ts'
import { createMiningNotes } from './notes.ts'
import { type Mining, type MiningOptions, openMining, type Serving } from './open-mining.ts'
import { type OwnNode, openOwnNode } from './own-node.ts'

export interface MarketToJoin {
  readonly home: Home
  readonly flags: MarketFlags & { readonly name: string }
  readonly network: Network
  readonly identity: NodeIdentity
  /** What is served to begin with. */
  readonly posts: readonly PostWish[]
  /** What it may move to. */
  readonly room: Pick<ChooserParts, 'weightBytesMax' | 'mayMove'>
  /** Opens the wallet: asks for its password where it must. */
  readonly openKeys: (kind: NetworkKind) => Promise<MinerKeys>
  readonly signal: AbortSignal
  readonly print: (line: string) => void
  readonly emit: (value: object) => void
}

export interface JoinedMarket extends Pick<Mining, 'drained' | 'start' | 'close'> {
  readonly desk: LeaseDesk
}

/** Between two looks for the chain of the local network, and before the first: the answer that waits for this miner comes first. */
const LOOK_MS = milliseconds(1_000)
/** There is no chain yet: of the local network it may come. */
const NOT_YET: readonly unknown[] = ['NO_NODE', 'NETWORK_NO_CHAIN']

/** @throws NetworkChainError NETWORK_NO_CHAIN; those of openOwnNode; what keeps the wallet closed. */
export async function joinMarket(toJoin: MarketToJoin, system: System): Promise<JoinedMarket> {
  const { network } = toJoin
  // Who chats for the first time waits for this miner, and its chain comes after it.
  if (network.id === LOCAL_NETWORK.id) return joinLater(toJoin, system)
  try {
    return await joinNow(toJoin, system)
  } catch (error) {
    throw withAdvice(error, network)
  }
}

async function joinNow(toJoin: MarketToJoin, system: System): Promise<JoinedMarket> {
  const { home, flags, network, identity, posts, signal, print } = toJoin
  const { name } = flags
  const open = (): Promise<OwnNode> => openOwnNode({ home, network, name, system, signal, note: print })
  // Who is asked for a password is asked at once, and not when a node has caught up. On the local network nodes come first, and then the wallet.
  const early = network.id === LOCAL_NETWORK.id ? await open() : undefined
  try {
    const kind = (early?.chain.network ?? networkView(await chainOf(home, network))).kind
    const { payout, ...wish } = marketWish(flags, { kind, posts: posts.length })
    const keys = await toJoin.openKeys(kind)
    const node = early ?? (await open())
    return await mineOver(node, async () => {
      const folder = await home.folder('mining', name)
      const notes = createMiningNotes({ folder, print, emit: toJoin.emit }, system)
      const runs = posts.map((post) => runOf(post, wish.slotsOf(post)))
      const own = { keys: keys.operator, payout: payout ?? keys.payout, runs }
      const addresses = {
        operator: addressOfAccount(accountOf(keys.operator.publicKey), kind),
        payout: addressOfAccount(own.payout, kind),
      }
      const chooser: MiningOptions['chooser'] = (loaded) =>
        createSegmentChooser({ chain: node.chain, own: addresses, posts: loaded, ...toJoin.room })
      const options = { ...wish, ...own, folder, chain: node.chain, network: network.id, notes, identity, chooser }
      return openMining(options, system)
    })
  } catch (error) {
    await early?.close()
    throw error
  }
}

function runOf({ model, firstSegment: first, lastSegment: end }: PostWish, slots: number): NamedRun {
  return { model: model.hash, name: model.manifest.name, first, end, slots }
}

/** Mining that takes its node along at the end. */
async function mineOver(node: OwnNode, open: () => Promise<Mining>): Promise<JoinedMarket> {
  const mining = await open().catch(async (error: unknown) => {
    await node.close()
    throw error
  })
  let closing: Promise<void> | undefined
  const close = async (): Promise<void> => {
    await mining.close()
    await node.close()
  }
  return {
    ...mining,
    close() {
      closing ??= close()
      return closing
    },
  }
}

/** Serves at once; until the chain is there, sessions without lease are served, and no lease is known. */
function joinLater(toJoin: MarketToJoin, system: System): JoinedMarket {
  const stopping = new AbortController()
  const drained = Promise.withResolvers<void>()
  let joined: JoinedMarket | undefined
  const serving = Promise.withResolvers<Serving>()
  let isTold = false

  const notYet = (error: unknown): undefined => {
    if (!NOT_YET.includes(codeOf(error))) throw error
    if (!isTold) toJoin.print('The local network has no chain yet. This miner serves for nothing until it runs.')
    isTold = true
  }
  const join = async (): Promise<void> => {
    const served = await serving.promise
    while (joined === undefined) {
      await system.clock.sleep(LOOK_MS, stopping.signal)
      joined = await joinNow({ ...toJoin, signal: stopping.signal }, system).catch(notYet)
    }
    void joined.drained.then(drained.resolve)
    await joined.start(served)
  }
  const joining = join().catch((error: unknown) => {
    if (stopping.signal.aborted) return
    if (!(error instanceof HouseError)) throw error
    const { code, message } = error
    const text = `This miner earns nothing: ${message} (${code})`
    toJoin.print(text)
    toJoin.emit({
      type: 'mining',
      event: 'problem',
      timeMs: Math.floor(system.clock.wallMs()),
      text,
      details: { code },
    })
  })
  const later = <Result>(ask: (desk: LeaseDesk) => Promise<Result>, otherwise: () => Result): Promise<Result> =>
    joined === undefined ? Promise.resolve().then(otherwise) : ask(joined.desk)
  return {
    drained: drained.promise,
    desk: {
      open: (open, holder) =>
        later(
          (desk) => desk.open(open, holder),
          () => {
            if (open.lease !== undefined) throw leaseError('LEASE_UNKNOWN')
            return undefined
          },
        ),
      claim: (lease, closes) =>
        later(
          (desk) => desk.claim(lease, closes),
          () => undefined,
        ),
      paid: (lease) =>
        later(
          (desk) => desk.paid(lease),
          () => undefined,
        ),
      forget: (lease) =>
        later(
          (desk) => desk.forget(lease),
          () => undefined,
        ),
      close: () =>
        later(
          (desk) => desk.close(),
          () => undefined,
        ),
    },
    start: async (served) => serving.resolve(served),
    async close() {
      stopping.abort()
      serving.reject(stopping.signal.reason)
      await joining
      await joined?.close()
    },
  }
}

function withAdvice(error: unknown, { id }: Network): unknown {
  if (codeOf(error) !== 'NETWORK_NO_CHAIN') return error
  const message = `The network ${id} has no chain, so nobody can pay there. Leave out --wallet to serve it for nothing, or choose another with --network.`
  return new NetworkChainError('NETWORK_NO_CHAIN', message, { details: { network: id }, cause: error })
}
