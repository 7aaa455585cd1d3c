/**
 * The audits that concern a miner: those that it was drawn for, and those of lots that it served. One look at the chain for each block, for all who
 * ask.
 * Spec: docs/spec/market.md §8.
 * @module
 */
import type { AccountId } from '../../base/brand.ts'
import { addressOfAccount } from '../../core/fields.ts'
import type { ChainAccess, HeadView } from '../chain/chain-access.ts'
import type { AuditView } from '../chain/market-access.ts'
import type { LotFolder } from '../market/lot-folder.ts'
import { auditsOf } from './audit-pages.ts'

export interface AuditsNow {
  /** We are among their auditors; those that end first come first. */
  readonly asked: readonly AuditView[]
  /** Of leases of which we have a journal, whoever serves the audited lot. */
  readonly ofOurs: readonly AuditView[]
}

export interface AuditBook {
  at(head: HeadView, signal: AbortSignal): Promise<AuditsNow>
}

export interface AuditBookOptions {
  readonly chain: Pick<ChainAccess, 'market' | 'network'>
  readonly operator: AccountId
  readonly lots: Pick<LotFolder, 'leases'>
}

export function createAuditBook({ chain, operator, lots }: AuditBookOptions): AuditBook {
  const address = addressOfAccount(operator, chain.network.kind)
  let latest: { readonly hash: string; readonly audits: Promise<AuditsNow> } | undefined

  const look = async (signal: AbortSignal): Promise<AuditsNow> => {
    const leases = new Set(await lots.leases())
    const asked: AuditView[] = []
    const ofOurs: AuditView[] = []
    for await (const audit of auditsOf(chain.market, undefined, signal)) {
      if (audit.auditors.some((auditor) => auditor.operator === address)) asked.push(audit)
      if (leases.has(audit.lease)) ofOurs.push(audit)
    }
    return { asked: asked.sort((one, other) => one.commitHeight - other.commitHeight), ofOurs }
  }

  return {
    at(head, signal) {
      if (latest?.hash !== head.hash) latest = { hash: head.hash, audits: look(signal) }
      const { audits } = latest
      audits.catch(() => {
        if (latest?.audits === audits) latest = undefined
      })
      return audits
    },
  }
}
