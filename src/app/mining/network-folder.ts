/**
 * Where a miner keeps what belongs to one network. A miner of the same name may serve another one tomorrow, where nobody knows of the leases and
 * audits of the first: there they would look settled, and their vouchers and salts would be thrown away.
 * Spec: docs/spec/home.md §6.
 * @module
 */
import { join } from 'node:path'
import type { Hash } from '../../base/brand.ts'

/** Enough to tell networks apart, and short enough to read. */
const NETWORK_DIGITS = 16

/** Journals of leases. `folder`: `mining/NAME/`. */
export function lotsFolder(folder: string, networkId: Hash): string {
  return join(folder, 'lots', networkId.slice(0, NETWORK_DIGITS))
}

/** What took the place of models. `folder`: `mining/NAME/`. */
export function recordsFile(folder: string, networkId: Hash): string {
  return join(folder, 'versions', `${networkId.slice(0, NETWORK_DIGITS)}.json`)
}

/** What audits need. `folder`: `mining/NAME/`. */
export function verdictsFolder(folder: string, networkId: Hash): string {
  return join(folder, 'verdicts', networkId.slice(0, NETWORK_DIGITS))
}
