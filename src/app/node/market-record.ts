/**
 * What a node keeps of each thing that the market did: the event, and when. Spec: docs/spec/store.md §7.
 * @module
 */
import { lesser } from '../../base/bigint.ts'
import type { AccountId } from '../../base/brand.ts'
import { MARKET_LIMITS } from '../../base/chain-limits.ts'
import { CodecError, type Reader, Writer } from '../../base/codec.ts'
import { readAccount, readCount, readHash, writeAccount, writeCount, writeHash } from '../../core/fields.ts'
import type { PayEvent } from '../../core/market/events.ts'
import { decodeRecord } from '../../core/state/tables.ts'

type Settled = Extract<PayEvent, { type: 'settled' }>
type Audited = Extract<PayEvent, { type: 'audited' }>
type Issued = Extract<PayEvent, { type: 'issued' }>
type Result = Audited['result']

export interface MarketRecord {
  /** Of the block, Unix time. */
  readonly timeMs: number
  readonly event: PayEvent
}

const U64_MAX = 2n ** 64n - 1n
/** As their numbers say in a record: new ones go to the end. */
const TYPES = ['settled', 'audited', 'issued'] as const
const LOT_STATES = ['unclaimed', 'claimed', 'faulted'] as const
const RESULTS = ['pass', 'fault', 'void'] as const
const FAULTS = ['digest', 'unavailable', 'unopened'] as const
const VOIDS = ['too-few', 'no-majority'] as const
const VERDICTS = ['right', 'wrong', 'undecided'] as const

/** By whom it is found; each once. */
export function accountsOf(event: PayEvent): readonly AccountId[] {
  const owners = ({ operator, payout }: { readonly operator: AccountId; readonly payout: AccountId }) => [
    operator,
    payout,
  ]
  switch (event.type) {
    case 'settled':
      return [...new Set([event.payer, ...event.lots.flatMap(owners)])]
    case 'audited':
      return [...new Set([...owners(event), ...event.auditors.flatMap(owners)])]
    case 'issued':
      return [...new Set(owners(event))]
  }
}

export function encodeMarketRecord({ timeMs, event }: MarketRecord): Uint8Array {
  const writer = writeCount(new Writer(256), timeMs).u8(TYPES.indexOf(event.type))
  switch (event.type) {
    case 'settled':
      return writeSettled(writer, event).finish()
    case 'audited':
      return writeAudited(writer, event).finish()
    case 'issued':
      writeAccount(writeAccount(writeCount(writer, event.epoch), event.operator), event.payout)
      return writer.u64(event.value).u64(event.pay).finish()
  }
}

/** @throws CodecError. */
export function decodeMarketRecord(bytes: Uint8Array): MarketRecord {
  return decodeRecord(bytes, (reader) => ({ timeMs: readCount(reader), event: readEvent(reader) }))
}

function readEvent(reader: Reader): PayEvent {
  switch (readName(reader, TYPES)) {
    case 'settled':
      return readSettled(reader)
    case 'audited':
      return readAudited(reader)
    case 'issued':
      return readIssued(reader)
  }
}

function writeSettled(writer: Writer, event: Settled): Writer {
  writeHash(writeAccount(writeHash(writer, event.lease), event.payer), event.model)
  writer.list(event.lots, (inner, { operator, payout, end, state, units, pay }) => {
    writeAccount(writeAccount(inner, operator), payout).u16(end).u8(LOT_STATES.indexOf(state))
    // More than u64 only where the price is 0.
    inner.u64(lesser(units, U64_MAX)).u64(pay)
  })
  return writer.u64(event.charge).u64(event.treasury).u64(event.stakers).u64(event.burnt).u64(event.refund)
}

function readSettled(reader: Reader): Settled {
  return {
    ...{ type: 'settled', lease: readHash(reader), payer: readAccount(reader), model: readHash(reader) },
    lots: reader.list(MARKET_LIMITS.leaseLotsMax, (inner) => ({
      ...{ operator: readAccount(inner), payout: readAccount(inner), end: inner.u16() },
      ...{ state: readName(inner, LOT_STATES), units: inner.u64(), pay: inner.u64() },
    })),
    ...{ charge: reader.u64(), treasury: reader.u64(), stakers: reader.u64() },
    ...{ burnt: reader.u64(), refund: reader.u64() },
  }
}

function writeAudited(writer: Writer, event: Audited): Writer {
  writeHash(writeHash(writer, event.lease).u8(event.lot).u32(event.window), event.model)
  writeResult(writeAccount(writeAccount(writer, event.operator), event.payout), event.result)
  return writer.list(event.auditors, (inner, { operator, payout, verdict, grains }) => {
    writeAccount(writeAccount(inner, operator), payout).u8(VERDICTS.indexOf(verdict)).u64(grains)
  })
}

function readAudited(reader: Reader): Audited {
  return {
    ...{ type: 'audited', lease: readHash(reader), lot: reader.u8(), window: reader.u32(), model: readHash(reader) },
    ...{ operator: readAccount(reader), payout: readAccount(reader), result: readResult(reader) },
    auditors: reader.list(MARKET_LIMITS.auditorsPerAuditMax, (inner) => ({
      ...{ operator: readAccount(inner), payout: readAccount(inner) },
      ...{ verdict: readName(inner, VERDICTS), grains: inner.u64() },
    })),
  }
}

function writeResult(writer: Writer, result: Result): void {
  writer.u8(RESULTS.indexOf(result.type))
  switch (result.type) {
    case 'pass':
      writer.u64(result.units).u64(result.value)
      return
    case 'fault':
      writer.u8(FAULTS.indexOf(result.reason)).u64(result.slashed).u64(result.rewarded)
      return
    case 'void':
      writer.u8(VOIDS.indexOf(result.reason))
  }
}

function readResult(reader: Reader): Result {
  const type = readName(reader, RESULTS)
  switch (type) {
    case 'pass':
      return { type, units: reader.u64(), value: reader.u64() }
    case 'fault':
      return { type, reason: readName(reader, FAULTS), slashed: reader.u64(), rewarded: reader.u64() }
    case 'void':
      return { type, reason: readName(reader, VOIDS) }
  }
}

function readIssued(reader: Reader): Issued {
  const [epoch, operator, payout] = [readCount(reader), readAccount(reader), readAccount(reader)]
  return { type: 'issued', epoch, operator, payout, value: reader.u64(), pay: reader.u64() }
}

function readName<Name extends string>(reader: Reader, names: readonly Name[]): Name {
  const name = names[reader.u8()]
  if (name === undefined) throw new CodecError('CODEC_BAD_VALUE', 'A record of the market is of an unknown kind.')
  return name
}
