/**
 * Serves auditors of this miner's lots with what went into the lot, part by part as they ask, from the journal that the desk may be writing; and
 * auditors of other lots with what this miner, an auditor itself, got of them. Only peers of miners that the chain drew for the audit get anything;
 * what came out is not among it.
 * Spec: docs/spec/wire.md §6, docs/spec/market.md §9.4.
 * @module
 */
import { bytesToHex } from '@noble/hashes/utils.js'
import type { PeerId } from '../../base/brand.ts'
import { Reader } from '../../base/codec.ts'
import { codeOf, HouseError, messageOf } from '../../base/error.ts'
import { AUDIT_LIMITS, DEADLINES } from '../../base/limits.ts'
import type { Clock, Log } from '../../base/ports.ts'
import { accountOfAddress } from '../../core/fields.ts'
import { type AuditId, readAuditId } from '../../core/state/audits.ts'
import { withDeadline } from '../../net/deadline.ts'
import {
  AUDIT_PROTOCOL,
  AUDIT_PROTOCOL_OPTIONS,
  type AuditAnswer,
  type AuditQuestion,
  decodeAuditQuestion,
  encodeAuditAnswer,
} from '../../net/protocols/audit.ts'
import type { Channel, Wire } from '../../net/wire.ts'
import type { ChainAccess } from '../chain/chain-access.ts'
import type { AuditView, LeaseView } from '../chain/market-access.ts'
import type { LotFolder } from '../market/lot-folder.ts'
import { publicKeyOfPeer } from '../node-identity.ts'
import { AuditError } from './audit-error.ts'
import { auditName, auditOf } from './audit-pages.ts'
import type { AuditShelf } from './audit-shelf.ts'
import type { ClaimedReceipts } from './claimed-receipts.ts'
import { inputMessages, lotInputs } from './lot-inputs.ts'

export interface AuditServerOptions {
  readonly chain: Pick<ChainAccess, 'market' | 'network'>
  readonly lots: LotFolder
  readonly receipts: ClaimedReceipts
  /** What was fetched of lots of others. */
  readonly shelf: Pick<AuditShelf, 'hasLot' | 'messages'>
  /** Of the miner, 32 bytes. */
  readonly peerKey: Uint8Array
}

/** Serves until the wire stops. */
export async function serveAudits(
  wire: Wire,
  options: AuditServerOptions,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): Promise<void> {
  const isAuditor = createAuditorCheck(options.chain)
  let served = 0
  let checking = 0

  const admit = async (id: AuditId, peer: PeerId): Promise<Messages> => {
    if (checking >= AUDIT_LIMITS.checksMax) throw busy()
    checking++
    try {
      return await messagesFor({ ...options, isAuditor }, id, peer)
    } finally {
      checking--
    }
  }
  const answer = async (channel: Channel): Promise<void> => {
    const ask = await nextQuestion(channel, clock, DEADLINES.statusMs)
    if (ask?.type !== 'ask') throw unknownAudit()
    const id = readAuditId(new Reader(ask.audit))
    const messages = await admit(id, channel.peer)
    if (served >= AUDIT_LIMITS.servedMax) throw busy()
    served++
    try {
      log.write('info', 'audit.served', { peer: channel.peer, lease: id.lease, lot: id.lot, window: id.window })
      await serveMessages(channel, messages, clock)
    } finally {
      served--
    }
  }

  await wire.handle(AUDIT_PROTOCOL, AUDIT_PROTOCOL_OPTIONS, async (channel) => {
    try {
      await answer(channel)
    } catch (error) {
      log.write('info', 'audit.refused', { peer: channel.peer, code: codeOf(error), why: messageOf(error) })
      refuse(channel, error)
    }
  })
}

type Messages = AsyncGenerator<Uint8Array, unknown, void>

/** The first at once, and each other one when it is asked for; then the end marker. */
async function serveMessages(channel: Channel, messages: Messages, clock: Clock): Promise<void> {
  try {
    for (let next = await messages.next(); next.done !== true; next = await messages.next()) {
      channel.send(next.value)
      await channel.drained()
      const question = await nextQuestion(channel, clock, DEADLINES.auditIdleMs)
      if (question === undefined) return
      if (question.type !== 'next') throw unknownAudit()
    }
  } finally {
    await messages.return(undefined)
  }
}

