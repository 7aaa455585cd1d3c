/**
 * Models by the names that people start miners with, years later: one that retired, and whose files are gone, means what took its place while this miner ran.
 * Spec: docs/spec/posts.md §4.
 * @module
 */
import type { Hash } from '../../base/brand.ts'
import { chainOf } from '../chain/network-chain.ts'
import type { Home } from '../home.ts'
import { openModelStore } from '../model-store.ts'
import type { Network } from '../networks.ts'
import { findHere } from '../swarm/named-models.ts'
import { newestOf } from './life-rule.ts'
import { openVersionRecords } from './version-records.ts'

export interface NamedForMiner {
  readonly home: Home
  /** `name`: of the miner. */
  readonly flags: { readonly name: string }
  readonly print: (line: string) => void
}

/** The same names and hashes; instead of what is not here, and had its place taken, the hash of what has it now. */
export async function newestNames(
  texts: readonly string[],
  { home, flags, print }: NamedForMiner,
  network: Network,
): Promise<string[]> {
  const store = openModelStore({ home: home.path })
  if (texts.every((text) => findHere(text, store) !== undefined)) return [...texts]
  const networkId = await networkIdOf(home, network)
  if (networkId === undefined) return [...texts]
  const records = await openVersionRecords(home.file('mining', flags.name), networkId)
  return texts.map((text) => {
    const model = findHere(text, store) === undefined ? records.find(text) : undefined
    if (model === undefined) return text
    const newest = newestOf(model, records.successors)
    const name = findHere(newest, store)?.manifest.name ?? newest
    print(`${text} is not here any more. This miner has seen ${name} take its place, and serves that.`)
    return newest
  })
}

/** undefined: the network has no chain. */
async function networkIdOf(home: Home, network: Network): Promise<Hash | undefined> {
  return chainOf(home, network).then(
    (chain) => chain.networkId,
    () => undefined,
  )
}
