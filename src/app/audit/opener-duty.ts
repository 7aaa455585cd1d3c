/**
 * The duty of a miner whose lots are audited: when the auditors have committed it opens the receipt that covers the audited row, as it
 * claimed it. Who does not open is at fault; who opens while too few have committed only shows the next ones what they are to find.
 * Spec: docs/spec/market.md §8, docs/spec/transactions.md §18.
 * @module
 */
import { codeOf, messageOf } from '../../base/error.ts'
import { addressOfAccount } from '../../core/fields.ts'
import type { ChainAccess, HeadView } from '../chain/chain-access.ts'
import type { AuditView } from '../chain/market-access.ts'
import type { ChainSender } from '../market/chain-sender.ts'
import type { Duty, MiningEventType, MiningNotes } from '../mining/duty.ts'
import type { AuditBook } from './audit-book.ts'
import { openReceiptCall } from './audit-calls.ts'
import { auditName } from './audit-pages.ts'
import { lotText } from './auditor-duty.ts'
import type { ClaimedReceipts } from './claimed-receipts.ts'
import type { Tasks } from './tasks.ts'

export interface OpenerOptions {
  readonly chain: ChainAccess
  readonly sender: ChainSender
  /** Of the operator's peer, 32 bytes. */
  readonly peerKey: Uint8Array
  readonly book: AuditBook
  readonly receipts: ClaimedReceipts
  readonly tasks: Tasks
}

export function createOpenerDuty(options: OpenerOptions, { notes }: { readonly notes: MiningNotes }): Duty {
  const { chain, sender, book, tasks } = options
  const address = addressOfAccount(sender.id, chain.network.kind)
  /** Audits that people were told of, and what. */
  const told = new Map<string, Set<string>>()
  /** Operators of audited lots. */
  const operators = new Map<string, string | undefined>()

  const sayOnce = (audit: AuditView, type: MiningEventType, text: string): void => {
    const said = told.get(auditName(audit)) ?? new Set()
    told.set(auditName(audit), said)
    const { lease, lot, window } = audit
    if (!said.has(text)) notes.say({ type, text, details: { lease, lot, window } })
    said.add(text)
  }
  const open = async (audit: AuditView, signal: AbortSignal): Promise<void> => {
    const { lease, lot, window } = audit
    const found = await options.receipts.covering(await chain.market.lease(lease, signal), audit)
    if (found === undefined) {
      const text = `The receipt of an audit of ${lotText(audit)} is not on this disk as it was claimed: the lot will be found at fault.`
      return sayOnce(audit, 'problem', text)
    }
    const { receipt, outDigest, salt, proof } = found
    const body = { audit: { lease, lot, window }, peerKey: options.peerKey, receipt, outDigest, salt, proof }
    await sender.send(openReceiptCall(body), signal)
    sayOnce(audit, 'audited', `Opened the receipt of an audit of ${lotText(audit)}.`)
  }
  const consider = async (audit: AuditView, head: HeadView, signal: AbortSignal): Promise<void> => {
    const name = auditName(audit)
    if (!operators.has(name)) {
      const { lots } = await chain.market.lease(audit.lease, signal)
      operators.set(name, lots[audit.lot]?.operator)
    }
    if (operators.get(name) !== address) return
    sayOnce(audit, 'audited', `An audit of ${lotText(audit)} looks at row ${audit.row}.`)
    if (head.height < audit.commitHeight || !(await isAwaited(chain, audit, signal))) return
    tasks.begin(
      `open ${name}`,
      () => open(audit, signal),
      (error) => {
        const text = `The receipt of an audit of ${lotText(audit)} is not open yet: ${messageOf(error)}`
        if (!signal.aborted && codeOf(error) !== 'ALREADY_OPENED') sayOnce(audit, 'problem', text)
      },
    )
  }

  return {
    name: 'audits of own lots',
    async look(head, signal) {
      const { ofOurs } = await book.at(head, signal)
      const failures: unknown[] = []
      // One that cannot be opened keeps no other from it.
      for (const audit of ofOurs) {
        if (audit.opening === undefined) await consider(audit, head, signal).catch((error) => failures.push(error))
      }
      const left = new Set(ofOurs.map(auditName))
      for (const names of [told, operators]) for (const name of names.keys()) if (!left.has(name)) names.delete(name)
      if (failures.length > 0) throw failures[0]
    },
  }
}

/** With fewer commitments nobody is at fault: others are asked first. */
async function isAwaited(chain: ChainAccess, audit: AuditView, signal: AbortSignal): Promise<boolean> {
  const { values } = await chain.parameters(signal)
  return audit.auditors.filter(({ committed }) => committed).length >= Number(values.auditorsMin)
}
