/**
 * A miner's desk for leases: looks a lease up when a client opens a session with it, checks that the session is the lease's, and keeps the
 * accounts. One session at a time uses a lease; a newer one of the same client ends the older.
 * Spec: docs/spec/wire.md §4.8, docs/spec/market.md §9.1.
 * @module
 */
import type { Hash } from '../../base/brand.ts'
import type { Clock, Log, Random } from '../../base/ports.ts'
import { keyPairFromSecret, verify } from '../../core/ed25519.ts'
import { leaseOpeningDigest } from '../../core/market/lease-opening.ts'
import { isVoucherOf, type SignedVoucher } from '../../core/market/voucher.ts'
import type { StageMessageOf } from '../../net/protocols/stage.ts'
import type { LeaseOpening } from '../../net/protocols/stage-open.ts'
import { peerOfPublicKey } from '../node-identity.ts'
import { createSigner } from '../openssl-sign.ts'
import { opensslAccepts } from '../openssl-verify.ts'
import { createSerial } from '../store/serial.ts'
import { createLeaseAccount, type LeaseAccount, type LotClaim } from './lease-account.ts'
import { leaseError } from './lease-error.ts'
import type { LeaseSource, OpenLease } from './lease-source.ts'
import type { LotFolder } from './lot-folder.ts'
import { createStageLease, type StageLease } from './stage-lease.ts'
import { decodeVoucher } from './voucher-store.ts'

type OpenMessage = StageMessageOf<'open'>

/** What the desk does to the session that uses a lease. */
export interface LeaseHolder {
  /** Ends the session; resolves when it is over. */
  fail(error: unknown): Promise<void>
  toPrevious(message: StageMessageOf<'countersignature'>): void
}

export interface LeaseDesk {
  /** The lease of a session that is being opened; undefined for one without. @throws LeaseError, StoreError. */
  open(open: OpenMessage, holder: LeaseHolder): Promise<StageLease | undefined>
  /** What this miner can claim of a lease that it has served, open or not any more; undefined where it can claim nothing. */
  claim(lease: OpenLease): Promise<LotClaim | undefined>
  /** When no session is left: gives back what is open. */
  close(): Promise<void>
}

export interface LeaseDeskOptions {
  readonly source: LeaseSource
  readonly lots: LotFolder
  /** Of the miner's peer key, 32 bytes. */
  readonly peerSecret: Uint8Array
  /** Sessions without a lease are refused. */
  readonly isRequired: boolean
}

interface Used {
  readonly account: LeaseAccount
  holder: LeaseHolder | undefined
  /** Of the latest session; it may still write what it was paid. */
  session: StageLease | undefined
}

/** Accounts kept open; of others the journal is on disk. */
const ACCOUNTS_MAX = 256

export function createLeaseDesk(
  options: LeaseDeskOptions,
  ports: { clock: Clock; log: Log; random: Random },
): LeaseDesk {
  const { source, lots, isRequired } = options
  const signer = createSigner(options.peerSecret)
  const { publicKey } = keyPairFromSecret(options.peerSecret)
  const accounts = new Map<Hash, Used>()
  const serial = createSerial()

  const accountOf = async (lease: OpenLease, lot: number): Promise<Used> => {
    const known = accounts.get(lease.id)
    if (known !== undefined) return known
    await makeRoom(accounts)
    const journal = await lots.open(lease.id)
    const account = createLeaseAccount({ lease, lot, journal, signer, random: ports.random })
    const used: Used = { account, holder: undefined, session: undefined }
    accounts.set(lease.id, used)
    return used
  }

  const use = async (lease: OpenLease, open: OpenMessage, holder: LeaseHolder): Promise<StageLease> => {
    const used = await accountOf(lease, open.stageIndex)
    const before = used.holder
    used.holder = holder
    await before?.fail(leaseError('LEASE_TAKEN_OVER'))
    await used.session?.close()
    const { account } = used
    await account.resume(voucherIn(lease, open.lease?.voucher))
    const toPrevious = (message: StageMessageOf<'countersignature'>): void => holder.toPrevious(message)
    const parts = { account, signer, fail: (error: unknown) => void holder.fail(error), toPrevious }
    const stageLease = createStageLease(parts, ports)
    used.session = stageLease
    return {
      ...stageLease,
      close: async () => {
        await stageLease.close()
        if (used.holder === holder) used.holder = undefined
      },
    }
  }

  return {
    async open(open, holder) {
      if (open.lease === undefined) {
        if (isRequired) throw leaseError('LEASE_REQUIRED')
        return undefined
      }
      const found = await source.find(open.lease.id)
      if (!found.ok) throw leaseError(found.why === 'expired' ? 'LEASE_EXPIRED' : 'LEASE_UNKNOWN')
      const { lease } = found
      checkRoute(lease, open)
      checkProof(lease, open, open.lease)
      return serial(() => use(lease, open, holder))
    },
    claim: (lease) =>
      serial(async () => {
        const lot = lease.lots.findIndex(({ peerKey }) => Buffer.compare(peerKey, publicKey) === 0)
        if (lot < 0) return undefined
        const { account } = await accountOf(lease, lot)
        return account.claim()
      }),
    close: async () => {
      for (const { account } of accounts.values()) await account.journal.close()
      accounts.clear()
    },
  }
}

/** The oldest account that no session uses goes. */
async function makeRoom(accounts: Map<Hash, Used>): Promise<void> {
  if (accounts.size < ACCOUNTS_MAX) return
  for (const [id, { account, holder }] of accounts) {
    if (holder !== undefined) continue
    accounts.delete(id)
    await account.journal.close()
    return
  }
}

function checkRoute(lease: OpenLease, { model, stages }: OpenMessage): void {
  const isTheLeases =
    model === lease.model &&
    stages.length === lease.lots.length &&
    stages.every(({ peer, firstSegment, lastSegment }, index) => {
      const lot = lease.lots[index]!
      return (
        firstSegment === lot.firstSegment && lastSegment === lot.lastSegment && peer === peerOfPublicKey(lot.peerKey)
      )
    })
  if (!isTheLeases) throw leaseError('LEASE_OTHER_ROUTE')
}

function checkProof(lease: OpenLease, { session, stageIndex }: OpenMessage, { proof }: LeaseOpening): void {
  const message = leaseOpeningDigest(lease.networkId, { lease: lease.id, session, stageIndex })
  const isOwn = verify({ message, signature: proof, publicKey: lease.voucherKey }, opensslAccepts)
  if (!isOwn) throw leaseError('LEASE_NOT_YOURS')
}

function voucherIn({ id, networkId, voucherKey }: OpenLease, bytes: Uint8Array | undefined): SignedVoucher | undefined {
  if (bytes === undefined) return undefined
  const voucher = decodeVoucher(bytes.slice())
  if (voucher.lease !== id) throw leaseError('VOUCHER_OF_ANOTHER_LEASE')
  if (isVoucherOf(voucherKey, voucher, { networkId, accepts: opensslAccepts })) return voucher
  throw leaseError('VOUCHER_BAD_SIGNATURE')
}
