/**
 * What a miner does about audits: serves the inputs of its audited lots and opens their receipts, and, where it is drawn as an auditor,
 * fetches, recomputes, commits and reveals. Puts the parts together.
 * Spec: docs/spec/market.md §8, §9.4.
 * @module
 */
import { join } from 'node:path'
import type { PeerId } from '../../base/brand.ts'
import type { Clock, Log, Random } from '../../base/ports.ts'
import type { Wire } from '../../net/wire.ts'
import type { ChainAccess } from '../chain/chain-access.ts'
import type { ChainSender } from '../market/chain-sender.ts'
import type { LotFolder } from '../market/lot-folder.ts'
import type { Duty, MiningNotes } from '../mining/duty.ts'
import type { ServedSegments } from '../ring/check-open.ts'
import { openDisk } from '../store/disk.ts'
import { createAuditBook } from './audit-book.ts'
import { serveAudits } from './audit-server.ts'
import { openAuditShelf } from './audit-shelf.ts'
import { createAuditorDuty } from './auditor-duty.ts'
import { createClaimedReceipts } from './claimed-receipts.ts'
import { createOpenerDuty } from './opener-duty.ts'
import { createTasks } from './tasks.ts'
import { openVerdictStore } from './verdict-store.ts'

export interface AuditDutiesOptions {
  /** A node's: a light client cannot know of audits. */
  readonly chain: ChainAccess
  /** Of the operator's account. */
  readonly sender: ChainSender
  /** Public half of the peer key that the operator is registered with, 32 bytes. */
  readonly peerKey: Uint8Array
  /** The journals that the miner's desk writes. */
  readonly lots: LotFolder
  /** What lots are recomputed with: what the miner's stage server serves. */
  readonly served: readonly ServedSegments[]
  /** Keeps what was committed to until it is revealed, and what was fetched until the audit ends: `mining/NAME/verdicts/NETWORK/`. */
  readonly folder: string
  /** false (`--no-audit`): audits nobody, and still opens receipts and serves their inputs. What was committed to is revealed. */
  readonly audits: boolean
  /** Where a peer listens, as far as it is known; rejects with the signal's reason only. */
  readonly locate: (peer: PeerId, signal: AbortSignal) => Promise<readonly string[]>
  /** Whether paid sessions are open now: audits then leave half of the time to them. */
  readonly isBusy: () => boolean
}

export interface AuditPorts {
  readonly wire: Wire
  readonly clock: Clock
  readonly log: Log
  readonly random: Random
  readonly notes: MiningNotes
}

export interface AuditDuties {
  /** Each looks at every new block. What they begin ends with the signal of the look that began it. */
  readonly duties: readonly Duty[]
  /** When the duties look no more: waits for what they have begun, and gives back what is open. */
  close(): Promise<void>
}

/** Serves `/dllm/audit/1` from now on, until the wire stops. @throws StoreError, CodecError for what `folder` holds. */
export async function createAuditDuties(options: AuditDutiesOptions, ports: AuditPorts): Promise<AuditDuties> {
  const { chain, sender, lots, peerKey } = options
  const verdicts = await openVerdictStore(await openDisk(options.folder))
  const shelf = await openAuditShelf(join(options.folder, 'inputs'))
  const receipts = createClaimedReceipts(lots)
  const book = createAuditBook({ chain, operator: sender.id, lots })
  const tasks = createTasks(ports.log)
  await serveAudits(ports.wire, { chain, lots, receipts, shelf, peerKey }, ports)
  return {
    duties: [
      createOpenerDuty({ chain, sender, peerKey, book, receipts, tasks }, ports),
      createAuditorDuty({ ...options, book, verdicts, shelf, tasks }, ports),
    ],
    close: async () => {
      await tasks.idle()
      await verdicts.close()
    },
  }
}
