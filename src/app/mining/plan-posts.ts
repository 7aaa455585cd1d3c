/**
 * From what people type to what a miner begins with: models that are named or usual, fetched manifests where they are not here, segments named or
 * chosen; and `dllm mine --why`, which says what would be chosen and ends.
 * Spec: docs/spec/cli.md §10.
 * @module
 */
import { totalmem } from 'node:os'
import { withBootstrap } from '../background.ts'
import { loadConfig } from '../config.ts'
import type { Home } from '../home.ts'
import type { StoredModel } from '../model-store.ts'
import { loadNetwork, type Network } from '../networks.ts'
import { loadNodeIdentity } from '../node-identity.ts'
import type { PostWish } from '../posts/post.ts'
import { modelTexts, namesSegments, type PostFlags, parsePosts } from '../posts/post-flags.ts'
import { namedModels } from '../swarm/named-models.ts'
import type { System } from '../system.ts'
import type { Choosing, PostPlan } from './choose-posts.ts'
import { newestNames } from './newest-names.ts'

export interface PlanFlags extends PostFlags {
  readonly network?: string | undefined
  readonly bootstrap?: string[] | undefined
  readonly name: string
  readonly 'cache-mib': number
  readonly 'memory-mib'?: number | undefined
}

export interface PlanQuery {
  readonly home: Home
  readonly flags: PlanFlags
  readonly system: System
  readonly signal: AbortSignal
  readonly print: (line: string) => void
}

/** Where posts are planned: the network, and the model that is meant where none is named. */
export interface PlanPlace {
  readonly network: Network
  readonly usual: string
}

const MIB = 1_048_576
/** Of the machine's memory, where nothing else is said: the rest is for the system and other programs. */
const MEMORY_SHARE = 0.75

/** For weights and sessions together. */
export function memoryBytesOf(flags: Pick<PlanFlags, 'memory-mib'>): number {
  const mebibytes = flags['memory-mib']
  return mebibytes === undefined ? Math.floor(totalmem() * MEMORY_SHARE) : mebibytes * MIB
}

/** For weights alone. */
export function weightBytesMaxOf(flags: Pick<PlanFlags, 'memory-mib' | 'cache-mib'>): number {
  return Math.max(0, memoryBytesOf(flags) - flags['cache-mib'] * MIB)
}

/** What is to be served; manifests that are not here come from other peers. */
export async function plannedPosts(query: PlanQuery, place: PlanPlace): Promise<PostPlan[]> {
  const { home, flags, system, signal, print } = query
  const { network, usual } = place
  const texts = modelTexts(flags, usual)
  const models = await namedModels(await newestNames(texts, query, network), {
    home,
    network,
    system,
    signal,
    note: print,
  })
  const wishes = parsePosts(flags, usual, { find: (text) => models[texts.indexOf(text)]! })
  return wishes.map((wish, index) => ({ wish, isNamed: namesSegments(flags, index) }))
}

/** Whether a miner may move within a model: whoever named segments has chosen, also for the versions that take their model's place. */
export function mayMoveBy(flags: PostFlags, posts: readonly PostWish[]): (model: StoredModel) => boolean {
  const free = posts.filter((_, index) => !namesSegments(flags, index))
  if (free.length === posts.length) return () => true
  return ({ hash }) => free.some(({ model }) => model.hash === hash)
}

/** With their segments. What chooses is loaded only where something has to be chosen. */
export async function chosenPosts(query: PlanQuery, place: PlanPlace): Promise<PostWish[]> {
  const plans = await plannedPosts(query, place)
  if (plans.every(({ isNamed }) => isNamed)) return plans.map(({ wish }) => wish)
  const { choosePosts } = await import('./choose-posts.ts')
  return choosePosts(plans, await choosingOf(query, place))
}

async function choosingOf(
  { home, flags, system, signal, print }: PlanQuery,
  { network }: PlanPlace,
): Promise<Choosing> {
  const identity = await loadNodeIdentity(home.file('nodes', `${flags.name}.key`), system.random)
  return { home, network, system, signal, identity, weightBytesMax: weightBytesMaxOf(flags), print }
}

/** What `dllm mine --why` says, as JSON; segments from 0, ends exclusive. */
export interface WhyReport {
  readonly network: string
  /** Room for weights, bytes. */
  readonly weightBytesMax: number
  readonly models: readonly WhyModel[]
}

export interface WhyModel {
  readonly model: string
  readonly hash: string
  readonly source: 'chain' | 'offers'
  readonly verdict: string
  readonly now?: { readonly first: number; readonly end: number }
  readonly chosen?: { readonly first: number; readonly end: number }
  /** The best runs, the best first. `gain`: of the potential, in percent of the first. */
  readonly runs: readonly {
    readonly first: number
    readonly end: number
    readonly bytes: number
    readonly serves: number
    readonly restores: number
    readonly gain: number
    readonly rowsPerSecond: number
  }[]
  /** What keeps it from the best of them. */
  readonly keptBy: readonly number[]
  /** Without this machine. */
  readonly segments: readonly { readonly owners: number; readonly rowsPerSecond: number }[]
  readonly reasons: readonly string[]
}

/** What this machine should serve and why. Prints the reasons, and serves nothing. */
export async function explainMining(query: PlanQuery): Promise<WhyReport> {
  const { home, flags, print } = query
  const { settings } = await loadConfig({ home, env: process.env, flags: { network: flags.network } })
  const network = withBootstrap(await loadNetwork(home, settings.network), flags.bootstrap ?? [])
  const place = { network, usual: settings.model }
  const plans = await plannedPosts(query, place)
  const { explainPosts } = await import('./choose-posts.ts')
  const explained = await explainPosts(plans, await choosingOf(query, place))
  for (const { words } of explained) for (const line of words) print(line)
  const models = explained.map(({ model, source, words, decision }): WhyModel => {
    const { verdict, now, chosen, ranked, keptBy, others } = decision
    const best = ranked[0]?.gain ?? 0
    return {
      ...{ model: model.manifest.name, hash: model.hash, source, verdict, keptBy, reasons: words },
      ...(now === undefined ? {} : { now: { first: now.first, end: now.end } }),
      ...(chosen === undefined ? {} : { chosen: { first: chosen.first, end: chosen.end } }),
      runs: ranked.map(({ first, end, bytes, serves, restores, gain, flow }) => ({
        ...{ first, end, bytes, serves, restores, rowsPerSecond: flow / 65_536 },
        gain: best === 0 ? 0 : Math.round((1_000 * gain) / best) / 10,
      })),
      segments: others.owners.map((owners, index) => ({ owners, rowsPerSecond: others.flows[index]! / 65_536 })),
    }
  })
  return { network: network.id, weightBytesMax: weightBytesMaxOf(flags), models }
}
