/**
 * The folders of full nodes in the data folder, `nodes/NAME/`, and which of them run. Spec: docs/spec/home.md §4.
 * @module
 */
import { readdir } from 'node:fs/promises'
import type { Hash } from '../../base/brand.ts'
import type { ChainMethods } from '../chain/chain-methods.ts'
import { type ConnectedNode, connectToNode } from '../control/connect.ts'
import type { Home } from '../home.ts'

export interface NodeFolder {
  readonly name: string
  /** Absolute path. */
  readonly path: string
  /** LevelDB. */
  readonly store: string
  /** Journal and sign state. */
  readonly disk: string
  readonly validatorKey: string
}

export function nodeFolder(home: Home, name: string): NodeFolder {
  const path = home.file('nodes', name)
  const inside = (file: string): string => home.file('nodes', name, file)
  return { name, path, store: inside('chain'), disk: inside('votes'), validatorKey: inside('validator.key') }
}

/** A running full node of the network, or undefined. Folders that cannot be read count as not running. */
export async function findRunningNode(home: Home, networkId: Hash): Promise<ConnectedNode<ChainMethods> | undefined> {
  const entries = await readdir(home.file('nodes'), { withFileTypes: true }).catch(() => [])
  for (const entry of entries) {
    if (!entry.isDirectory()) continue
    const node = await connectToNode<ChainMethods>(nodeFolder(home, entry.name).path).catch(() => undefined)
    if (node?.node.network === networkId) return node
  }
  return undefined
}
