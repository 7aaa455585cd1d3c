/**
 * A lease of one lot that was served, closed and claimed, and the people who may audit it: for tests of audits.
 * @module
 */
import type { Hash } from '../src/base/brand.ts'
import { keyPairFromSecret } from '../src/core/ed25519.ts'
import { hashOf } from '../src/core/fields.ts'
import { taggedHash } from '../src/core/hash.ts'
import { type Counters, ZERO_COUNTERS } from '../src/core/market/counters.ts'
import {
  findingOf,
  NO_RECEIPT,
  outCommitmentOf,
  type Receipt,
  receiptHash,
  signReceipt,
} from '../src/core/market/receipt.ts'
import { proveReceipt, receiptsRoot } from '../src/core/market/receipt-tree.ts'
import { verdictCommitment } from '../src/core/market/verdict.ts'
import type { Parameters } from '../src/core/parameters.ts'
import { type AuditId, type AuditRecord, audits } from '../src/core/state/audits.ts'
import { getMiner, putMiner } from '../src/core/state/miners.ts'
import { move } from '../src/core/state/money.ts'
import type { OpenReceipt } from '../src/core/transaction/open-receipt.ts'
import { DLLM, type Person, person } from './chain-accounts.ts'
import {
  call,
  change,
  claimBody,
  endBlocks,
  type LeaseWorld,
  leaseWorld,
  open,
  PAYERS,
  type Served,
  serve,
  voucherOf,
} from './lease-world.ts'

/** Serves the lot. */
export const MINER: Person = person(11)
/** Every window is audited. */
export const AUDIT_PARAMETERS: Partial<Parameters> = {
  ...{ auditShare: 1_000n, auditShareNew: 1_000n, auditFee: 20n },
}

export interface AuditWorld extends LeaseWorld {
  readonly lease: Hash
  readonly auditors: readonly Person[]
  /** Of the miner, in their order. */
  readonly receipts: readonly Receipt[]
}

export interface AuditScene {
  readonly parameters?: Partial<Parameters>
  /** Who is placed over the lot besides the miner, once the lease is open; with deposits in grains. */
  readonly auditors?: readonly Person[]
  readonly deposits?: readonly bigint[]
  readonly served?: Partial<Served>
  /** Rows of decoding in each receipt. */
  readonly windows?: readonly number[]
  /** Rows that the claim says the receipts cover; all of them when left out. */
  readonly rows?: number
}

/** The people with these numbers. */
export function people(count: number, first = 20): Person[] {
  return Array.from({ length: count }, (_, index) => person(first + index))
}

/** Until the end of the block before the one that draws. */
export function auditWorld(scene: AuditScene = {}): AuditWorld {
  const { auditors = people(7), deposits, windows = [25], served } = scene
  const world = leaseWorld({ ...AUDIT_PARAMETERS, ...scene.parameters })
  serve(world, [{ miner: MINER.id }])
  setPeerKey(world, MINER)
  const lease = open(world, PAYERS[0]!)
  fund(world, auditors)
  const placed = auditors.map(({ id }, index) => ({ miner: id, deposit: deposits?.[index] ?? DLLM, ...served }))
  serve(world, placed)
  const receipts = receiptsOf(lease, windows)
  const counters = receipts.at(-1)!.after
  const rows = scene.rows ?? 4 * Number(counters.decodeRows)
  const voucher = voucherOf(world, lease, counters)
  call(world, MINER, { type: 15, body: claimBody(lease, { voucher, rows, root: rootOf(receipts) }) })
  call(world, PAYERS[0]!, { type: 14, body: { lease } })
  endBlocks(world, Number(world.context.parameters.disputeBlocks))
  return Object.assign(world, { lease, auditors, receipts })
}

/** Ends the block that draws, and returns what was drawn. */
export function draw(world: AuditWorld): (readonly [AuditId, AuditRecord])[] {
  endBlocks(world)
  return [...audits(world.state)]
}

/** What an honest auditor finds in the receipt that covers the audited row. */
export function honestFinding(receipt: Receipt): Hash {
  return findingOf(receipt, outDigestOf(receipt.window))
}