async function nextQuestion(channel: Channel, clock: Clock, limitMs: number): Promise<AuditQuestion | undefined> {
  const late = () => new AuditError('AUDIT_NO_DATA', 'The auditor asked for nothing for too long.')
  const bytes = await withDeadline({ clock, limitMs, late }, (signal) => channel.receive(signal))
  return bytes === undefined ? undefined : decodeAuditQuestion(bytes)
}

/** What a stranger and an auditor of another lot hear is the same. */
async function messagesFor(
  options: AuditServerOptions & { readonly isAuditor: AuditorCheck },
  id: AuditId,
  peer: PeerId,
): Promise<Messages> {
  const { chain, lots, receipts, shelf, isAuditor } = options
  if (!shelf.hasLot(id) && !(await lots.leases()).includes(id.lease)) throw unknownAudit()
  const audit = await auditOf(chain.market, id)
  if (audit === undefined || !(await isAuditor(audit, peer))) throw unknownAudit()
  const passedOn = shelf.messages(audit)
  if (passedOn !== undefined) return passedOn
  const lease = await chain.market.lease(id.lease)
  if (!isOurs(lease, id.lot, options.peerKey)) throw unknownAudit()
  const cover = await receipts.covering(lease, audit)
  if (cover === undefined) throw new AuditError('AUDIT_NO_DATA', 'The miner does not have what it claimed.')
  return inputMessages(cover, lotInputs(lots, id.lease, cover.upTo))
}

function isOurs({ lots }: LeaseView, lot: number, peerKey: Uint8Array): boolean {
  return lots[lot]?.peerKey === bytesToHex(peerKey)
}

/** Whether a peer serves an operator of the audit's list. A round's list is asked for once: strangers may ask often. */
type AuditorCheck = (audit: AuditView, peer: PeerId) => Promise<boolean>

/** Rounds of audits whose auditors are remembered. */
const ROUNDS_MAX = 64

function createAuditorCheck({ market, network }: AuditServerOptions['chain']): AuditorCheck {
  const known = new Map<string, Promise<ReadonlySet<string>>>()
  const keysOf = async ({ auditors }: AuditView): Promise<ReadonlySet<string>> => {
    const miners = auditors.map(({ operator }) =>
      market.miner(accountOfAddress(operator, network.kind)).catch(ignoreRefusal),
    )
    return new Set((await Promise.all(miners)).flatMap((miner) => miner?.peerKey ?? []))
  }
  return async (audit, peer) => {
    const name = `${auditName(audit)} ${audit.dueHeight}`
    const keys = known.get(name) ?? keysOf(audit)
    known.set(name, keys)
    keys.catch(() => known.delete(name))
    if (known.size > ROUNDS_MAX) known.delete(known.keys().next().value!)
    const publicKey = publicKeyOfPeer(peer)
    return publicKey !== undefined && (await keys).has(bytesToHex(publicKey))
  }
}

/** A miner that has left the market is none. */
function ignoreRefusal(error: unknown): undefined {
  if (codeOf(error) !== 'NO_SUCH_MINER') throw error
}

function send(channel: Channel, answer: AuditAnswer): void {
  channel.send(encodeAuditAnswer(answer))
}

/** Tells why, as far as the other side still listens; nothing of a bug. */
function refuse(channel: Channel, error: unknown): void {
  const isExpected = error instanceof HouseError
  const code = isExpected ? error.code : 'AUDIT_NO_DATA'
  const message = isExpected ? error.message.slice(0, SENTENCE_CHARACTERS_MAX) : 'The miner failed.'
  try {
    send(channel, { type: 'refused', code, message })
  } catch {
    // Nobody is left to be told.
  }
}

/** Far below the bound of the message's field. */
const SENTENCE_CHARACTERS_MAX = 400

function unknownAudit(): AuditError {
  return new AuditError('AUDIT_UNKNOWN', 'This miner has no such audit that this peer was drawn for.')
}

function busy(): AuditError {
  return new AuditError('AUDIT_BUSY', 'This miner serves as many auditors as it can; ask again later.')
}
