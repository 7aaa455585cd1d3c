/**
 * A miner's desk for leases: looks a lease up when a client opens a session with it, checks that the session is the lease's, and keeps the
 * accounts. One session at a time uses a lease; a newer one of the same client ends the older.
 * Spec: docs/spec/wire.md §4.8, docs/spec/market.md §9.1.
 * @module
 */
import type { Hash } from '../../base/brand.ts'
import { DEADLINES } from '../../base/limits.ts'
import type { Clock, Log, Random } from '../../base/ports.ts'
import { keyPairFromSecret, verify } from '../../core/ed25519.ts'
import type { Counters } from '../../core/market/counters.ts'
import { leaseOpeningDigest } from '../../core/market/lease-opening.ts'
import { isVoucherOf, type SignedVoucher } from '../../core/market/voucher.ts'
import { withDeadline } from '../../net/deadline.ts'
import type { StageMessageOf } from '../../net/protocols/stage.ts'
import type { LeaseOpening } from '../../net/protocols/stage-open.ts'
import { peerOfPublicKey } from '../node-identity.ts'
import { createSigner } from '../openssl-sign.ts'
import { opensslAccepts } from '../openssl-verify.ts'
import { RingError } from '../ring/ring-error.ts'
import { createSerial, type Serial } from '../store/serial.ts'
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
  /**
   * What this miner can claim of a lease that it has served, open or not any more; undefined where it can claim nothing. `closes`: with the
   * receipt that is being filled, for a lease in which no more work is done; true if left out. @throws StoreError.
   */
  claim(lease: OpenLease, closes?: boolean): Promise<LotClaim | undefined>
  /** What stands in the journal; undefined where there is none. Closes no receipt. @throws StoreError. */
  paid(lease: OpenLease): Promise<PaidWork | undefined>
  /** The lease is settled: its session ends, and its journal goes. @throws StoreError. */
  forget(lease: Hash): Promise<void>
  /** When no session is left: gives back what is open. */
  close(): Promise<void>
}

export interface PaidWork {
  /** That the newest voucher pays for. */
  readonly counters: Counters
  /** Of it, what full receipts cover. */
  readonly receipted: Counters
}

export interface LeaseDeskOptions {
  readonly source: LeaseSource
  readonly lots: LotFolder
  /** Of the miner's peer key, 32 bytes. */
  readonly peerSecret: Uint8Array
  /** Whether sessions of this model are refused without a lease; asked for each, since a model may get a price while its miner runs. */
  readonly isRequired: (model: Hash) => boolean
}

/** A lease that was asked for. */
interface Used {
  /** Sessions and claims of one lease come one after the other. */
  readonly serial: Serial
  /** undefined: its journal is not open. */
  account: LeaseAccount | undefined
  holder: LeaseHolder | undefined
  /** Of the latest session; it may still write what it was paid. */
  session: StageLease | undefined
}

/** Kept open; of others the journal is on disk. */
const LEASES_MAX = 256

export function createLeaseDesk(
  options: LeaseDeskOptions,
  ports: { clock: Clock; log: Log; random: Random },
): LeaseDesk {
  const { source, lots } = options
  const signer = createSigner(options.peerSecret)
  const { publicKey } = keyPairFromSecret(options.peerSecret)
  const leases = new Map<Hash, Used>()
  const late = () => new RingError('RING_STEP_DEADLINE', 'The chain took too long to tell of the lease.')
  const lookup = { clock: ports.clock, limitMs: DEADLINES.openSessionMs, late }

  const usedOf = async (id: Hash): Promise<Used> => {
    const known = leases.get(id)
    if (known !== undefined) return known
    const used: Used = { serial: createSerial(), account: undefined, holder: undefined, session: undefined }
    leases.set(id, used)
    await makeRoom(leases)
    return used
  }

  const accountOf = async (used: Used, lease: OpenLease, lot: number): Promise<LeaseAccount> => {
    const { random } = ports
    used.account ??= createLeaseAccount({ lease, lot, journal: await lots.open(lease.id), signer, random })
    return used.account
  }

  const use = async (used: Used, lease: OpenLease, parts: Session): Promise<StageLease> => {
    const { open, holder } = parts
    const account = await accountOf(used, lease, open.stageIndex)
    const before = used.holder
    used.holder = holder
    await before?.fail(leaseError('LEASE_TAKEN_OVER'))
    await used.session?.close()
    try {
      await account.resume(voucherIn(lease, open.lease?.voucher))
    } catch (error) {
      used.holder = undefined
      throw error
    }
    const toPrevious = (message: StageMessageOf<'countersignature'>): void => holder.toPrevious(message)
    const fail = (error: unknown): void => void holder.fail(error)
    const stageLease = createStageLease({ account, signer, fail, toPrevious }, ports)
    used.session = stageLease
    return {
      ...stageLease,
      close: async () => {
        await stageLease.close()
        if (used.holder === holder) used.holder = undefined
      },
    }
  }

  /** Work on the account of a lease in which this miner has a lot, after all that is under way there. */
  const withAccount = async <Result>(
    lease: OpenLease,
    work: (account: LeaseAccount) => Promise<Result>,
  ): Promise<Result | undefined> => {
    const lot = lease.lots.findIndex(({ peerKey }) => Buffer.compare(peerKey, publicKey) === 0)
    if (lot < 0) return undefined
    const used = await usedOf(lease.id)
    return used.serial(async () => work(await accountOf(used, lease, lot)))
  }

  return {
    async open(open, holder) {
      if (open.lease === undefined) {
        if (options.isRequired(open.model)) throw leaseError('LEASE_REQUIRED')
        return undefined
      }
      const { id } = open.lease
      const found = await withDeadline(lookup, (signal) => source.find(id, signal))
      if (!found.ok) throw leaseError(found.why === 'expired' ? 'LEASE_EXPIRED' : 'LEASE_UNKNOWN')
      const { lease } = found
      checkRoute(lease, open)
      checkProof(lease, open, open.lease)
      const used = await usedOf(id)
      return used.serial(() => use(used, lease, { open, holder }))
    },
    claim: (lease, closes = true) => withAccount(lease, (account) => account.claim(closes)),
    paid: (lease) =>
      withAccount(lease, async ({ journal: { newest } }) => {
        return newest && { counters: newest.voucher.counters, receipted: newest.open.before }
      }),
    async forget(id) {
      const used = await usedOf(id)
      await used.serial(async () => {
        await used.holder?.fail(leaseError('LEASE_EXPIRED'))
        await used.session?.close()
        await used.account?.journal.close()
        leases.delete(id)
        await lots.forget(id)
      })
    },
    close: async () => {
      for (const { account } of leases.values()) await account?.journal.close()
      leases.clear()
    },
  }
}

interface Session {
  readonly open: OpenMessage
  readonly holder: LeaseHolder
}

/**
 * The journal of the oldest lease that no session uses is closed. The lease stays known: whoever waits for its turn there opens the journal again,
 * and nobody opens it beside another.
 */
async function makeRoom(leases: Map<Hash, Used>): Promise<void> {
  const open = [...leases.values()].filter(({ account }) => account !== undefined)
  const oldest = open.find(({ holder }) => holder === undefined)
  if (open.length <= LEASES_MAX || oldest === undefined) return
  await oldest.serial(async () => {
    const { account, holder } = oldest
    if (account === undefined || holder !== undefined) return
    oldest.account = undefined
    await account.journal.close()
  })
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
