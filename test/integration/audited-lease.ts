/**
 * A lease that was served, claimed and drawn for audits, and what auditors and miners do with it: for tests of audit data. Knows nothing of what
 * they assert.
 * @module
 */
import { join } from 'node:path'
import { type AttemptOutcome, attemptAudits } from '../../src/app/audit/attempt.ts'
import { auditsOf } from '../../src/app/audit/audit-pages.ts'
import { serveAudits } from '../../src/app/audit/audit-server.ts'
import { type AuditShelf, openAuditShelf } from '../../src/app/audit/audit-shelf.ts'
import { createClaimedReceipts } from '../../src/app/audit/claimed-receipts.ts'
import type { ChainAccess } from '../../src/app/chain/chain-access.ts'
import type { AuditView } from '../../src/app/chain/market-access.ts'
import type { KeptReceipt } from '../../src/app/market/lot-entry.ts'
import { createSystem } from '../../src/app/system.ts'
import { accountOfAddress } from '../../src/core/fields.ts'
import { weightedRows } from '../../src/core/market/charge.ts'
import type { PeerAddress, Wire } from '../../src/net/wire.ts'
import { type AuditLab, CONFIG, createAuditLab, type LabMiner, type LabOptions } from './audit-lab.ts'
import { collect, GREEDY, silent } from './ring-world.ts'

const { clock, random } = createSystem()
const NEVER = new AbortController().signal
const PROMPT = Array.from({ length: 40 }, (_, index) => (index * 7) % CONFIG.vocabularySize)
const GENERATION = { ...GREEDY, temperature: 0.8, topK: 20, seed: 9n, maxTokens: 12 }

/** Of who has fetched nothing. */
export const NOTHING: Pick<AuditShelf, 'hasLot' | 'messages'> = { hasLot: () => false, messages: () => undefined }

type Attempted = Parameters<typeof attemptAudits>
export type AttemptChange = Partial<Attempted[1] & Attempted[2]>

export interface AuditedLease {
  readonly lab: AuditLab
  /** In the order of lots. */
  readonly receipts: readonly (readonly KeptReceipt[])[]
  auditsIn(lot: number): Promise<AuditView[]>
  /** Who was drawn for it. */
  askedFor(audit: AuditView): LabMiner[]
  coverOf(audit: AuditView): KeptReceipt
  /** The miner of a lot serves its auditors, on this wire or with this chain. */
  serve(lot: number, change?: { readonly wire?: Wire; readonly chain?: ChainAccess }): Promise<void>
  shelfOf(who: LabMiner): Promise<AuditShelf>
  attempt(audits: AuditView | readonly AuditView[], by: LabMiner, change?: AttemptChange): Promise<AttemptOutcome>
}

export const addressOf = (wire: Wire): PeerAddress => ({ peer: wire.peer, addresses: wire.addresses() })

export async function auditedLease(options: LabOptions = {}): Promise<AuditedLease> {
  const lab = await createAuditLab(options)
  const session = await lab.session()
  await collect(session, PROMPT, { generation: GENERATION })
  await session.close()
  const receipts = await lab.claim()
  lab.draw()
  const shelfOf = ({ who }: LabMiner): Promise<AuditShelf> => openAuditShelf(join(lab.market.root, `shelf-${who.id}`))
  return {
    ...{ lab, receipts, shelfOf },
    async auditsIn(lot) {
      const found: AuditView[] = []
      for await (const audit of auditsOf(lab.chain.market, lab.lease.id)) if (audit.lot === lot) found.push(audit)
      return found
    },
    askedFor({ auditors }) {
      const ids = auditors.map(({ operator }) => accountOfAddress(operator, 'local'))
      return lab.auditors.filter(({ who }) => ids.includes(who.id))
    },
    coverOf({ lot, row }) {
      return receipts[lot]!.find(({ receipt }) => weightedRows(receipt.after, 4n) > BigInt(row))!
    },
    async serve(lot, change = {}) {
      const { wire, peerKey } = lab.miners[lot]!
      const lots = lab.market.lots[lot]!
      const own = { chain: lab.chain, lots, receipts: createClaimedReceipts(lots), shelf: NOTHING, peerKey, ...change }
      await serveAudits(change.wire ?? wire, own, { clock, log: silent })
    },
    async attempt(audits, { wire, who, peerKey }, change = {}) {
      const { chain, served, addressesOf: locate } = lab
      const shelf = await shelfOf({ wire, who, peerKey })
      const all = { chain, served: [served], shelf, locate, isBusy: () => false, wire, clock, random }
      return attemptAudits([audits].flat(), { ...all, ...change }, { ...all, signal: NEVER, ...change })
    },
  }
}