export function coverOf(world: AuditWorld, { row }: Pick<AuditRecord, 'row'>): Receipt {
  return world.receipts.find(({ after }) => 4 * Number(after.decodeRows) > row)!
}

export function commitBody(audit: AuditId, { id }: Person, finding: Hash): unknown {
  return { audit, commitment: verdictCommitment(audit, id, { finding, salt: saltOf(id) }) }
}

export function revealBody(audit: AuditId, { id }: Person, finding: Hash): unknown {
  return { audit, finding, salt: saltOf(id) }
}

export function openBody(world: AuditWorld, audit: AuditId, receipt: Receipt): OpenReceipt {
  const hashes = world.receipts.map(receiptHash)
  const keys = peerKeyOf(MINER)
  return {
    ...{ audit, peerKey: keys.publicKey, outDigest: outDigestOf(receipt.window), salt: saltOf(String(receipt.window)) },
    receipt: signReceipt(world.networkId, receipt, keys.secretKey),
    proof: proveReceipt(hashes, receipt.window),
  }
}

/** What each of them finds; undefined: commits and keeps silent. Who is not named does nothing. */
export type Findings = ReadonlyMap<Person, Hash | undefined>

/** From the block after a draw to the end of the block that tallies: commits, opens if it is said, reveals. */
export function hold(
  world: AuditWorld,
  [id, audit]: readonly [AuditId, AuditRecord],
  { findings, opens = true }: { readonly findings: Findings; readonly opens?: boolean },
): void {
  for (const [who, finding] of findings) {
    call(world, who, { type: 16, body: commitBody(id, who, finding ?? outDigestOf(99)) })
  }
  endBlocks(world, audit.commitHeight - world.context.height + 1)
  if (opens) call(world, MINER, { type: 17, body: openBody(world, id, coverOf(world, audit)) })
  for (const [who, finding] of findings) {
    if (finding !== undefined) call(world, who, { type: 18, body: revealBody(id, who, finding) })
  }
  endBlocks(world, audit.dueHeight - world.context.height + 1)
}

/** The auditors of an audit as people. */
export function asked(world: AuditWorld, { auditors }: AuditRecord): Person[] {
  return auditors.map(({ operator }) => world.auditors.find(({ id }) => id === operator)!)
}

export function outDigestOf(window: number): Hash {
  return hashOf(taggedHash('test/out', Uint8Array.of(window)))
}

export function peerKeyOf({ owner }: Person): ReturnType<typeof keyPairFromSecret> {
  return keyPairFromSecret(owner.secretKey.map((byte) => byte ^ 0xff))
}

export function saltOf(text: string): Hash {
  return hashOf(taggedHash('test/salt', new TextEncoder().encode(text)))
}

export function rootOf(receipts: readonly Receipt[]): Hash {
  return receiptsRoot(receipts.map(receiptHash))
}

/** Receipts of decode rows, one after the other. */
export function receiptsOf(lease: Hash, windows: readonly number[]): Receipt[] {
  const receipts: Receipt[] = []
  let before: Counters = ZERO_COUNTERS
  for (const [window, rows] of windows.entries()) {
    const decodeRows = before.decodeRows + BigInt(rows)
    const after = { ...before, decodeRows, decodePositions: (decodeRows * (decodeRows - 1n)) / 2n }
    receipts.push({
      ...{ lease, lot: 0, window, before, after, milliseconds: 1_000 },
      inDigest: hashOf(taggedHash('test/in', Uint8Array.of(window))),
      outCommitment: outCommitmentOf(outDigestOf(window), saltOf(String(window))),
      previous: window === 0 ? NO_RECEIPT : receiptHash(receipts[window - 1]!),
    })
    before = after
  }
  return receipts
}

/** For their fees. */
function fund(world: LeaseWorld, who: readonly Person[]): void {
  change(world.state, (overlay) => {
    const from = { type: 'account', id: person(4).id } as const
    for (const { id } of who) move(overlay, { amount: DLLM / 100n, from, to: { type: 'account', id } })
  })
}

function setPeerKey(world: LeaseWorld, who: Person): void {
  change(world.state, (overlay) => {
    putMiner(overlay, who.id, { ...getMiner(overlay, who.id)!, peerKey: peerKeyOf(who).publicKey })
  })
}
