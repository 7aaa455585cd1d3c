/**
 * What people type about the chain, read and checked: blocks, transaction ids, parameters, prices, memos.
 * Spec: docs/spec/cli.md §5.
 * @module
 */
import { type AccountId, type Hash, hash } from '../../base/brand.ts'
import { CHAIN_LIMITS, MARKET_LIMITS } from '../../base/chain-limits.ts'
import { HouseError } from '../../base/error.ts'
import { accountOfAddress } from '../../core/fields.ts'
import type { NetworkKind } from '../../core/network-kind.ts'
import { PARAMETER_NAMES, type ParameterChange, parameterFault, parameterRange } from '../../core/parameters.ts'
import { parseGrains } from '../../core/units.ts'

/** All of them mean that the command line is wrong. */
export type ChainArgumentCode =
  | 'BLOCK_NAME_BAD'
  | 'TRANSACTION_ID_BAD'
  | 'LEASE_ID_BAD'
  | 'CUTS_BAD'
  | 'DATE_BAD'
  | 'MEMO_TOO_LONG'
  | 'PROPOSAL_NUMBER_BAD'
  | 'PARAMETER_UNKNOWN'
  | 'PARAMETER_CHANGE_BAD'
  | 'VALIDATOR_NAME_BAD'

export class ChainArgumentError extends HouseError<ChainArgumentCode> {}

const DIGEST = /^[0-9a-f]{64}$/

/** A height or a block's hash; 64 digits are a hash. @throws ChainArgumentError BLOCK_NAME_BAD. */
export function parseBlockName(text: string): number | Hash {
  const lower = text.toLowerCase()
  if (DIGEST.test(lower)) return hash(lower)
  if (/^\d{1,15}$/.test(text) && Number(text) <= CHAIN_LIMITS.heightMax) return Number(text)
  const message = `A block is named by its height, such as 1204, or by the 64 hexadecimal digits of its hash, not by ${quote(text)}.`
  throw new ChainArgumentError('BLOCK_NAME_BAD', message)
}

/** @throws ChainArgumentError TRANSACTION_ID_BAD. */
export function parseTransactionId(text: string): Hash {
  const lower = text.toLowerCase()
  if (DIGEST.test(lower)) return hash(lower)
  const message = `A transaction is named by the 64 hexadecimal digits of its id, not by ${quote(text)}.`
  throw new ChainArgumentError('TRANSACTION_ID_BAD', message)
}

/** @throws ChainArgumentError LEASE_ID_BAD. */
export function parseLeaseId(text: string): Hash {
  const lower = text.toLowerCase()
  if (DIGEST.test(lower)) return hash(lower)
  const message = `A lease is named by the 64 hexadecimal digits of its id, not by ${quote(text)}. \`dllm lease list\` shows yours.`
  throw new ChainArgumentError('LEASE_ID_BAD', message)
}

/** Numbers of segments, as people count them from 1, with commas between them; the segments from 0, none in an empty text. @throws ChainArgumentError CUTS_BAD. */
export function parseCuts(text: string): number[] {
  const words = text === '' ? [] : text.split(',')
  const most = MARKET_LIMITS.leaseLotsMax - 1
  if (words.length <= most && words.every((word) => /^\d{1,2}$/.test(word) && Number(word) > 1)) {
    return words.map((word) => Number(word) - 1)
  }
  const message = `Cuts are at most ${most} numbers of segments, from 2 on, with commas between them, such as 2,4, not ${quote(text)}.`
  throw new ChainArgumentError('CUTS_BAD', message)
}

/** An account by its address on this network. @throws AddressError. */
export function parseAccount(text: string, kind: NetworkKind): AccountId {
  return accountOfAddress(text, kind)
}

/** The bytes of a memo. @throws ChainArgumentError MEMO_TOO_LONG. */
export function parseMemo(text: string): Uint8Array {
  const bytes = new TextEncoder().encode(text)
  if (bytes.length <= CHAIN_LIMITS.memoBytesMax) return bytes
  const message = `A memo has at most ${CHAIN_LIMITS.memoBytesMax} bytes, and this one has ${bytes.length}. Make it shorter.`
  throw new ChainArgumentError('MEMO_TOO_LONG', message)
}

/** @throws ChainArgumentError PROPOSAL_NUMBER_BAD. */
export function parseProposalNumber(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text)
  const message = `A proposal is named by its number, such as 0, not by ${quote(text)}. \`dllm param list\` shows the open ones.`
  throw new ChainArgumentError('PROPOSAL_NUMBER_BAD', message)
}

/**
 * `NAME=VALUE` words as changes in the order in which a proposal lists them; bounds are the chain's business.
 * @throws ChainArgumentError PARAMETER_UNKNOWN, PARAMETER_CHANGE_BAD.
 */
export function parseChanges(texts: readonly string[]): ParameterChange[] {
  const changes = texts.map(parseChange)
  const sorted = PARAMETER_NAMES.flatMap((name) => changes.filter((change) => change.name === name))
  const twice = sorted.find(({ name }, index) => name === sorted[index + 1]?.name)
  if (twice === undefined && sorted.length > 0) return sorted
  const what = twice === undefined ? 'Name at least one parameter' : `${twice.name} is named twice. Name each once`
  throw new ChainArgumentError('PARAMETER_CHANGE_BAD', `${what}, such as commitMs=500.`)
}

/** Before anybody types a password for what every node refuses. @throws ChainArgumentError as `parseChanges`. */
export function checkChanges(texts: readonly string[]): void {
  const [fault] = parseChanges(texts).flatMap(({ name, value }) => parameterFault(name, value) ?? [])
  if (fault !== undefined) throw new ChainArgumentError('PARAMETER_CHANGE_BAD', `${fault}.`)
}

function parseChange(text: string): ParameterChange {
  const [, word, typed] = /^([^=]*)=(.*)$/s.exec(text) ?? []
  if (word === undefined || typed === undefined) {
    const message = `${quote(text)} is no change of a parameter. Write NAME=VALUE with a whole number, such as commitMs=500.`
    throw new ChainArgumentError('PARAMETER_CHANGE_BAD', message)
  }
  const name = PARAMETER_NAMES.find((known) => known === word)
  if (name === undefined) {
    const message = `There is no parameter ${quote(word)}. \`dllm chain params\` lists them.`
    throw new ChainArgumentError('PARAMETER_UNKNOWN', message)
  }
  if (/^\d{1,20}$/.test(typed)) return { name, value: parseGrains(typed) }
  const message = `${name} takes ${parameterRange(name)}, not ${quote(typed)}.`
  throw new ChainArgumentError('PARAMETER_CHANGE_BAD', message)
}

function quote(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text)
}
