/**
 * What a miner begins with where nobody named segments, and why: the words of `dllm mine --why`. All of a model if it fits, else what the network
 * needs most; a full node on this machine is asked, else the peers that are heard.
 * Spec: docs/spec/cli.md §10, docs/spec/market.md §14.
 * @module
 */
import { bytesToHex } from '@noble/hashes/utils.js'
import { codeOf } from '../../base/error.ts'
import { keyPairFromSecret } from '../../core/ed25519.ts'
import type { ChainAccess } from '../chain/chain-access.ts'
import { openChain } from '../chain/open-chain.ts'
import { createClient } from '../client.ts'
import type { Home } from '../home.ts'
import type { StoredModel } from '../model-store.ts'
import { withLocalPeers } from '../network-status.ts'
import type { Network } from '../networks.ts'
import type { NodeIdentity } from '../node-identity.ts'
import { type PostWish, weightBytesOf } from '../posts/post.ts'
import type { System } from '../system.ts'
import { chooseAtStart, holdsAll, type StartChoice } from './choose-segments.ts'
import { holdsAllWords, placeCostWords, placementWords } from './placement-words.ts'
import { type Sighting, sightByOffers, sightOnChain } from './sighting.ts'

export interface Choosing {
  readonly home: Home
  readonly network: Network
  readonly system: System
  readonly signal: AbortSignal
  readonly identity: NodeIdentity
  /** Of the weights of all posts together. */
  readonly weightBytesMax: number
  readonly print: (line: string) => void
}

/** A post that is wished for; `isNamed`: its segments were named. */
export interface PostPlan {
  readonly wish: PostWish
  readonly isNamed: boolean
}

/** Where the others of a model were seen. */
export type SightSource = 'chain' | 'offers'

export interface ExplainedPost extends StartChoice {
  readonly model: StoredModel
  readonly source: SightSource
  readonly words: readonly string[]
}

/** Fills in the segments that were not named, and says why. @throws what keeps the network from being asked. */
export async function choosePosts(plans: readonly PostPlan[], choosing: Choosing): Promise<PostWish[]> {
  const bytes = roomFor(plans, choosing.weightBytesMax)
  const wishes: PostWish[] = []
  for (const { wish, isNamed } of plans) {
    if (isNamed || holdsAll(wish.model, bytes)) {
      wishes.push(wish)
      continue
    }
    const { decision, words } = await explain(wish.model, bytes, choosing)
    for (const line of words) choosing.print(line)
    const { chosen } = decision
    // What does not fit is for whoever starts it to know; the engine says what it lacks.
    wishes.push(chosen === undefined ? wish : { ...wish, firstSegment: chosen.first, lastSegment: chosen.end })
  }
  return wishes
}

/** What `choosePosts` would choose, all of it weighed, also where all fits. */
export async function explainPosts(plans: readonly PostPlan[], choosing: Choosing): Promise<ExplainedPost[]> {
  const bytes = roomFor(plans, choosing.weightBytesMax)
  const explained: ExplainedPost[] = []
  for (const { wish } of plans) explained.push(await explain(wish.model, bytes, choosing))
  return explained
}

/** Models whose segments nobody named share what the others leave. */
function roomFor(plans: readonly PostPlan[], weightBytesMax: number): number {
  const named = plans.filter(({ isNamed }) => isNamed).reduce((sum, { wish }) => sum + weightBytesOf(wish), 0)
  const unnamed = Math.max(1, plans.filter(({ isNamed }) => !isNamed).length)
  return Math.max(0, Math.floor((weightBytesMax - named) / unnamed))
}

async function explain(model: StoredModel, bytes: number, choosing: Choosing): Promise<ExplainedPost> {
  const { source, sighting } = await see(model, choosing)
  const choice = chooseAtStart(model, sighting, bytes)
  const { name } = model.manifest
  const weighed = { model: name, needs: choice.needs, decision: choice.decision, bytes: choice.bytes, isServing: false }
  const words = holdsAll(model, bytes) ? holdsAllWords(weighed) : placementWords(weighed)
  return { ...choice, model, source, words: [...words, ...placeCostWords(sighting.placeCost)] }
}

async function see(
  model: StoredModel,
  choosing: Choosing,
): Promise<{ readonly source: SightSource; readonly sighting: Sighting }> {
  const { signal, identity } = choosing
  const chain = await openNode(choosing)
  if (chain !== undefined) {
    const own = { peerKey: bytesToHex(keyPairFromSecret(identity.secretKey).publicKey) }
    try {
      return { source: 'chain', sighting: await sightOnChain(model, { chain, own }, signal) }
    } finally {
      await chain.close()
    }
  }
  return { source: 'offers', sighting: await hear(model, choosing) }
}

/** A full node on this machine: lists cannot be proved to a light client. */
async function openNode({ home, network, system, signal }: Choosing): Promise<ChainAccess | undefined> {
  try {
    return await openChain({ home, network, system, signal }, async () => undefined)
  } catch (error) {
    if (codeOf(error) === 'NO_NODE' || codeOf(error) === 'NETWORK_NO_CHAIN') return undefined
    throw error
  }
}

async function hear(model: StoredModel, { home, network, system, signal, identity }: Choosing): Promise<Sighting> {
  const client = await createClient(await localPeers(home, network, model), system)
  try {
    await client.directory.refresh(signal)
    await client.directory.search(model.hash, signal)
    return sightByOffers(client.book.ofModel(model.hash), identity.peer)
  } finally {
    await client.close()
  }
}

async function localPeers(home: Home, network: Network, { manifest }: StoredModel): Promise<Network> {
  try {
    return (await withLocalPeers(home, network, manifest.name)).network
  } catch (error) {
    if (codeOf(error) === 'DEVNET_NOT_RUNNING') return network
    throw error
  }
}
